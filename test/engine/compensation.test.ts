/** What an execution that fails undoes, in which order, and that no crash changes it. */
import { describe, expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import type { UndoneStep } from "../../src/core/compensation.ts";
import { NonRetryableError } from "../../src/core/failure.ts";
import { type AnyWorkflow, workflow } from "../../src/core/workflow.ts";
import { checkHistory } from "../../src/engine/check-history.ts";
import { Cluster, type ClusterOptions } from "../../src/testing/cluster.ts";
import { explore } from "../../src/testing/explore.ts";
import type { Faults } from "../../src/testing/faults.ts";
import { type Mock, mock } from "../../src/testing/mock.ts";
import { atEachCommit, type CrashPoint } from "./harness.ts";

interface Booking {
  readonly number: string;
}

const once = { retry: { maxAttempts: 1 } };
const book = activity("book", once, (what: string): Booking => ({ number: `no. ${what}` }));
const cancel = activity("cancel", (_: UndoneStep<string, Booking>) => {});
const pay = activity("pay", once, (_: number): string => "paid");
const refund = activity("refund", (_: string) => {});

const trip = workflow("Trip", async (ctx, things: readonly string[]) => {
  for (const what of things) await ctx.call(book, what, { undo: cancel });
  return ctx.call(pay, things.length);
});

const broke = mock(pay, () => {
  throw new NonRetryableError("no funds");
});

const losing = ({ commit, when }: CrashPoint): Faults => ({
  crash: (_object, moment) =>
    moment.kind === "commit" && moment.commit === commit && moment.when === when,
});

/** Notes what was undone, and under which keys. */
function ledger() {
  const undone: string[] = [];
  const keys: string[] = [];
  const cancelling = mock(cancel, ({ input }, ctx) => {
    undone.push(input);
    keys.push(ctx.idempotencyKey);
  });
  return { undone, keys, cancelling };
}

async function ran(
  of: AnyWorkflow,
  input: unknown,
  activities: readonly Mock[],
  options: Partial<ClusterOptions> = {},
) {
  const cluster = new Cluster({ workflows: [of], activities, ...options });
  const instance = await cluster.start(of, input, { id: "trip" });
  await cluster.run();
  return { cluster, instance };
}

describe("an execution that fails", () => {
  test("undoes its steps, the last one first, and ends with its own error", async () => {
    const { undone, cancelling } = ledger();
    const { instance } = await ran(trip, ["flight", "hotel", "car"], [broke, cancelling]);
    expect(undone).toEqual(["car", "hotel", "flight"]);
    expect(instance.document()).toMatchObject({
      status: "Failed",
      error: { code: "ACTIVITY_FAILED", cause: { message: "no funds" } },
    });
    expect(instance.history().map(({ step, state }) => `${step} ${state}`)).toEqual([
      "book done",
      "book#2 done",
      "book#3 done",
      "pay failed",
      "undo/book#3 done",
      "undo/book#2 done",
      "undo/book done",
    ]);
    expect(await checkHistory(trip, instance.export())).toMatchObject({ fits: true, unasked: [] });
  });

  test("tells each undo what was asked, what came of it, and why it is undone", async () => {
    const told: unknown[] = [];
    const { instance } = await ran(
      trip,
      ["flight"],
      [broke, mock(cancel, (undo) => void told.push(undo))],
    );
    const { executionId } = instance.document();
    expect(told).toMatchObject([
      {
        input: "flight",
        result: { number: "no. flight" },
        step: "book",
        idempotencyKey: `${executionId}:book:0`,
        error: { code: "ACTIVITY_FAILED" },
      },
    ]);
  });

  test("undoes nothing where it returns", async () => {
    const { undone, cancelling } = ledger();
    const { instance } = await ran(trip, ["flight"], [cancelling]);
    expect(instance.output()).toBe("paid");
    expect(undone).toEqual([]);
  });

  test("undoes a step that failed, and one whose failure its code has caught", async () => {
    const told: UndoneStep[] = [];
    const caught = workflow("Caught", async (ctx) => {
      await ctx.call(book, "flight", { undo: cancel }).catch(() => {});
      await ctx.call(book, "hotel", { undo: cancel });
    });
    const failing = mock(book, () => {
      throw new Error("the answer was lost");
    });
    await ran(caught, undefined, [failing, mock(cancel, (undo) => void told.push(undo))]);
    expect(told.map(({ input, result }) => [input, result])).toEqual([
      ["hotel", undefined],
      ["flight", undefined],
    ]);
  });

  test("undoes what had begun and was not over, once its attempt has settled", async () => {
    const events: string[] = [];
    const both = workflow("Both", (ctx) =>
      Promise.all([ctx.call(book, "hotel", { undo: cancel }), ctx.call(pay, 1)]),
    );
    const slow = mock(book, async (what, ctx) => {
      await ctx.sleep("3 seconds");
      events.push(`booked ${what}`);
      return { number: "late" };
    });
    const failing = mock(pay, async (_, ctx) => {
      await ctx.sleep("1 second");
      throw new Error("no funds");
    });
    const undo = mock(
      cancel,
      ({ input, result }) => void events.push(`cancelled ${input} ${result}`),
    );
    const { instance } = await ran(both, undefined, [slow, failing, undo]);
    expect(events).toEqual(["booked hotel", "cancelled hotel undefined"]);
    expect(instance.history().find(({ step }) => step === "book")?.state).toBe("cancelled");
  });

  test("does not undo what had not begun", async () => {
    const { undone, cancelling } = ledger();
    const early = workflow("Early", async (ctx) => {
      void ctx.call(book, "hotel", { undo: cancel });
      const stop = new AbortController();
      stop.abort();
      void ctx.call(book, "car", { undo: cancel, signal: stop.signal });
      throw new Error("changed my mind");
    });
    const { instance } = await ran(early, undefined, [cancelling]);
    expect(undone).toEqual([]);
    expect(instance.document()).toMatchObject({
      status: "Failed",
      error: { message: "changed my mind" },
    });
  });

  test("undoes where the output cannot be stored", async () => {
    const { undone, cancelling } = ledger();
    const odd = workflow("Odd", async (ctx) => {
      await ctx.call(book, "flight", { undo: cancel });
      return () => "no value";
    });
    const { instance } = await ran(odd, undefined, [cancelling]);
    expect(undone).toEqual(["flight"]);
    expect(instance.document()).toMatchObject({
      status: "Failed",
      error: { code: "PAYLOAD_UNSUPPORTED" },
    });
  });

  test("hears no more from its code, whatever that still awaits", async () => {
    const { undone, cancelling } = ledger();
    const called: string[] = [];
    const busy = workflow("Busy", (ctx) => {
      const beside = async () => {
        await ctx.call(book, "hotel", { undo: cancel }).catch(() => ctx.call(refund, "never"));
        await ctx.call(refund, "never either");
      };
      return Promise.all([beside(), ctx.call(pay, 1)]);
    });
    const slow = mock(book, async (_, ctx) => {
      await ctx.sleep("1 hour");
      return { number: "late" };
    });
    await ran(busy, undefined, [
      slow,
      broke,
      cancelling,
      mock(refund, (what) => void called.push(what)),
    ]);
    expect(undone).toEqual(["hotel"]);
    expect(called).toEqual([]);
  });

  test("sends what it had asked to send, though it fails at once", async () => {
    const { undone, cancelling } = ledger();
    const telling = workflow("Telling", async (ctx) => {
      await ctx.call(book, "flight", { undo: cancel });
      void ctx.sendEvent("other", "told", 1);
      throw new Error("as planned");
    });
    const other = workflow("Other", (ctx) => ctx.waitForEvent("told"));
    const cluster = new Cluster({ workflows: [telling, other], activities: [cancelling] });
    const listener = await cluster.start(other, undefined, { id: "other" });
    await cluster.start(telling);
    await cluster.run();
    expect(listener.output()).toBe(1);
    expect(undone).toEqual(["flight"]);
  });
});

describe("an undo", () => {
  test("is tried again as its own definition says, under one idempotency key", async () => {
    const keys: string[] = [];
    const stubborn = mock(cancel, (_, ctx) => {
      keys.push(ctx.idempotencyKey);
      if (ctx.attempt < 3) throw new Error("not yet");
    });
    const { instance } = await ran(trip, ["flight"], [broke, stubborn]);
    const { executionId } = instance.document();
    expect(keys).toEqual([1, 2, 3].map(() => `${executionId}:undo%2Fbook:0`));
    expect(instance.document()).toMatchObject({ error: { code: "ACTIVITY_FAILED" } });
  });

  test("that fails keeps no other from being made, and is told of with the error", async () => {
    const { undone, cancelling } = ledger();
    const stuck = mock(cancel, (undo, ctx) => {
      if (undo.input === "hotel") throw new NonRetryableError("the hotel does not answer");
      return cancelling.run(undo, ctx);
    });
    const { instance } = await ran(trip, ["flight", "hotel", "car"], [broke, stuck]);
    expect(undone).toEqual(["car", "flight"]);
    expect(instance.document()).toMatchObject({
      status: "Failed",
      error: {
        type: "CompensationFailedError",
        code: "COMPENSATION_FAILED",
        properties: {
          count: 1,
          notUndone: [
            { step: "book#2", message: expect.stringContaining("the hotel does not answer") },
          ],
        },
        cause: { code: "ACTIVITY_FAILED", cause: { message: "no funds" } },
      },
    });
  });

  test("lists the first ten that failed, and counts them all", async () => {
    const many = Array.from({ length: 12 }, (_, index) => `thing ${index}`);
    const stuck = mock(cancel, () => {
      throw new NonRetryableError("x".repeat(1_000));
    });
    const { instance } = await ran(trip, many, [broke, stuck]);
    const { properties } = instance.document().error ?? {};
    expect(properties).toMatchObject({ count: 12 });
    const { notUndone } = properties as unknown as { notUndone: { message: string }[] };
    expect(notUndone).toHaveLength(10);
    expect(notUndone[0]?.message).toHaveLength(200);
  });
});

describe("ctx.onCompensate", () => {
  const mixed = workflow("Mixed", async (ctx) => {
    await ctx.call(book, "flight", { undo: cancel });
    ctx.onCompensate(async (error) => {
      await ctx.sleep("1 minute");
      await ctx.call(refund, (error as Error).message);
    });
    await ctx.call(book, "car", { undo: cancel });
    throw new Error("as planned");
  });

  test("has a function called in its turn, which may ask for steps", async () => {
    const events: string[] = [];
    const { instance } = await ran(mixed, undefined, [
      mock(cancel, ({ input }) => void events.push(input)),
      mock(refund, (why) => void events.push(`refund: ${why}`)),
    ]);
    expect(events).toEqual(["car", "refund: as planned", "flight"]);
    expect(instance.document()).toMatchObject({ error: { message: "as planned" } });
  });

  test("takes the failure of a function as that of an undo", async () => {
    const { undone, cancelling } = ledger();
    const failing = mock(refund, () => {
      throw new NonRetryableError("no");
    });
    const { instance } = await ran(mixed, undefined, [cancelling, failing]);
    expect(undone).toEqual(["car", "flight"]);
    expect(instance.document()).toMatchObject({
      error: { properties: { notUndone: [{ step: "(onCompensate)" }] } },
    });
  });

  test("undoes nothing that a compensation does, and lets none continue as new", async () => {
    const { undone, cancelling } = ledger();
    const deep = workflow("Deep", async (ctx) => {
      ctx.onCompensate(() => ctx.continueAsNew());
      ctx.onCompensate(() => ctx.call(book, "a taxi", { undo: cancel }));
      throw new Error("as planned");
    });
    const { instance } = await ran(deep, undefined, [cancelling]);
    expect(undone).toEqual([]);
    expect(instance.document()).toMatchObject({
      error: { properties: { notUndone: [{ step: "(onCompensate)" }] } },
    });
  });

  test("refuses what is no function, as an undo that is no activity is refused", async () => {
    const wrong = workflow("Wrong", async (ctx) => {
      const codes: unknown[] = [];
      const note = (error: { code?: string }) => codes.push(error.code);
      await ctx.call(book, "car", { undo: "cancel" as never }).catch(note);
      try {
        ctx.onCompensate("cancel" as never);
      } catch (error) {
        note(error as { code?: string });
      }
      return codes;
    });
    const { instance } = await ran(wrong, undefined, []);
    expect(instance.output()).toEqual(["DEFINITION_INVALID", "DEFINITION_INVALID"]);
  });
});

describe("a crash", () => {
  const things = ["flight", "hotel", "car"];

  test("at any commit leaves every undo made, under one key, in its order", async () => {
    const commits = await atEachCommit(async (point) => {
      const { undone, keys, cancelling } = ledger();
      const options = { faults: losing(point) };
      const { cluster, instance } = await ran(trip, things, [broke, cancelling], options);
      expect(instance.document()).toMatchObject({
        status: "Failed",
        error: { code: "ACTIVITY_FAILED" },
      });
      expect([...new Set(undone)]).toEqual(["car", "hotel", "flight"]);
      expect(new Set(keys).size).toBe(3);
      const repeated = undone.filter((what, index) => undone[index - 1] === what);
      expect(undone.length - repeated.length).toBe(3); // one that is repeated comes before the next
      return cluster.object("trip");
    });
    expect(commits).toBeGreaterThan(8);
  });

  test("in the middle of a step leaves it to be undone, though it never ended", async () => {
    const racing = workflow("Racing", async (ctx) => {
      const hotel = ctx.call(book, "hotel", { undo: cancel });
      await ctx.call(pay, 1);
      return hotel;
    });
    await atEachCommit(async (point) => {
      const { undone, cancelling } = ledger();
      let begun = false;
      const slow = mock(book, async (_, ctx) => {
        begun = true;
        await ctx.sleep("1 hour");
        return { number: "late" };
      });
      const failing = mock(pay, async (_, ctx) => {
        await ctx.sleep("1 second");
        throw new Error("no funds");
      });
      const options = { faults: losing(point) };
      const { cluster } = await ran(racing, undefined, [slow, failing, cancelling], options);
      expect(begun).toBe(true);
      expect(new Set(undone)).toEqual(new Set(["hotel"]));
      return cluster.object("trip");
    });
  });

  test("anywhere changes nothing that the world sees: explored", async () => {
    const saga = workflow("Saga", async (ctx, fails: boolean) => {
      const flight = await ctx.call(book, "flight", { undo: cancel });
      ctx.onCompensate(() => ctx.call(refund, flight.number));
      const rest = ["hotel", "car"].map((what) =>
        ctx.call(book, what, { key: what, undo: cancel }),
      );
      await Promise.all(rest);
      if (fails) throw new Error("as planned");
      return "booked";
    });
    for (const fails of [true, false]) {
      const { failures, report } = await explore(saga, fails, {
        activities: [
          mock(book, (what, ctx) => {
            ctx.effect(`book ${what}`, { key: ctx.idempotencyKey });
            return { number: what };
          }),
          mock(cancel, ({ input }, ctx) =>
            ctx.effect(`cancel ${input}`, { key: ctx.idempotencyKey }),
          ),
          mock(refund, (what, ctx) => ctx.effect(`refund ${what}`, { key: ctx.idempotencyKey })),
        ],
      });
      expect(failures, report).toEqual([]);
    }
  });
});

describe("a step with an undo", () => {
  test("has its row before it begins, so that changed code knows of it", async () => {
    const stuck = mock(book, (_, ctx) => ctx.sleep("1 hour").then(() => ({ number: "late" })));
    const cluster = new Cluster({ workflows: [trip], activities: [stuck] });
    const instance = await cluster.start(trip, ["flight"], { id: "trip" });
    await cluster.advance("1 second");
    instance.crash();
    expect(instance.history()).toMatchObject([{ step: "book", state: "open" }]);
  });
});

test("an execution whose history is too large undoes what it has begun, over a crash in the middle too", async () => {
  const large = activity("large", (bytes: number) => "x".repeat(bytes));
  const hoard = workflow("Hoard", async (ctx) => {
    await ctx.call(large, 16_000_000);
    await ctx.call(book, "flight", { undo: cancel });
    for (;;) await ctx.call(large, 16_000_000);
  });
  for (const crashes of [false, true]) {
    const { undone, cancelling } = ledger();
    let left = crashes ? 1 : 0;
    const faults: Faults = { crash: () => undone.length === 1 && left-- > 0 };
    const { instance } = await ran(hoard, undefined, [cancelling], { faults });
    expect(instance.document()).toMatchObject({
      status: "Failed",
      error: { code: "HISTORY_TOO_LARGE" },
    });
    expect(new Set(undone)).toEqual(new Set(["flight"]));
  }
});

describe("a request to end an instance", () => {
  const waiting = workflow("Waiting", async (ctx) => {
    await ctx.call(book, "flight", { undo: cancel });
    await ctx.waitForEvent("go");
    return "went";
  });

  /** A cluster in which a trip waits, with its flight booked; each undo takes a minute. */
  async function waits(options: Partial<ClusterOptions> = {}) {
    const undone: string[] = [];
    const slowly = mock(cancel, async ({ input, error }, ctx) => {
      await ctx.sleep("1 minute");
      if (!ctx.signal.aborted) undone.push(`${input}: ${error.message}`);
    });
    const cluster = new Cluster({ workflows: [waiting], activities: [slowly], ...options });
    const instance = await cluster.start(waiting, undefined, { id: "trip" });
    await cluster.advance("1 second");
    return { cluster, instance, undone };
  }

  test("to cancel it undoes what has begun, where the code lets the error through", async () => {
    const { cluster, instance, undone } = await waits();
    instance.cancel("the customer called");
    await cluster.run();
    expect(undone).toEqual(["flight: the customer called"]);
    expect(instance.document()).toMatchObject({
      status: "Terminated",
      error: { code: "CANCELLED", message: "the customer called" },
    });
  });

  test("to cancel it does not reach what undoes, and a terminate ends that at once", async () => {
    const { cluster, instance, undone } = await waits();
    instance.cancel("first");
    await cluster.advance("10 seconds");
    instance.cancel("second");
    await cluster.advance("10 seconds");
    expect(instance.document()).toMatchObject({
      status: "Running",
      waitingFor: [{ kind: "activity", step: "undo/book" }],
    });
    instance.terminate("enough");
    await cluster.run();
    expect(undone).toEqual([]);
    expect(instance.document()).toMatchObject({
      status: "Terminated",
      error: { message: "enough" },
    });
  });

  test("that comes first while it compensates a failure does not keep it from that", async () => {
    const failing = workflow("Failing", async (ctx) => {
      await ctx.call(book, "flight", { undo: cancel });
      throw new Error("as planned");
    });
    const { cluster, undone } = await waits({ workflows: [failing, waiting] });
    const instance = await cluster.start(failing, undefined, { id: "failing" });
    await cluster.advance("10 seconds");
    instance.cancel("too late");
    instance.crash();
    await cluster.run();
    expect(undone).toContain("flight: as planned");
    expect(instance.document()).toMatchObject({
      status: "Failed",
      error: { message: "as planned" },
    });
  });

  test("to terminate it undoes nothing, unless that is asked for", async () => {
    const { cluster, instance, undone } = await waits();
    instance.terminate("at once");
    await cluster.run();
    expect(undone).toEqual([]);
  });

  test("to terminate it and compensate cannot be caught, and survives any crash", async () => {
    const stubborn = workflow("Stubborn", async (ctx) => {
      await ctx.call(book, "flight", { undo: cancel });
      for (;;) await ctx.waitForEvent("go").catch(() => {});
    });
    await atEachCommit(async (point) => {
      const { undone, cancelling } = ledger();
      const faults = losing(point);
      const cluster = new Cluster({ workflows: [stubborn], activities: [cancelling], faults });
      const instance = await cluster.start(stubborn, undefined, { id: "trip" });
      await cluster.advance("1 minute");
      instance.terminate("enough", { compensate: true });
      instance.terminate("again", { compensate: true });
      await cluster.run();
      expect(new Set(undone)).toEqual(new Set(["flight"]));
      expect(instance.document()).toMatchObject({
        status: "Terminated",
        error: { type: "Terminated", message: "enough" },
      });
      expect(await checkHistory(stubborn, instance.export())).toMatchObject({ fits: true });
      return cluster.object("trip");
    });
  });

  test("to terminate it with its children and compensate has them compensate, too", async () => {
    const parent = workflow("Parent", (ctx) => ctx.call(waiting, undefined, { id: "child" }));
    const { cancelling, undone } = ledger();
    const cluster = new Cluster({ workflows: [parent, waiting], activities: [cancelling] });
    const instance = await cluster.start(parent);
    await cluster.advance("1 minute");
    instance.terminate("enough", { recursive: true, compensate: true });
    await cluster.run();
    expect(undone).toEqual(["flight"]);
    expect(cluster.instance("child").document().status).toBe("Terminated");
  });
});

describe("a child workflow", () => {
  const child = workflow("Child", async (ctx, what: string) => {
    await ctx.sleep("1 minute");
    return `${what} done`;
  });
  const undoChild = activity("undo child", (_: UndoneStep<string, string>) => {});

  test("is undone by an activity, too, also where it was not over", async () => {
    const told: unknown[] = [];
    const parent = workflow("Parent", async (ctx, seconds: number) => {
      const first = ctx.call(child, "one", { id: "one", undo: undoChild });
      await ctx.sleep(seconds * 1_000);
      void first;
      throw new Error("as planned");
    });
    for (const [seconds, result, status] of [
      [120, "one done", "Completed"],
      [30, undefined, "Terminated"],
    ] as const) {
      told.length = 0;
      const cluster = new Cluster({
        workflows: [parent, child],
        activities: [mock(undoChild, (undo) => void told.push([undo.input, undo.result]))],
      });
      await cluster.start(parent, seconds);
      await cluster.run();
      expect(told).toEqual([["one", result]]);
      expect(cluster.instance("one").document().status).toBe(status);
    }
  });

  test("that has failed to compensate is not started again", async () => {
    const failing = workflow("Failing", async (ctx) => {
      await ctx.call(book, "flight", { undo: cancel });
      throw new Error("as planned");
    });
    const parent = workflow("Parent", (ctx) =>
      ctx.call(failing, undefined, { retry: { maxAttempts: 3 } }),
    );
    let tried = 0;
    const stuck = mock(cancel, () => {
      tried++;
      throw new NonRetryableError("no");
    });
    const cluster = new Cluster({ workflows: [parent, failing], activities: [stuck] });
    const instance = await cluster.start(parent);
    await cluster.run();
    expect(tried).toBe(1);
    expect(instance.document()).toMatchObject({
      error: { code: "CHILD_FAILED", cause: { code: "COMPENSATION_FAILED" } },
    });
  });
});

describe("a rewind of what has compensated", () => {
  function agency() {
    const state = { funds: false, hotelAnswers: true };
    const booked: string[] = [];
    const undone: string[] = [];
    const keys: string[] = [];
    const activities = [
      mock(book, (what, ctx) => {
        booked.push(what);
        keys.push(ctx.idempotencyKey);
        return { number: `${what} ${booked.length}` };
      }),
      mock(cancel, ({ input, result }, ctx) => {
        if (input === "hotel" && !state.hotelAnswers) throw new NonRetryableError("no answer");
        undone.push(`${input} ${result?.number}`);
        keys.push(ctx.idempotencyKey);
      }),
      mock(pay, () => {
        if (!state.funds) throw new NonRetryableError("no funds");
        return "paid";
      }),
    ];
    return { state, booked, undone, keys, activities };
  }

  test("does the steps again whose undo was made, with other keys", async () => {
    const { state, booked, undone, keys, activities } = agency();
    const { cluster, instance } = await ran(trip, ["flight", "hotel"], activities);
    expect(undone).toEqual(["hotel hotel 2", "flight flight 1"]);
    instance.rewind();
    await cluster.run();
    expect(instance.document().status).toBe("Failed");
    expect(undone.slice(2)).toEqual(["hotel hotel 4", "flight flight 3"]);
    state.funds = true;
    instance.rewind();
    await cluster.run();
    expect(instance.output()).toBe("paid");
    expect(booked).toEqual(["flight", "hotel", "flight", "hotel", "flight", "hotel"]);
    expect(new Set(keys).size).toBe(keys.length);
    expect(instance.history().map(({ step }) => step)).not.toContain("undo/book");
    expect(await checkHistory(trip, instance.export())).toMatchObject({ fits: true, unasked: [] });
  });

  test("comes to the same when its object is lost at any commit", async () => {
    await atEachCommit(async (point) => {
      const { state, booked, undone, activities } = agency();
      const faults = losing(point);
      const { cluster, instance } = await ran(trip, ["flight", "hotel"], activities, { faults });
      state.funds = true;
      instance.rewind();
      await cluster.run();
      expect(instance.output()).toBe("paid");
      expect(new Set(booked)).toEqual(new Set(["flight", "hotel"]));
      expect(new Set(undone).size).toBeGreaterThanOrEqual(2);
      return cluster.object("trip");
    });
  });

  test("to an undo that failed makes that one again, and keeps all else", async () => {
    const { state, booked, undone, activities } = agency();
    state.hotelAnswers = false;
    const { cluster, instance } = await ran(trip, ["flight", "hotel", "car"], activities);
    expect(instance.document()).toMatchObject({ error: { code: "COMPENSATION_FAILED" } });
    state.hotelAnswers = true;
    expect(await instance.previewRewind({ to: "undo/book#2" })).toMatchObject([
      { step: "undo/book#2", state: "failed" },
    ]);
    instance.rewind({ to: "undo/book#2" });
    await cluster.run();
    expect(instance.document()).toMatchObject({
      status: "Failed",
      error: { code: "ACTIVITY_FAILED" },
    });
    expect(booked).toHaveLength(3);
    expect(undone).toEqual(["car car 3", "flight flight 1", "hotel hotel 2"]);
    expect(await checkHistory(trip, instance.export())).toMatchObject({ fits: true });
  });

  test("goes on to compensate where that was terminated in its middle", async () => {
    const slow = mock(cancel, async ({ input }, ctx) => {
      await ctx.sleep("1 minute");
      if (!ctx.signal.aborted) undone.push(input);
    });
    const undone: string[] = [];
    const cluster = new Cluster({ workflows: [trip], activities: [broke, slow] });
    const instance = await cluster.start(trip, ["flight", "hotel"], { id: "trip" });
    await cluster.advance("90 seconds");
    instance.terminate();
    await cluster.run();
    expect(undone).toEqual(["hotel"]);
    instance.rewind();
    await cluster.run();
    expect(undone).toEqual(["hotel", "flight"]);
    expect(instance.document()).toMatchObject({
      status: "Failed",
      error: { code: "ACTIVITY_FAILED" },
    });
  });

  test("of a cancelled one does what was undone again", async () => {
    const waits = workflow("Waits", async (ctx) => {
      const { number } = await ctx.call(book, "flight", { undo: cancel });
      await ctx.waitForEvent("go");
      return number;
    });
    for (const how of ["cancel", "terminate"] as const) {
      const { undone, activities } = agency();
      const cluster = new Cluster({ workflows: [waits], activities });
      const instance = await cluster.start(waits);
      await cluster.advance("1 second");
      instance[how]("by mistake", { compensate: true });
      await cluster.run();
      expect(undone).toEqual(["flight flight 1"]);
      expect(instance.document().status).toBe("Terminated");
      instance.rewind();
      await cluster.advance("1 second");
      instance.send("go");
      await cluster.run();
      expect(instance.output()).toBe("flight 2");
    }
  });
});

describe("while it compensates", () => {
  /** Each undo takes a minute of the clock. */
  function slowly() {
    const undone: string[] = [];
    const slow = mock(cancel, async ({ input }, ctx) => {
      await ctx.sleep("1 minute");
      if (!ctx.signal.aborted) undone.push(input);
    });
    return { undone, slow };
  }

  async function compensating(things = ["flight", "hotel", "car"]) {
    const { undone, slow } = slowly();
    const cluster = new Cluster({ workflows: [trip], activities: [broke, slow] });
    const instance = await cluster.start(trip, things, { id: "trip" });
    await cluster.advance("90 seconds");
    expect(undone).toEqual(["car"]);
    return { cluster, instance, undone };
  }

  test("an instance that is suspended starts no further undo until it is resumed", async () => {
    const { cluster, instance, undone } = await compensating();
    instance.suspend();
    await cluster.advance("10 minutes");
    expect(undone).toEqual(["car", "hotel"]);
    instance.crash();
    instance.resume();
    await cluster.run();
    expect(undone).toEqual(["car", "hotel", "flight"]);
    expect(instance.document().status).toBe("Failed");
  });

  test("its history fits its code, and says what is undone next", async () => {
    const { instance } = await compensating();
    expect(await checkHistory(trip, instance.export())).toMatchObject({
      fits: true,
      unasked: [],
      next: ["undo/book#2"],
    });
  });

  test("a deployment goes on with the undos of its code, and makes none again", async () => {
    const { cluster, instance, undone } = await compensating();
    const other: string[] = [];
    const cancelOther = activity("cancel other", ({ input }: UndoneStep<string, Booking>) => {
      other.push(input);
    });
    const changed = workflow("Trip", async (ctx, things: readonly string[]) => {
      for (const what of things) {
        await ctx.call(book, what, what === "hotel" ? {} : { undo: cancelOther });
      }
      return ctx.call(pay, things.length);
    });
    cluster.deploy([changed]);
    await cluster.run();
    expect(undone).toEqual(["car"]);
    expect(other).toEqual(["flight"]);
    expect(instance.history().find(({ step }) => step === "undo/book#2")?.state).not.toBe("done");
    expect(instance.document()).toMatchObject({
      status: "Failed",
      error: { code: "ACTIVITY_FAILED" },
    });
  });

  test("turns end and go on as ever", async () => {
    const { undone, cancelling } = ledger();
    const things = Array.from({ length: 25 }, (_, index) => `thing ${index}`);
    const turn = { steps: 3 };
    const { instance } = await ran(trip, things, [broke, cancelling], { turn });
    expect(undone).toEqual(things.toReversed());
    expect(instance.document().status).toBe("Failed");
  });

  test("the log tells that it does", async () => {
    const { cancelling } = ledger();
    const { cluster } = await ran(trip, ["flight"], [broke, cancelling]);
    const told = cluster.trace.flatMap((event) =>
      event.kind === "log" ? [event.event.event] : [],
    );
    expect(told.filter((event) => event.startsWith("instance."))).toEqual([
      "instance.started",
      "instance.compensating",
      "instance.failed",
    ]);
  });
});

test("the next round undoes nothing of the one before", async () => {
  const { undone, cancelling } = ledger();
  const rounds = workflow("Rounds", async (ctx, round: number) => {
    await ctx.call(book, `round ${round}`, { undo: cancel });
    if (round < 3) return ctx.continueAsNew(round + 1);
    throw new Error("as planned");
  });
  await ran(rounds, 1, [cancelling]);
  expect(undone).toEqual(["round 3"]);
});

test("what continues as new with an input that cannot be stored is undone", async () => {
  const { undone, cancelling } = ledger();
  const odd = workflow("Odd", async (ctx, _: unknown) => {
    await ctx.call(book, "flight", { undo: cancel });
    return ctx.continueAsNew(() => "no value");
  });
  const { instance } = await ran(odd, undefined, [cancelling]);
  expect(undone).toEqual(["flight"]);
  expect(instance.document()).toMatchObject({ error: { code: "PAYLOAD_UNSUPPORTED" } });
});

test("an input and a result that are each as large as a value may be reach the undo", async () => {
  const large = 16_000_000;
  const told: number[] = [];
  const copy = activity("copy", (text: string) => text);
  const forget = activity("forget", ({ input, result }: UndoneStep<string, string>) => {
    told.push(input.length, result?.length ?? 0);
  });
  const copying = workflow("Copying", async (ctx) => {
    await ctx.call(copy, "x".repeat(large), { undo: forget });
    throw new Error("as planned");
  });
  await ran(copying, undefined, []);
  expect(told).toEqual([large, large]);
});

test("a step of the code may be named as an undo is", async () => {
  const { undone, cancelling } = ledger();
  const undoBook = activity("undo book", () => "not that one");
  const twin = workflow("Twin", async (ctx) => {
    await ctx.call(book, "flight", { undo: cancel });
    await ctx.call(undoBook);
    throw new Error("as planned");
  });
  await ran(twin, undefined, [cancelling]);
  expect(undone).toEqual(["flight"]);
});

test.each([false, true])(
  "a step whose row is there is undone, though a suspension kept its attempt from starting (memory lost: %s)",
  async (lost) => {
    const { undone, cancelling } = ledger();
    const trip = workflow("Trip", async (ctx) => {
      await ctx.call(book, "flight", { undo: cancel });
    });
    let held = false;
    const cluster: Cluster = new Cluster({
      workflows: [trip],
      activities: [cancelling],
      onEvent: ({ kind }) => {
        if (kind !== "commit" || held) return;
        if (cluster.instance("trip").history().length === 0) return;
        held = true;
        cluster.instance("trip").suspend();
      },
    });
    const instance = await cluster.start(trip, undefined, { id: "trip" });
    await cluster.run();
    expect(instance.history()).toMatchObject([{ name: "book", attempts: 0 }]);
    if (lost) instance.crash();
    instance.cancel();
    instance.resume();
    await cluster.run();
    expect(instance.document()).toMatchObject({ error: { code: "CANCELLED" } });
    expect(undone).toEqual(["flight"]);
  },
);
