/** The `signal` of a step: what the code sees when it cancels one, live and on a replay. */
import { describe, expect, test } from "vitest";
import type { WorkflowContext } from "../../src/core/context.ts";
import { CancelledError } from "../../src/core/failure.ts";
import { completion, driving, named } from "./driving.ts";

const a = named("A");
const b = named("B");

/** Calls A and B and cancels B when A is back. */
async function cancelling(ctx: WorkflowContext) {
  const controller = new AbortController();
  const cancelled = ctx.call(b, undefined, { signal: controller.signal });
  await ctx.call(a, undefined);
  controller.abort();
  return cancelled.catch((error: unknown) => error);
}

const outputOf = ({ driver }: ReturnType<typeof driving>) =>
  driver.end !== undefined && "output" in driver.end ? driver.end.output : driver.end;

test("a step whose signal aborts is rejected at once, and named", async () => {
  const run = driving(cancelling);
  run.driver.feed(completion({ seq: 1, step: "A" }));
  await run.deliverAll();
  const error = outputOf(run);
  expect(error).toBeInstanceOf(CancelledError);
  expect(error).toMatchObject({ code: "CANCELLED", step: "B", retryable: false });
  expect(run.driver.takeCancelled()).toEqual(["B"]);
  expect(run.driver.takeCancelled()).toEqual([]);
});

test("a result recorded after the one that cancelled its step is never delivered", async () => {
  const history = [
    { seq: 1, step: "A" },
    { seq: 2, step: "B", result: "too late" },
  ];
  const run = driving(cancelling, { history });
  await run.deliverAll();
  expect(outputOf(run)).toBeInstanceOf(CancelledError);
});

test("a result recorded before it is delivered, and the abort means nothing any more", async () => {
  const history = [
    { seq: 1, step: "B", result: "in time" },
    { seq: 2, step: "A" },
  ];
  const run = driving(cancelling, { history });
  await run.deliverAll();
  expect(outputOf(run)).toBe("in time");
  expect(run.driver.takeCancelled()).toEqual([]);
});

test("the time and random numbers know nothing of a result that was set aside", async () => {
  const drawing = async (ctx: WorkflowContext) => {
    await cancelling(ctx);
    await ctx.call(a, undefined);
    return [ctx.now.getTime(), ctx.random(), ctx.uuid()];
  };
  const told = async (history: Parameters<typeof completion>[0][]) => {
    const run = driving(drawing, { history });
    await run.deliverAll();
    return outputOf(run);
  };
  const last = { seq: 3, step: "A#2" };
  const without = await told([{ seq: 1, step: "A" }, last]);
  expect(await told([{ seq: 1, step: "A" }, { seq: 2, step: "B" }, last])).toEqual(without);
});

describe("a step that is asked for with an aborted signal", () => {
  const aborted = AbortSignal.abort();

  test("is rejected at once, whatever its kind", async () => {
    const codes = async (ctx: WorkflowContext) => {
      const asked = [
        ctx.call(a, undefined, { signal: aborted }),
        ctx.run("inline", () => 1, { signal: aborted }),
        ctx.sleep(5, { signal: aborted }),
        ctx.sleepUntil(new Date(0), { signal: aborted }),
        ctx.waitForEvent("go", { signal: aborted }),
      ];
      const ends = await Promise.allSettled(asked);
      return ends.map((end) => end.status === "rejected" && end.reason.code);
    };
    const run = driving(codes);
    await run.deliverAll();
    expect(outputOf(run)).toEqual(Array(5).fill("CANCELLED"));
    const steps = ["A", "inline", "sleep", "sleepUntil", "go"];
    expect(run.driver.takeAsked().map(({ identity }) => identity)).toEqual(steps);
    expect(run.driver.takeCancelled()).toEqual(steps);
  });

  test("counts, so that the next of its name is the second", async () => {
    const twice = async (ctx: WorkflowContext) => {
      await ctx.call(a, undefined, { signal: aborted }).catch(() => {});
      return ctx.call(a, undefined);
    };
    const run = driving(twice, { history: [{ seq: 1, step: "A#2", result: "second" }] });
    await run.deliverAll();
    expect(outputOf(run)).toBe("second");
  });

  test("uses up its key", async () => {
    const twice = async (ctx: WorkflowContext) => {
      await ctx.call(a, undefined, { key: "k", signal: aborted }).catch(() => {});
      return ctx.call(a, undefined, { key: "k" });
    };
    const run = driving(twice);
    await run.deliverAll();
    expect(run.driver.end).toMatchObject({ ok: false, error: { code: "STEP_KEY_REUSED" } });
  });

  test("is still compared with what is recorded of it", async () => {
    const run = driving((ctx) => ctx.sleep(5, { signal: aborted }), {
      open: [{ seq: 0, step: "sleep", kind: "event" }],
    });
    await run.deliverAll();
    expect(run.driver.divergence).toMatchObject({ code: "NONDETERMINISM" });
  });

  test("does not get a result that was set aside before", async () => {
    const late = async (ctx: WorkflowContext) => {
      await ctx.call(a, undefined);
      return ctx.call(b, undefined, { signal: aborted });
    };
    const history = [
      { seq: 1, step: "B" },
      { seq: 2, step: "A" },
    ];
    const run = driving(late, { history });
    await run.deliverAll();
    expect(run.driver.end).toMatchObject({ ok: false, error: { code: "CANCELLED" } });
  });
});

