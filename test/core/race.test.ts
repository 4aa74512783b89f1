import { describe, expect, test } from "vitest";
import type { WorkflowContext } from "../../src/core/context.ts";
import { driving, named } from "./driving.ts";

const a = named("A");
const b = named("B");

const racing = (ctx: WorkflowContext, signal?: AbortSignal) =>
  ctx.race(
    {
      answer: (signal) => ctx.call(a, undefined, { signal }),
      late: (signal) => ctx.sleep(5, { signal }),
    },
    { signal },
  );

async function endOf(
  run: (ctx: WorkflowContext) => unknown,
  history: Parameters<typeof driving>[1] = {},
) {
  const { driver, deliverAll } = driving(run, history);
  await deliverAll();
  return { end: driver.end, cancelled: driver.takeCancelled(), driver };
}

test("a race comes to the branch that settles first, and cancels the others", async () => {
  const { end, cancelled } = await endOf(racing, { history: [{ seq: 1, step: "A", result: 7 }] });
  expect(end).toEqual({ ok: true, output: { winner: "answer", value: 7 } });
  expect(cancelled).toEqual(["sleep"]);
});

test("a race rejects where the first to settle rejects, and cancels the others", async () => {
  const failure = { type: "Error", message: "no" };
  const { end, cancelled } = await endOf(racing, { history: [{ seq: 1, step: "A", failure }] });
  expect(end).toMatchObject({ ok: false, error: { code: "ACTIVITY_FAILED", failure } });
  expect(cancelled).toEqual(["sleep"]);
});

test("what the winner left open stays open", async () => {
  const leaving = (ctx: WorkflowContext) =>
    ctx.race({
      leaves: async (signal) => {
        void ctx.call(b, undefined, { signal });
        return ctx.call(a, undefined, { signal });
      },
      loses: (signal) => ctx.waitForEvent("go", { signal }),
    });
  const { cancelled } = await endOf(leaving, { history: [{ seq: 1, step: "A" }] });
  expect(cancelled).toEqual(["go"]);
});

test("a branch that needs no step wins, and one that throws fails, before any step ends", async () => {
  const open = (ctx: WorkflowContext) => (signal: AbortSignal) => ctx.sleep(5, { signal });
  const plain = await endOf((ctx) => ctx.race({ plain: () => 1, open: open(ctx) }));
  expect(plain.end).toEqual({ ok: true, output: { winner: "plain", value: 1 } });
  const thrown = await endOf((ctx) =>
    ctx.race({
      throws: () => {
        throw new RangeError("no");
      },
      open: open(ctx),
    }),
  );
  expect(thrown.end).toMatchObject({ ok: false, error: { message: "no" } });
  expect([plain.cancelled, thrown.cancelled]).toEqual([["sleep"], ["sleep"]]);
});

describe("a race in a race", () => {
  const nested = (ctx: WorkflowContext) =>
    ctx.race({
      inner: (signal) => racing(ctx, signal),
      outer: (signal) => ctx.call(b, undefined, { signal }),
    });

  test("is cancelled with all its branches where it loses", async () => {
    const { end, cancelled } = await endOf(nested, { history: [{ seq: 1, step: "B" }] });
    expect(end).toMatchObject({ ok: true, output: { winner: "outer" } });
    expect(cancelled).toEqual(["A", "sleep"]);
  });

  test("wins with what its first branch came to", async () => {
    const { end, cancelled } = await endOf(nested, { history: [{ seq: 1, step: "A", result: 1 }] });
    const value = { winner: "answer", value: 1 };
    expect(end).toEqual({ ok: true, output: { winner: "inner", value } });
    expect(cancelled).toEqual(["sleep", "B"]);
  });

  test("whose signal is aborted from the start asks for its steps, and fails", async () => {
    const { end, driver } = await endOf((ctx) => racing(ctx, AbortSignal.abort()));
    expect(end).toMatchObject({ ok: false, error: { code: "CANCELLED", step: "A" } });
    expect(driver.takeAsked().map(({ identity }) => identity)).toEqual(["A", "sleep"]);
  });
});

test("a race of nobody is refused", async () => {
  const { end } = await endOf((ctx) => ctx.race({}));
  expect(end).toMatchObject({ ok: false, error: { code: "DEFINITION_INVALID" } });
});
