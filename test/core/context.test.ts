import { describe, expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import type { ActivityStatus } from "../../src/core/activity-status.ts";
import type { WorkflowContext } from "../../src/core/context.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { completion, driving, named, STARTED } from "./driving.ts";

const a = named("A");

/** What a function that only asks has asked for. */
async function askedBy(run: (ctx: WorkflowContext) => unknown) {
  const { driver, settle } = driving(run);
  await settle();
  return driver.takeAsked();
}

/** The code with which a call is rejected. */
async function refusalOf(run: (ctx: WorkflowContext) => Promise<unknown>) {
  const { driver, settle } = driving(run);
  await settle();
  const { end } = driver;
  return end?.ok === false ? (end.error as { code?: string }).code : undefined;
}

describe("the time, random numbers and UUIDs", () => {
  const history = [
    { seq: 1, step: "A", after: 50 },
    { seq: 2, step: "A#2", after: 20 },
    { seq: 3, step: "A#3", after: 70 },
  ];
  const drawing = (seen: unknown[]) => async (ctx: WorkflowContext) => {
    for (let turn = 0; turn < 4; turn++) {
      seen.push([ctx.now.getTime() - STARTED, ctx.random(), ctx.random(), ctx.uuid()]);
      if (turn < 3) await ctx.call(a, undefined);
    }
  };
  const drawn = async (executionId: string) => {
    const seen: [number, number, number, string][] = [];
    const { deliverAll } = driving(drawing(seen), { history, executionId });
    await deliverAll();
    return seen;
  };

  test("the time is that of the last result, and never runs backwards", async () => {
    expect((await drawn("e")).map(([now]) => now)).toEqual([0, 50, 50, 70]);
  });

  test("they are the same on every run over the same history", async () => {
    expect(await drawn("e")).toEqual(await drawn("e"));
  });

  test("no draw repeats another, in this execution or the next", async () => {
    const draws = [...(await drawn("e")), ...(await drawn("f"))].flatMap((seen) => seen.slice(1));
    expect(new Set(draws).size).toBe(2 * 4 * 3);
  });

  test("a date handed out is a copy", async () => {
    const { ctx } = driving(() => new Promise(() => {}));
    ctx.now.setTime(0);
    expect(ctx.now.getTime()).toBe(STARTED);
  });
});

describe("a line of the log", () => {
  const talking = async (ctx: WorkflowContext) => {
    ctx.log("before", { n: 1 });
    await ctx.call(a, undefined);
    ctx.log("after");
    await ctx.call(a, undefined);
    ctx.log("last");
  };

  test("is kept in order, and handed out once", async () => {
    const { driver, settle } = driving(talking);
    await settle();
    driver.caughtUp();
    expect(driver.takeLogs()).toEqual([{ message: "before", fields: { n: 1 } }]);
    driver.feed(completion({ seq: 1, step: "A" }));
    driver.deliverNext();
    await settle();
    expect(driver.takeLogs()).toEqual([{ message: "after", fields: {} }]);
    expect(driver.takeLogs()).toEqual([]);
  });

  test("is silent in replay, which the code can see as well", async () => {
    const replaying: boolean[] = [];
    const run = async (ctx: WorkflowContext) => {
      replaying.push(ctx.replaying);
      await talking(ctx);
      replaying.push(ctx.replaying);
    };
    const { driver, deliverAll } = driving(run, { history: [{ seq: 1, step: "A" }] });
    await deliverAll();
    driver.caughtUp();
    expect(driver.takeLogs()).toEqual([]);
    driver.feed(completion({ seq: 2, step: "A#2" }));
    await deliverAll();
    expect(driver.takeLogs()).toEqual([{ message: "last", fields: {} }]);
    expect(replaying).toEqual([true, false]);
  });
});

describe("a call", () => {
  test("carries the input as it was at the call", async () => {
    const input = { list: [1] };
    const asked = await askedBy((ctx) => {
      void ctx.call(a, input);
      input.list.push(2);
    });
    expect(asked).toMatchObject([{ identity: "A", ordinal: 1, input: '[{"list":1},[2],1]' }]);
  });

  test("takes the activity's policy, field by field overridden by its own", async () => {
    const careful = activity(
      "A",
      { retry: { maxAttempts: 2, backoff: 3 }, timeout: "1 minute" },
      (n: number) => n,
    );
    const asked = await askedBy((ctx) => {
      void ctx.call(careful, 1);
      void ctx.call(careful, 1, { retry: { maxAttempts: 9 }, timeout: 5 });
    });
    expect(asked.map((ask) => ask.request)).toMatchObject([
      { retry: { maxAttempts: 2, backoff: 3 }, timeout: "1 minute" },
      { retry: { maxAttempts: 9, backoff: 3 }, timeout: 5 },
    ]);
  });

  test.each<[string, (ctx: WorkflowContext) => Promise<unknown>, string]>([
    ["an input that cannot be stored", (ctx) => ctx.call(a, () => 1), "PAYLOAD_UNSUPPORTED"],
    [
      "an input that is too large",
      (ctx) => ctx.call(a, "x".repeat(LIMITS.payloadBytes)),
      "PAYLOAD_TOO_LARGE",
    ],
    [
      "a policy that cannot be followed",
      (ctx) => ctx.call(a, 1, { retry: { maxAttempts: 0 } }),
      "DEFINITION_INVALID",
    ],
    ["a timeout that is none", (ctx) => ctx.call(a, 1, { timeout: -1 }), "DURATION_INVALID"],
    ["an empty key", (ctx) => ctx.call(a, 1, { key: "" }), "NAME_INVALID"],
    ["a name that is none", (ctx) => ctx.run("a:b", () => 1), "NAME_INVALID"],
    ["an event's name that is none", (ctx) => ctx.waitForEvent(""), "NAME_INVALID"],
    ["a sleep without end", (ctx) => ctx.sleep(Number.POSITIVE_INFINITY), "DURATION_INVALID"],
    [
      "a timeout without end",
      (ctx) => ctx.waitForEvent("go", { timeout: Number.NaN }),
      "DURATION_INVALID",
    ],
    ["a moment that is none", (ctx) => ctx.sleepUntil(new Date("never")), "DURATION_INVALID"],
    [
      "a moment that is text",
      (ctx) => ctx.sleepUntil("2026-01-01" as unknown as Date),
      "DURATION_INVALID",
    ],
  ])("with %s is a rejection that asks for nothing", async (_what, run, code) => {
    expect(await refusalOf(run)).toBe(code);
    expect(await askedBy((ctx) => void run(ctx))).toEqual([]); // and nobody need hear it
  });
});

describe("a wait", () => {
  test("is due so long after the last result, not after the moment it is asked", async () => {
    const { driver, deliverAll } = driving(
      async (ctx) => {
        await ctx.call(a, undefined);
        void ctx.sleep("1 minute");
        void ctx.waitForEvent("go", { timeout: "2 minutes" });
        void ctx.waitForEvent("stop");
        void ctx.sleepUntil(new Date(STARTED + 5));
      },
      { history: [{ seq: 1, step: "A", after: 500 }] },
    );
    await deliverAll();
    const [, ...asked] = driver.takeAsked();
    expect(asked.map((ask) => ask.request)).toEqual([
      { kind: "timer", due: STARTED + 60_500 },
      { kind: "event", event: "go", due: STARTED + 120_500, schema: null },
      { kind: "event", event: "stop", due: null, schema: null },
      { kind: "timer", due: STARTED + 5 },
    ]);
  });

  test("until a moment takes one up to 100 years ahead", async () => {
    const last = new Date(STARTED + LIMITS.timerMillis);
    expect(await askedBy((ctx) => void ctx.sleepUntil(last))).toHaveLength(1);
    const later = new Date(last.getTime() + 1);
    expect(await refusalOf((ctx) => ctx.sleepUntil(later))).toBe("DURATION_INVALID");
  });
});

describe("a declared stage", () => {
  const one = activity("One", (status: ActivityStatus) => status);
  const two = activity("Two", (status: ActivityStatus) => status);
  const stages = ["One", "Two"];
  const status: ActivityStatus = {
    lastProcessedId: "41",
    processingStatus: "InProgress",
    processingStage: "Two",
    lastUpdated: "2025-01-01T00:00:00.000Z",
  };

  test("before the status's is passed through: no step, a line in the log, the status as it was", async () => {
    const { driver, settle } = driving((ctx) => ctx.call(one, status), { stages });
    await settle();
    expect(driver.end).toEqual({ ok: true, output: status });
    expect(driver.end).not.toMatchObject({ output: expect.toSatisfy((it) => it === status) });
    expect(driver.takeAsked()).toEqual([]);
    expect(driver.takeLogs()).toEqual([
      {
        message: "stage passed through",
        fields: { step: "One", processingStage: "Two", processingStatus: "InProgress" },
      },
    ]);
  });

  test("that is the status's runs from it", async () => {
    const { driver, settle } = driving((ctx) => ctx.call(two, status), { stages });
    await settle();
    expect(driver.takeAsked()).toMatchObject([{ request: { stageStatus: status } }]);
  });

  test("called out of order is a rejection", async () => {
    const early = { ...status, processingStage: "One" };
    const { driver, settle } = driving((ctx) => ctx.call(two, early), { stages });
    await settle();
    expect(driver.end).toMatchObject({ ok: false, error: { code: "STAGE_ORDER" } });
  });

  test("is an ordinary activity in a workflow that does not declare it", async () => {
    const { driver, settle } = driving((ctx) => ctx.call(one, status));
    await settle();
    expect(driver.takeAsked()).toMatchObject([{ identity: "One", request: { stageStatus: null } }]);
  });
});
