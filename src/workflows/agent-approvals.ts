/** Calls that wait for a person: the update `decide` says yes or no to one, and time says no in the end. */
import { z } from "zod";
import type { WorkflowContext } from "../core/context.ts";
import { isWaymarkError } from "../core/errors.ts";
import type { ToolCall } from "./agent-chat.ts";
import { post } from "./web.ts";

/** What a person said of a call. */
export type Decision = z.infer<typeof decisionSchema>;

const decisionSchema = z.strictObject({
  /** The id of the call, as in the conversation. */
  call: z.string(),
  approved: z.boolean(),
  by: z.string().min(1).max(200),
  /** For the model, such as why not. */
  note: z.string().max(2_000).default(""),
});

export interface ApprovalOptions {
  /** Told of each call that is to be decided. */
  readonly askAt?: string | undefined;
  readonly approvalHours: number;
  /** Called where another call waits, or one less. */
  readonly changed: () => void;
}

/** Registers the handler. */
export function approvals<Input>(ctx: WorkflowContext<Input>, options: ApprovalOptions) {
  const { askAt, approvalHours, changed } = options;
  const open = new Map<string, { readonly call: ToolCall; decide(decision: Decision): void }>();

  const validate = ({ call }: Decision) => {
    if (!open.has(call)) throw new Error(`no call "${call}" waits for a decision`);
  };
  ctx.handle("decide", { input: decisionSchema, validate }, (decision) => {
    const { call, approved } = decision;
    const waiting = open.get(call);
    open.delete(call); // at once: the next validator sees it
    waiting?.decide(decision);
    return { call, approved };
  });

  const tell = async (call: ToolCall): Promise<void> => {
    if (askAt === undefined) return;
    const answerTo = `/v1/instances/${ctx.instanceId}/calls/decide`;
    const body = { call: call.id, tool: call.function, answerTo };
    try {
      await ctx.call(post, { url: askAt, body }, { key: call.id });
    } catch (error) {
      if (!isWaymarkError(error, "ACTIVITY_FAILED")) throw error;
      ctx.log("nobody could be told of a call to decide", { call: call.id });
    }
  };

  return {
    waiting: () => [...open.values()].map(({ call }) => call),
    /** What a person decides; null where nobody does in time. */
    decided: async (call: ToolCall): Promise<Decision | null> => {
      const decision = new Promise<Decision>((decide) => open.set(call.id, { call, decide }));
      changed();
      await tell(call);
      const { winner, value } = await ctx.race({
        decided: () => decision,
        late: (signal) => ctx.sleep(approvalHours * 3_600_000, { key: call.id, signal }),
      });
      open.delete(call.id);
      changed();
      return winner === "decided" ? value : null;
    },
  };
}
