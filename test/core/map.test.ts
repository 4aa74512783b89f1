import { describe, expect, test } from "vitest";
import type { WorkflowContext } from "../../src/core/context.ts";
import type { MapStep } from "../../src/core/map.ts";
import { completion, type Done, driving, named } from "./driving.ts";

const a = named("A");
const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);
const failure = { type: "Error", message: "no" };

/** Drives a map by hand: which calls are open, and what it came to. */
function mapping(run: (ctx: WorkflowContext) => unknown, history: readonly Done[] = []) {
  const { driver, settle, deliverAll } = driving(run, { history });
  let seq = history.length;
  return {
    driver,
    deliverAll,
    /** The steps asked for since the last time. */
    asked: async () => {
      await settle();
      return driver.takeAsked().map(({ identity }) => identity);
    },
    end: async (step: string, done: Partial<Done> = {}) => {
      driver.feed(completion({ seq: ++seq, step, ...done }));
      await deliverAll();
    },
  };
}

test("a map returns its results in the order of the items, whatever ends first", async () => {
  const run = mapping((ctx) => ctx.map(["x", "y", "z"], a));
  expect(await run.asked()).toEqual(["A:0", "A:1", "A:2"]);
  for (const index of [2, 0, 1]) await run.end(`A:${index}`, { result: index });
  expect(run.driver.end).toEqual({ ok: true, output: [0, 1, 2] });
});

test("a map of nothing comes to nothing, without a step", async () => {
  const run = mapping((ctx) => ctx.map([], a));
  expect(await run.asked()).toEqual([]);
  expect(run.driver.end).toEqual({ ok: true, output: [] });
});

test("no more calls are open than the map allows, and 100 if it does not say", async () => {
  const few = mapping((ctx) => ctx.map(numbers(4), a, { concurrency: 2 }));
  expect(await few.asked()).toEqual(["A:0", "A:1"]);
  await few.end("A:1");
  expect(await few.asked()).toEqual(["A:2"]);
  const many = mapping((ctx) => ctx.map(numbers(101), a));
  expect(await many.asked()).toHaveLength(100);
});

test("items are known by the keys they are given, and taken as they were when the map began", async () => {
  const items = ["x", "y"];
  const options = { key: (item: string, index: number) => `${item}${index}`, concurrency: 1 };
  const run = mapping(async (ctx) => ctx.map(items, a, options));
  expect(await run.asked()).toEqual(["A:x0"]);
  items.splice(0, 2, "changed", "changed");
  await run.end("A:x0");
  expect(await run.asked()).toEqual(["A:y1"]);
});

test("a second map of the same activity without keys goes on with others", async () => {
  const twice = async (ctx: WorkflowContext) => {
    await ctx.map([1], a);
    await ctx.map([1], a);
  };
  const run = mapping(twice, [{ seq: 1, step: "A:0" }]);
  await run.deliverAll();
  expect(await run.asked()).toEqual(["A:0", "A:2.0"]);
});

describe("a call that fails", () => {
  test("fails the map at once, cancels the others, and asks for nothing more", async () => {
    const run = mapping((ctx) => ctx.map(numbers(9), a, { concurrency: 3 }));
    await run.asked();
    await run.end("A:1", { failure });
    expect(run.driver.end).toMatchObject({ ok: false, error: { step: "A:1", failure } });
    expect(run.driver.takeCancelled()).toEqual(["A:0", "A:2"]);
    expect(await run.asked()).toEqual([]);
  });

  test("is an entry where the map tolerates it", async () => {
    const run = mapping((ctx) => ctx.map(numbers(3), a, { tolerate: 1, concurrency: 1 }));
    await run.end("A:0", { result: "good" });
    await run.end("A:1", { failure });
    await run.end("A:2", { result: undefined });
    expect(run.driver.end).toMatchObject({
      ok: true,
      output: [
        { status: "fulfilled", value: "good" },
        { status: "rejected", reason: { code: "ACTIVITY_FAILED", failure } },
        { status: "fulfilled", value: undefined },
      ],
    });
  });

  test("fails the map where it is one too many", async () => {
    const run = mapping((ctx) => ctx.map(numbers(4), a, { tolerate: 1 }));
    await run.end("A:3", { failure });
    await run.end("A:0", { failure });
    expect(run.driver.end).toMatchObject({ ok: false, error: { step: "A:0" } });
    expect(run.driver.takeCancelled()).toEqual(["A:1", "A:2"]);
  });
});

test("a function may make the call of an item, and its own errors are failures of the item", async () => {
  const each = (item: number, { key, signal }: { key: string; signal: AbortSignal }) => {
    if (item === 1) throw new RangeError("not this one");
    return ctx_.call(a, item, { key: `mine-${key}`, signal });
  };
  let ctx_ = {} as WorkflowContext;
  const run = mapping((ctx) => {
    ctx_ = ctx;
    return ctx.map([0, 1], each, { tolerate: 1 });
  });
  expect(await run.asked()).toEqual(["A:mine-0"]);
  await run.end("A:mine-0", { result: "made" });
  expect(run.driver.end).toMatchObject({
    output: [{ value: "made" }, { reason: { message: "not this one" } }],
  });
});

test("a map whose signal aborts is cancelled, and rejects even where it tolerates failures", async () => {
  const raced = (ctx: WorkflowContext) =>
    ctx
      .race({
        all: (signal) =>
          ctx
            .map(numbers(5), a, { concurrency: 2, tolerate: 5, signal })
            .catch((error) => ctx.log(error.code)),
        late: (signal) => ctx.sleep(5, { signal }),
      })
      .then(({ winner }) => winner);
  const run = mapping(raced);
  await run.asked();
  run.driver.caughtUp();
  await run.end("sleep", { kind: "timer" });
  expect(run.driver.end).toEqual({ ok: true, output: "late" });
  expect(run.driver.takeCancelled()).toEqual(["A:0", "A:1"]);
  expect(run.driver.takeLogs()).toMatchObject([{ message: "CANCELLED" }]);
});

test.each([{ concurrency: 0 }, { concurrency: 1.5 }, { tolerate: -1 }, { tolerate: Number.NaN }])(
  "a map with %o is refused",
  async (options) => {
    const run = mapping((ctx) => ctx.map([1], a, options as { tolerate: number }));
    await run.deliverAll();
    expect(run.driver.end).toMatchObject({ ok: false, error: { code: "DEFINITION_INVALID" } });
  },
);

test("a cancelled map takes no further item, also where its function handles that", async () => {
  const run = mapping(async (ctx) => {
    const controller = new AbortController();
    const calm = (item: number, step: MapStep) => ctx.call(a, item, step).catch(() => null);
    const options = { concurrency: 1, signal: controller.signal };
    const mapped = ctx.map(numbers(5), calm, options);
    await ctx.call(named("B"), undefined);
    controller.abort();
    return mapped.then(
      () => "resolved",
      (error) => error.code,
    );
  });
  expect(await run.asked()).toEqual(["A:0", "B"]);
  await run.end("B");
  expect(await run.asked()).toEqual([]);
  expect(run.driver.end).toEqual({ ok: true, output: "CANCELLED" });
});

test("a thousand items with a few lanes replay in linear time, to the same results", async () => {
  const history = numbers(1_000).map((index) => {
    return { seq: index + 1, step: `A:${index}`, result: index };
  });
  const run = mapping((ctx) => ctx.map(numbers(1_000), a, { concurrency: 7 }), history);
  await run.deliverAll();
  expect(run.driver.end).toEqual({ ok: true, output: numbers(1_000) });
});
