/** Fan-out and fan-in: many activities at once, each known by its key, and one result of all. */
import { z } from "zod";
import { workflow } from "../core/workflow.ts";
import { probe } from "./web.ts";

/** Which of the links answer, and what came of the others. */
export interface LinkReport {
  readonly working: readonly string[];
  readonly broken: readonly { readonly url: string; readonly reason: string }[];
}

const inputSchema = z.strictObject({
  urls: z.array(z.url().max(256)).min(1).max(1_000),
});

/** Asks all links at once. One that fails spoils nothing: its failure is part of the report. */
export const checkLinks = workflow(
  "CheckLinks",
  { input: inputSchema },
  async (ctx, { urls }): Promise<LinkReport> => {
    const links = [...new Set(urls)];
    const found = await Promise.all(
      // The key makes a step of its own of each link, wherever it stands in the list.
      links.map((url) =>
        ctx.call(probe, url, { key: url }).then(
          (status) => ({ url, reason: status < 400 ? null : `it answered ${status}` }),
          (error: Error) => ({ url, reason: error.message }),
        ),
      ),
    );
    return {
      working: found.flatMap(({ url, reason }) => (reason === null ? [url] : [])),
      broken: found.flatMap(({ url, reason }) => (reason === null ? [] : [{ url, reason }])),
    };
  },
);
