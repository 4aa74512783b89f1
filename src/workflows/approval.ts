/** Human approval with escalation: waits for a person for days, and asks the next one in time. */
import { z } from "zod";
import { isWaymarkError } from "../core/errors.ts";
import { workflow } from "../core/workflow.ts";
import { post } from "./web.ts";

const decisionSchema = z.object({ approved: z.boolean(), by: z.string().max(200) });

/** What became of a request. */
export interface Decision {
  readonly outcome: "approved" | "refused" | "nobody answered";
  readonly by: string | null;
  readonly escalated: boolean;
}

const inputSchema = z.strictObject({
  what: z.string().min(1).max(1_000),
  /** Where each of them is asked, in this order; nowhere, and it only waits for the answer. */
  askAt: z.array(z.url()).max(5).default([]),
  waitHours: z.int().min(1).max(720).default(24),
});

/** Asks one after the other. The answer is the event `decision` with `{ "approved": true, "by": "..." }`. */
export const approval = workflow(
  "Approval",
  { input: inputSchema },
  async (ctx, { what, askAt, waitHours }): Promise<Decision> => {
    const people = askAt.length === 0 ? [null] : askAt;
    for (const [asked, url] of people.entries()) {
      const answerTo = `/v1/instances/${ctx.instanceId}/events/decision`;
      const body = { what, answerTo, escalated: asked > 0 };
      if (url !== null) await ctx.call(post, { url, body });
      const waiting = { schema: decisionSchema, timeout: waitHours * 3_600_000 };
      const decision = await ctx.waitForEvent("decision", waiting).catch(timedOut);
      if (decision === undefined) continue; // in time nobody has answered this question
      const { approved, by } = decision;
      return { outcome: approved ? "approved" : "refused", by, escalated: asked > 0 };
    }
    return { outcome: "nobody answered", by: null, escalated: people.length > 1 };
  },
);

function timedOut(error: unknown): undefined {
  if (!isWaymarkError(error, "EVENT_TIMEOUT")) throw error;
}
