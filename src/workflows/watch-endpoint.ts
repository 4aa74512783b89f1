/** Monitor: looks again and again, costs nothing in between, and ends by itself. */
import { z } from "zod";
import { workflow } from "../core/workflow.ts";
import { post, probe } from "./web.ts";

/** How a watch ended. */
export interface WatchReport {
  readonly recovered: boolean;
  readonly looks: number;
  readonly lastStatus: number | null;
}

const inputSchema = z.strictObject({
  url: z.url(),
  everySeconds: z.int().min(1).max(86_400).default(60),
  forMinutes: z.int().min(1).max(43_200).default(60),
  /** Told once how the watch ended. */
  report: z.url().optional(),
});

/** Watches an address until it answers well, or the time is over. */
export const watchEndpoint = workflow(
  "WatchEndpoint",
  { input: inputSchema },
  async (ctx, { url, everySeconds, forMinutes, report }): Promise<WatchReport> => {
    const end = ctx.now.getTime() + forMinutes * 60_000; // not Date.now(): a replay would move it
    let looks = 0;
    let lastStatus: number | null = null;
    while (ctx.now.getTime() < end) {
      looks++;
      lastStatus = await ctx.call(probe, url).catch(() => null);
      if (lastStatus !== null && lastStatus < 400) break;
      await ctx.sleep(everySeconds * 1_000);
    }
    const recovered = lastStatus !== null && lastStatus < 400;
    const found = { recovered, looks, lastStatus };
    if (report !== undefined) await ctx.call(post, { url: report, body: { url, ...found } });
    return found;
  },
);
