/**
 * The workflows of the stored histories. They never change: their histories are what instances out
 * there have in their rows, and all later code must replay them. A new shape of history gets a new
 * workflow, and is recorded with `npm run record-histories -- NAME`.
 */
import { type ActivityStatus, activity, workflow } from "../../src/definitions.ts";

const quick = activity("Quick", (value: unknown) => value);

const flaky = activity(
  "Flaky",
  { retry: { maxAttempts: 4, firstInterval: 50, backoff: 1 } },
  (failures: number, ctx) => {
    if (ctx.attempt <= failures) throw new RangeError(`failure ${ctx.attempt}`);
    return `after ${failures}`;
  },
);

const slow = activity("Slow", async (millis: number) => {
  await new Promise((resolve) => setTimeout(resolve, millis));
  return millis;
});

const records = activity("Records", async (total: number, ctx) => {
  const after = ctx.status.lastProcessedId;
  for (let id = after === "initialId" ? 1 : Number(after) + 1; id <= total; id++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    await ctx.checkpoint(id, { done: id, total });
  }
  return total;
});

const stage = (name: string) =>
  activity(name, async (_status: ActivityStatus, ctx): Promise<ActivityStatus> => {
    await ctx.checkpoint(`${name} 1`);
    return ctx.status;
  });
const [first, second] = [stage("First"), stage("Second")];

/** Every kind of value, and draws of random numbers. */
export const values = workflow("Values", async (ctx) => {
  const date = await ctx.call(quick, new Date(Date.UTC(2026, 1, 3)));
  const map = await ctx.call(quick, new Map([["a", new Set([1, 2])]]));
  const falsy = [];
  for (const value of [0, "", false, null, undefined]) falsy.push(await ctx.call(quick, value));
  const big = await ctx.call(quick, {
    big: 12345678901234567890n,
    bytes: new Uint8Array([1, 255]),
  });
  const drawn = [ctx.random(), ctx.uuid(), ctx.uuid()];
  await ctx.sleep(30);
  return { date, map, falsy, big, drawn, again: ctx.random(), at: ctx.now };
});

/** Failures that are caught, retries, a keyed fan-out, a chain. */
export const failures = workflow("Failures", async (ctx) => {
  const after = await ctx.call(flaky, 2);
  const caught = await ctx.call(flaky, 9).catch((error: Error) => error.message);
  const keyed = await Promise.all(
    ["x", "y", "z"].map((key) => ctx.call(quick, `of ${key}`, { key })),
  );
  let count = 0;
  for (let index = 0; index < 20; index++) {
    count += await ctx.run("count", () => 1);
  }
  return [after, caught, keyed, count];
});

/** Races, timeouts, events that come early and late, and what is left open. */
export const races = workflow("Races", async (ctx) => {
  const won = await Promise.race([
    ctx.call(slow, 400).then(() => "slow"),
    ctx.sleep(20).then(() => "sleep"),
  ]);
  const early = await ctx.waitForEvent("early");
  const late = await ctx
    .waitForEvent("never", { timeout: 30 })
    .catch((error: Error) => error.message);
  const settled = await Promise.allSettled([ctx.call(flaky, 9), ctx.call(slow, 10), ctx.sleep(5)]);
  void ctx.sleep("1 day");
  return [won, early, late, settled.map(({ status }) => status)];
});

/** The resilient workflow, and an activity that is killed in its middle. */
export const staged = workflow(
  "StagedRecords",
  { stages: [first, second] },
  async (ctx, input: ActivityStatus) => {
    const moved = await ctx.call(records, 120);
    const one = await ctx.call(first, input);
    const two = await ctx.call(second, one);
    return [moved, two.processingStage, two.lastProcessedId];
  },
);

/** One that fails. */
export const failing = workflow("Failing", async (ctx) => {
  await ctx.call(quick, "before");
  await ctx.call(flaky, 9);
});

/** One that still waits when it is exported, with an event nobody has taken. */
export const waiting = workflow("Waiting", async (ctx) => {
  await ctx.call(quick, "before");
  const go = await Promise.race([ctx.waitForEvent("go"), ctx.sleep("30 days")]);
  return await ctx.call(quick, go);
});

/** Rounds of one life: the last one is what is left, with an event that an earlier one did not take. */
export const rounds = workflow(
  "Rounds",
  async (ctx, input: { readonly round: number; readonly seen: readonly unknown[] } | undefined) => {
    const { round, seen } = input ?? { round: 1, seen: [] };
    const got = await ctx.call(quick, { round, drawn: ctx.uuid() });
    await ctx.sleep(200);
    const all = [...seen, got];
    if (round < 4) return ctx.continueAsNew({ round: round + 1, seen: all });
    return [...all, await ctx.waitForEvent("kept")];
  },
);

export const HISTORY_WORKFLOWS = [values, failures, races, staged, failing, waiting, rounds];
