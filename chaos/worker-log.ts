/** What a server's log tells of attempts that are to be made again. */
import { readFileSync } from "node:fs";
import type { Retry } from "./evidence.ts";

/** The retries in a log, in its order. */
export function retriesIn(logFile: string): readonly Retry[] {
  return readFileSync(logFile, "utf8")
    .split("\n")
    .flatMap((line) => {
      const event = eventIn(line);
      if (event?.event !== "attempt.failed") return [];
      const { instance, nextAttemptAt } = event;
      if (typeof instance !== "string" || typeof nextAttemptAt !== "string") return [];
      return [{ instance, dueAt: Date.parse(nextAttemptAt) }];
    });
}

/** Wrangler decorates the lines of warnings, on both sides. */
function eventIn(line: string): Record<string, unknown> | null {
  try {
    const json = line.slice(line.indexOf("{"), line.lastIndexOf("}") + 1);
    return json === "" ? null : (JSON.parse(json) as Record<string, unknown>);
  } catch {
    return null; // a line of Wrangler's own, or one that a kill has cut
  }
}