test("a belated result whose step is cancelled before its turn is not delivered", async () => {
  const late = async (ctx: WorkflowContext) => {
    const controller = new AbortController();
    await ctx.call(a, undefined);
    const asked = ["B", "B#2"].map(() => ctx.call(b, undefined, { signal: controller.signal }));
    await asked[0];
    controller.abort();
    return asked[1]?.catch((error: unknown) => error);
  };
  const history = [
    { seq: 1, step: "B" },
    { seq: 2, step: "B#2" },
    { seq: 3, step: "A" },
  ];
  const run = driving(late, { history });
  await run.deliverAll();
  expect(outputOf(run)).toBeInstanceOf(CancelledError);
});

test("steps of one signal are cancelled in the order of their asks", async () => {
  const order: string[] = [];
  const all = async (ctx: WorkflowContext) => {
    const { signal, abort } = controllerOf();
    for (const key of ["1", "2", "3"]) {
      ctx.call(b, undefined, { key, signal }).catch(() => order.push(key));
    }
    await ctx.call(a, undefined);
    abort();
    order.push("aborted");
  };
  const run = driving(all, { history: [{ seq: 1, step: "A" }] });
  await run.deliverAll();
  expect(order).toEqual(["aborted", "1", "2", "3"]);
});

function controllerOf() {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}

test("ten thousand steps on one signal come and go in linear time", async () => {
  const count = 10_000;
  const many = async (ctx: WorkflowContext) => {
    const { signal } = controllerOf();
    const calls = Array.from({ length: count }, () => ctx.call(b, undefined, { signal }));
    return (await Promise.all(calls)).length;
  };
  const history = Array.from({ length: count }, (_, index) => {
    return { seq: index + 1, step: index === 0 ? "B" : `B#${index + 1}` };
  });
  const run = driving(many, { history });
  await run.deliverAll();
  expect(outputOf(run)).toBe(count);
}, 10_000);

test("an abort that no result led to counts as code that goes on by itself", async () => {
  const { signal, abort } = controllerOf();
  let strayed = 0;
  const run = driving((ctx) => ctx.call(a, undefined, { signal }).catch(() => {}), {
    strayed: () => strayed++,
  });
  await run.settle();
  run.driver.rest();
  abort();
  expect(strayed).toBe(1);
});

test("a stage that would pass its status through is refused as a step is", async () => {
  const status = {
    lastProcessedId: "9",
    processingStatus: "Complete",
    processingStage: "A",
    lastUpdated: "2026-01-01T00:00:00.000Z",
  };
  const run = driving((ctx) => ctx.call(a, status, { signal: AbortSignal.abort() }), {
    stages: ["A"],
  });
  await run.deliverAll();
  expect(run.driver.end).toMatchObject({ ok: false, error: { code: "CANCELLED" } });
});
