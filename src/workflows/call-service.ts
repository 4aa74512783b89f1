/** Durable HTTP: hands work to a service that says 202, and waits for its end for as long as it takes. */
import { z } from "zod";
import { workflow } from "../core/workflow.ts";

/** What the service answered in the end. */
export interface ServiceAnswer {
  /** The address that gave it: that of the result, where the service has one. */
  readonly url: string;
  readonly status: number;
  /** Its JSON, or its text where it is none. */
  readonly answer: unknown;
}

const inputSchema = z.strictObject({
  url: z.url({ protocol: /^https?$/ }),
  work: z.json(),
  /** How often it is asked where it does not say by itself. */
  everySeconds: z.int().min(1).max(86_400).default(30),
  forHours: z.int().min(1).max(720).default(48),
});

/** Sends the work once, whatever is lost on the way, and returns what became of it. */
export const callService = workflow(
  "CallService",
  { input: inputSchema },
  async (ctx, { url, work, everySeconds, forHours }): Promise<ServiceAnswer> => {
    const answer = await ctx.fetch(url, {
      method: "POST",
      json: work,
      poll: { interval: everySeconds * 1_000, timeout: forHours * 3_600_000 },
    });
    return { url: answer.url, status: answer.status, answer: parsed(answer.body) };
  },
);

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return body;
  }
}
