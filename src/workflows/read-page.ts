/** Chaining: each activity works on what the one before returned, and none runs twice once it is done. */
import { z } from "zod";
import { activity } from "../core/activity.ts";
import { workflow } from "../core/workflow.ts";
import { download, type Page, post } from "./web.ts";

/** What is told about a page. */
export interface Outline {
  readonly url: string;
  readonly title: string | null;
  readonly words: number;
  readonly links: readonly string[];
}

const MOST_LINKS = 100;

const inputSchema = z.strictObject({
  url: z.url(),
  /** Where the outline is sent. */
  report: z.url().optional(),
});

export const outline = activity("Outline", ({ url, text }: Page): Outline => {
  const plain = text.replace(/<(script|style)\b[\s\S]*?<\/\1>/gi, " ").replace(/<[^>]*>/g, " ");
  const hrefs = Array.from(text.matchAll(/<a\s[^>]*href="([^"]+)"/gi), ([, href]) => href ?? "");
  const links = hrefs.flatMap((href) => (URL.canParse(href, url) ? [new URL(href, url).href] : []));
  return {
    url,
    title: /<title[^>]*>([^<]*)<\/title>/i.exec(text)?.[1]?.trim() ?? null,
    words: plain.split(/\s+/).filter((word) => word !== "").length,
    links: [...new Set(links)].slice(0, MOST_LINKS),
  };
});

/** Reads a page, outlines it, and sends the outline on. */
export const readPage = workflow(
  "ReadPage",
  { input: inputSchema },
  async (ctx, { url, report }): Promise<Outline> => {
    const page = await ctx.call(download, url);
    const found = await ctx.call(outline, page);
    if (report !== undefined) await ctx.call(post, { url: report, body: found });
    return found;
  },
);
