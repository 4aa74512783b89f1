/** The crash explorer on a workflow and its children, which are lost at their own points as well. */
import { expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import { workflow } from "../../src/core/workflow.ts";
import { explore } from "../../src/testing/explore.ts";
import { type MockContext, mock } from "../../src/testing/mock.ts";

const pack = activity("Pack", (_: string): string => {
  throw new Error("the real warehouse is not for tests");
});
const parcel = workflow("Parcel", async (ctx, what: string) => {
  const packed = await ctx.call(pack, what);
  return [packed, await ctx.waitForEvent<string>("collected")];
});
const order = workflow("Order", async (ctx, items: readonly string[]) => {
  const call = (item: string) => ctx.call(parcel, item, { id: `parcel-${item}`, key: item });
  return Promise.all(items.map(call));
});

const ITEMS = ["chair", "table"];
const events = ITEMS.map((item) => ({
  to: `parcel-${item}`,
  name: "collected",
  payload: `by the carrier of the ${item}`,
  afterMillis: 3_600_000,
}));

const packing = (keyed: boolean) =>
  mock(pack, (what: string, ctx: MockContext) => {
    ctx.effect(`packed a ${what}`, keyed ? { key: ctx.idempotencyKey } : {});
    return what;
  });

test("a workflow and its children are crash-proof, at the points of each of them", async () => {
  const found = await explore(order, ITEMS, {
    workflows: [parcel],
    activities: [packing(true)],
    events,
  });
  expect(found.failures, found.report).toEqual([]);
  const alone = await explore(parcel, "chair", {
    activities: [packing(true)],
    events: [{ name: "collected", afterMillis: 3_600_000 }],
  });
  expect(found.points).toBeGreaterThan(2 * alone.points);
});

test("an activity of a child that is not idempotent is found, and the child is named", async () => {
  const found = await explore(order, ITEMS, {
    workflows: [parcel],
    activities: [packing(false)],
    events,
  });
  const stories = found.failures.map(({ fault, differences }) => [fault, ...differences]);
  for (const item of ITEMS) {
    expect(stories).toContainEqual([
      `a crash of "parcel-${item}" right after the effect "packed a ${item}"`,
      `the effect "packed a ${item}" happened 2 times, and otherwise once`,
    ]);
  }
  expect(found.report).toContain("parcel-chair  CRASH right after the effect");
});

test("a clock in the code of a child is found, and the child is named", async () => {
  const restless = workflow("Restless", (ctx) => ctx.sleep(Date.now() - Date.UTC(2026, 0)));
  const calling = workflow("Calling", async (ctx) => {
    await ctx.call(restless, undefined, { id: "restless" });
  });
  const { failures, report } = await explore(calling, undefined, {
    workflows: [restless],
  });
  expect(failures.length, report).toBeGreaterThan(0);
  expect(report).toContain('a replay of what was recorded by "restless" does not fit');
});

test("a child that is not among the workflows fails its parent, in every run alike", async () => {
  const found = await explore(order, ITEMS, { activities: [packing(true)] });
  expect(found.failures, found.report).toEqual([]);
});

test("a child that its parent abandoned is lost at its points too", async () => {
  const leaving = workflow("Leaving", async (ctx) => {
    await ctx.start(parcel, "chair", { id: "parcel-chair" });
  });
  const found = await explore(leaving, undefined, {
    workflows: [parcel],
    activities: [packing(false)],
    events,
  });
  expect(found.failures.map(({ fault }) => fault)).toContain(
    'a crash of "parcel-chair" right after the effect "packed a chair"',
  );
});
