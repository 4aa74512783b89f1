/** Retries, read from a log as Wrangler writes it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { retriesIn } from "../../chaos/worker-log.ts";

test("retries are found between Wrangler's own lines, and in its decoration", () => {
  const folder = mkdtempSync(join(tmpdir(), "waymark-log-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const logFile = join(folder, "server.log");
  const event = (name: string) =>
    JSON.stringify({ event: name, instance: "chain-1", nextAttemptAt: "2026-01-01T00:00:00.000Z" });
  const lines = [
    "[wrangler:info] Ready on http://127.0.0.1:1 {}",
    `\u001b[33mWARNING\u001b[0m \u001b[1m${event("attempt.failed")}\u001b[0m`,
    event("step.failed"),
    event("attempt.failed").slice(0, -10), // cut by a kill
  ];
  writeFileSync(logFile, lines.join("\n"));
  expect(retriesIn(logFile)).toEqual([
    { instance: "chain-1", dueAt: Date.parse("2026-01-01T00:00:00.000Z") },
  ]);
});
