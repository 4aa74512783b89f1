import { describe, expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import { CancelledError } from "../../src/core/failure.ts";
import { workflow } from "../../src/core/workflow.ts";
import { checkHistory } from "../../src/engine/check-history.ts";
import { InProcessObject } from "../../src/testing/in-process-object.ts";
import { ask } from "../../src/testing/network.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { codeOf } from "../core/thrown.ts";
import { crashesAt, ID, startCommand, started } from "./harness.ts";

const cancel = (object: InProcessObject, reason: string | null = null) =>
  ask(object, (commands) => commands.cancel(ID, { reason }));
const read = (object: InProcessObject) => object.commands.get(ID);
const items = (object: InProcessObject) => object.commands.history(ID, null, 99).items;
const later = (object: InProcessObject, millis: number) => object.run(object.clock.now() + millis);

const refund = activity("Refund", (order: string) => `refunded ${order}`);

/** It waits in three ways at once, and cleans up. */
const order = workflow("Order", async (ctx) => {
  const seen: string[] = [];
  ctx.signal.addEventListener("abort", () => seen.push("aborted"));
  const note = (what: string) => (error: unknown) => {
    const by = error instanceof CancelledError ? error.by : error;
    seen.push(`${what} ${by} ${ctx.signal.aborted}`);
  };
  try {
    await Promise.all([
      ctx.sleep("1 day").catch(note("sleep")),
      ctx.waitForEvent("paid").catch(note("wait")),
    ]);
    await ctx.sleep("1 hour"); // asked for after the request: it runs
    return [...seen, await ctx.call(refund, "order 1")];
  } finally {
    seen.push("over");
  }
});

const SEEN = ["aborted", "sleep request true", "wait request true", "refunded order 1"];

describe("a cancelled instance", () => {
  test("gets a CancelledError at each open step, once, and may clean up with further ones", async () => {
    const object = started(order);
    await later(object, 1_000);
    expect(cancel(object, "the customer called").status).toBe("Running");
    await later(object, 1_000);
    expect(read(object)).toMatchObject({
      status: "Running",
      waitingFor: [{ kind: "timer", step: "sleep#2" }],
    });
    object.crash();
    await object.run();
    expect(read(object)).toMatchObject({
      status: "Completed",
      output: SEEN,
    });
    const steps = items(object).map(({ step, kind, state, result }) => [step, kind, state, result]);
    expect(steps).toContainEqual(["(cancel)", "cancel", "done", "the customer called"]);
    expect(steps).toContainEqual(["sleep", "timer", "cancelled", null]);
  });

  test("is Terminated, with the reason, where its code lets the error through", async () => {
    const object = started(workflow("Obedient", (ctx) => ctx.sleep("1 day")));
    await later(object, 1_000);
    cancel(object, "no longer wanted");
    await later(object, 1);
    expect(read(object)).toMatchObject({
      status: "Terminated",
      error: { type: "CancelledError", message: "no longer wanted", code: "CANCELLED" },
    });
    expect(cancel(object).status).toBe("Terminated");
  });

  test("is Failed where its code throws another error instead", async () => {
    const object = started(
      workflow("Stubborn", (ctx) =>
        ctx.sleep("1 day").catch(() => Promise.reject(new Error("not now"))),
      ),
    );
    await later(object, 1_000);
    cancel(object);
    await later(object, 1);
    expect(read(object)).toMatchObject({ status: "Failed", error: { message: "not now" } });
    expect(codeOf(() => object.commands.cancel(ID, { reason: null }))).toBe("INSTANCE_TERMINAL");
  });

  test("ends at once where its code has not begun, and its code never runs", async () => {
    const ran: string[] = [];
    const object = started(workflow("Late", () => ran.push("ran")));
    expect(cancel(object)).toMatchObject({ status: "Terminated", error: { code: "CANCELLED" } });
    expect(object.alarm).toBeNull();
    await object.run();
    expect(ran).toEqual([]);
  });

  test("ends at once where it was suspended before its code had begun", async () => {
    const ran: string[] = [];
    const late = workflow("Late", () => ran.push("ran"));
    const object = new InProcessObject({ workflows: [late] });
    const startAt = object.clock.now() + 30 * 86_400_000;
    object.commands.start(startCommand(late, undefined, { startAt }));
    object.commands.suspend(ID, { reason: null });
    expect(cancel(object)).toMatchObject({ status: "Terminated", error: { code: "CANCELLED" } });
    await object.run();
    expect(ran).toEqual([]);
  });

  test("stops the attempts that run, and drops what they bring", async () => {
    const clock = new VirtualClock();
    const reasons: unknown[] = [];
    const work = activity("Work", async (_: undefined, ctx) => {
      ctx.signal.addEventListener("abort", () => reasons.push(ctx.signal.reason.code));
      await clock.sleep(10_000);
      return "late";
    });
    const object = started(
      workflow("Working", async (ctx) => {
        const how = await ctx.call(work).catch((error) => error.code);
        await ctx.sleep("1 hour");
        return how;
      }),
      undefined,
      { clock },
    );
    await later(object, 1_000);
    cancel(object);
    await object.run();
    expect(reasons).toEqual(["CANCELLED"]);
    expect(read(object)).toMatchObject({ status: "Completed", output: "CANCELLED" });
  });

  test("is asked once, however often it is cancelled", async () => {
    const object = started(
      workflow("Twice", async (ctx) => {
        const errors: unknown[] = [];
        for (let round = 0; round < 2; round++) {
          await ctx.sleep("1 day").catch((error) => errors.push(error.message));
        }
        return errors;
      }),
    );
    await later(object, 1_000);
    cancel(object, "first");
    cancel(object, "second");
    await later(object, 1_000);
    cancel(object, "third");
    await object.run();
    expect(read(object).output).toEqual(["first"]);
  });

  test("may say of single steps that they are cancelled with it, whenever they are asked for", async () => {
    const object = started(
      workflow("Linked", async (ctx) => {
        const { signal } = ctx;
        await ctx.sleep("1 day", { signal }).catch(() => {});
        return ctx.sleep("2 days", { signal }).catch((error) => [error.by, error.code]);
      }),
    );
    await later(object, 1_000);
    cancel(object);
    await later(object, 1_000);
    expect(read(object).output).toEqual(["code", "CANCELLED"]);
  });

  test("waits until it is resumed, where it is suspended", async () => {
    const object = started(order);
    await later(object, 1_000);
    object.commands.suspend(ID, { reason: null });
    object.commit();
    expect(cancel(object).status).toBe("Suspended");
    await later(object, 86_400_000 * 2);
    expect(items(object).map(({ state }) => state)).toEqual(["open", "open", "buffered"]);
    object.commands.resume(ID, { reason: null });
    await later(object, 1);
    expect(read(object)).toMatchObject({ waitingFor: [{ step: "sleep#2" }] });
  });

  test("keeps the request over continueAsNew, where its code has not got it", async () => {
    const clock = new VirtualClock();
    const work = activity("Work", () => clock.sleep(10_000));
    const rounds = workflow("Rounds", async (ctx, round: number): Promise<unknown> => {
      if (round === 1) return [round, await ctx.sleep("1 day").catch((error) => error.message)];
      await ctx.call(work);
      return ctx.continueAsNew(round + 1);
    });
    const object = started(rounds, 0, { clock });
    await later(object, 1_000);
    object.commands.suspend(ID, { reason: null });
    await later(object, 20_000); // the result is recorded, and not delivered
    cancel(object, "enough");
    object.commands.resume(ID, { reason: null });
    await object.run();
    expect(read(object)).toMatchObject({ status: "Completed", output: [1, "enough"] });
  });

  test("replays the same, and its history can be checked", async () => {
    const object = started(order);
    await later(object, 1_000);
    cancel(object);
    await object.run();
    const { cursor: _, ...history } = object.commands.export(ID, null, 99);
    expect(await checkHistory(order, history)).toEqual({
      fits: true,
      problem: null,
      unasked: [],
      next: [],
    });
  });
});

test("a map under way asks for no more items, whatever it tolerates; one that cleans up runs", async () => {
  const asked: number[] = [];
  const slow = activity("Slow", (item: number) => item);
  const mapping = workflow("Mapping", async (ctx) => {
    const each = async (item: number) => {
      asked.push(item);
      await ctx.sleep("1 day", { key: `${item}` });
    };
    const options = { concurrency: 2, tolerate: 9 };
    const how = await ctx.map([1, 2, 3, 4], each, options).catch((error) => error.code);
    return [how, await ctx.map([5, 6], slow)];
  });
  const object = started(mapping);
  await later(object, 1_000);
  cancel(object);
  await object.run();
  expect(read(object)).toMatchObject({ status: "Completed", output: ["CANCELLED", [5, 6]] });
  expect(asked).toEqual([1, 2]);
});

describe.each(["before", "after"] as const)("a crash %s a commit", (when) => {
  test.each([2, 3, 4, 5, 6, 7, 8])(
    "number %i: the request reaches the code, once",
    async (commit) => {
      const object = started(order, undefined, { faults: crashesAt({ commit, when }) });
      await later(object, 1_000);
      cancel(object);
      await object.run();
      expect(read(object)).toMatchObject({ status: "Completed", output: SEEN });
      expect(object.crashes).toBe(1);
    },
  );
});
