/** `ctx.map` on the real engine: many items, few at a time, through crashes. */
import { expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import { workflow } from "../../src/core/workflow.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { type CrashPoint, crashesAt, ID, ran, started } from "./harness.ts";
import { upTo } from "./records.ts";

const retry = { maxAttempts: 1 };

/** Doubles items, each in ten milliseconds, and counts how many it does at once. */
function doubling(options: { concurrency?: number; tolerate?: number; failing?: number }) {
  const clock = new VirtualClock();
  const runs: number[] = [];
  let open = 0;
  let most = 0;
  const double = activity("Double", { retry }, async (item: number, ctx) => {
    runs.push(item);
    most = Math.max(most, ++open);
    await clock.sleep(10);
    open--;
    if (item === options.failing && !ctx.signal.aborted) throw new Error("no");
    return item * 2;
  });
  const { concurrency, tolerate } = options;
  const flow = workflow("Doubling", async (ctx, items: number[]): Promise<unknown> => {
    if (tolerate === undefined) return ctx.map(items, double, { concurrency });
    const entries = await ctx.map(items, double, { concurrency, tolerate });
    return entries.map(({ status }) => status);
  });
  return { clock, flow, runs, most: () => most };
}

test("a thousand items in one map come back in their order, through a crash in the middle", async () => {
  const { clock, flow, runs, most } = doubling({});
  const begun = clock.now();
  const object = started(flow, upTo(1_000), { clock });
  await object.run(begun + 55);
  object.crash();
  await object.run();
  const { status, output, completedAt } = object.commands.get(ID);
  expect(status).toBe("Completed");
  expect(output).toEqual(upTo(1_000).map((item) => item * 2));
  // In lanes of 100: each item once, but for those that ran when the object was lost.
  expect(most()).toBeLessThanOrEqual(200);
  expect(runs.length).toBeLessThanOrEqual(1_100);
  expect(Date.parse(completedAt ?? "") - begun).toBeLessThan(5_000);
}, 20_000);

test("no more than its concurrency run at a time", async () => {
  const { clock, flow, most } = doubling({ concurrency: 3 });
  const { document } = await ran(flow, upTo(20), { clock });
  expect(document.output).toEqual(upTo(20).map((item) => item * 2));
  expect(most()).toBe(3);
});

test("a failure stops what runs, and nothing more is begun", async () => {
  const { clock, flow, runs } = doubling({ concurrency: 4, failing: 2 });
  const { object, document } = await ran(flow, upTo(100), { clock });
  expect(document).toMatchObject({ status: "Failed", error: { code: "ACTIVITY_FAILED" } });
  expect(runs.length).toBeLessThanOrEqual(5);
  expect(object.memory.steps).toEqual([]);
});

test("a crash at any commit of a map that tolerates a failure changes nothing", async () => {
  const end = async (points: readonly CrashPoint[]) => {
    const { clock, flow } = doubling({ concurrency: 2, tolerate: 1, failing: 3 });
    const faults = crashesAt(...points);
    const { object, document } = await ran(flow, upTo(6), { clock, faults });
    return { commits: object.commits, output: document.output };
  };
  const undisturbed = await end([]);
  const entries = upTo(6).map((item) => (item === 3 ? "rejected" : "fulfilled"));
  expect(undisturbed.output).toEqual(entries);
  for (let commit = 2; commit <= undisturbed.commits; commit++) {
    for (const when of ["before", "after"] as const) {
      expect((await end([{ commit, when }])).output, `${when} ${commit}`).toEqual(entries);
    }
  }
});
