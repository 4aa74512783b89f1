import { describe, expect, test } from "vitest";
import { type ActivityContext, activity } from "../../src/core/activity.ts";
import { ActivityFailedError, IsolateLostError } from "../../src/core/failure.ts";
import { type AnyWorkflow, workflow } from "../../src/core/workflow.ts";
import type { InProcessObject } from "../../src/testing/in-process-object.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { ID, started } from "./harness.ts";
import { eachRecord, NEVER } from "./records.ts";

const HOUR = 3_600_000;

/** A workflow of one activity that may kill the object it runs in. */
function deadly(
  run: (ctx: ActivityContext, kill: () => Promise<never>) => unknown,
  maxAttempts = 3,
) {
  const clock = new VirtualClock();
  const attempts: number[] = [];
  const kill = () => {
    object.crash();
    return NEVER;
  };
  const retry = { maxAttempts, firstInterval: "1 second", backoff: 1 } as const;
  const work = activity("Deadly", { retry }, (_: undefined, ctx) => {
    attempts.push(ctx.attempt);
    return run(ctx, kill);
  });
  const single = workflow("Single", (ctx) => ctx.call(work));
  const object: InProcessObject = started(single, undefined, { clock });
  return { object, attempts, clock, finish: () => object.run(clock.now() + HOUR) };
}

describe("an activity that kills its object every time", () => {
  test.each<
    [string, (clock: VirtualClock) => (ctx: ActivityContext, kill: () => Promise<never>) => unknown]
  >([
    ["in the middle", (clock) => async (_ctx, kill) => clock.sleep(50).then(kill)],
    ["before its first wait", () => (_ctx, kill) => kill()],
    ["as it returns", () => async (_ctx, kill) => void kill()],
  ])("%s fails for good after its attempts", async (_when, make) => {
    let run: ((ctx: ActivityContext, kill: () => Promise<never>) => unknown) | undefined;
    const { object, attempts, clock, finish } = deadly((ctx, kill) => run?.(ctx, kill));
    run = make(clock);
    await finish();
    expect(object.commands.get(ID)).toMatchObject({
      status: "Failed",
      error: {
        message: expect.stringContaining("Deadly failed after 3 attempts"),
        cause: { code: "ATTEMPT_LOST" },
      },
    });
    // The first death could have been anybody's: it is not counted.
    expect(attempts).toEqual([1, 1, 2, 3]);
    expect(object.crashes).toBe(4);
    expect(object.commands.history(ID, null, 9).items).toMatchObject([
      { state: "failed", attempts: 3 },
    ]);
    expect(object.alarm).toBeNull();
  });

  test("ends also where it has a single attempt", async () => {
    const { object, attempts, finish } = deadly((_ctx, kill) => kill(), 1);
    await finish();
    expect(object.commands.get(ID).error?.cause?.code).toBe("ATTEMPT_LOST");
    expect(attempts).toEqual([1, 1]);
  });

  test("waits between its deaths as its policy says, and a second at least", async () => {
    const times: number[] = [];
    const { object, clock, finish } = deadly((_ctx, kill) => {
      times.push(clock.now());
      return kill();
    });
    await finish();
    expect(object.crashes).toBe(4);
    const [, first, second, third] = times;
    expect((second ?? 0) - (first ?? 0)).toBeGreaterThanOrEqual(1_000);
    expect((third ?? 0) - (second ?? 0)).toBeGreaterThanOrEqual(1_000);
  });

  test("is a failure its workflow can catch", async () => {
    let object: InProcessObject | undefined;
    const work = activity("Deadly", { retry: { maxAttempts: 2 } }, () => {
      object?.crash();
      return NEVER;
    });
    const caught = workflow("Caught", async (ctx) => {
      const error = await ctx.call(work).catch((thrown: unknown) => thrown);
      if (!(error instanceof ActivityFailedError)) return "not failed";
      return [error.attempts, error.failure.code, await ctx.run("after", () => "went on")];
    });
    object = started(caught);
    await object.run(object.clock.now() + HOUR);
    expect(object.commands.get(ID).output).toEqual([2, "ATTEMPT_LOST", "went on"]);
  });

  test("on one record, behind checkpoints that worked, fails as well and keeps how far it came", async () => {
    const visits: string[] = [];
    const { object, finish } = deadly(async (ctx, kill) => {
      await eachRecord(ctx, 9, (record) => {
        visits.push(`${record}/${ctx.attempt}`);
        return record === 4 ? kill() : undefined;
      });
    });
    await finish();
    expect(visits).toEqual(["1/1", "2/1", "3/1", "4/1", "4/1", "4/2", "4/3"]);
    expect(object.commands.get(ID)).toMatchObject({
      status: "Failed",
      activityStatus: { lastProcessedId: "3", processingStatus: "Failed" },
      progress: { done: 3, total: 9 },
    });
  });

  test("for a while, and then no more, ends well", async () => {
    let deaths = 2;
    const { object, attempts, finish } = deadly((_ctx, kill) => (deaths-- > 0 ? kill() : "alive"));
    await finish();
    expect(object.commands.get(ID)).toMatchObject({ status: "Completed", output: "alive" });
    expect(attempts).toEqual([1, 1, 2]);
  });
});

describe("a crash that comes once", () => {
  test("does not count as an attempt", async () => {
    let deaths = 1;
    const { object, attempts, finish } = deadly(
      (_ctx, kill) => (deaths-- > 0 ? kill() : "alive"),
      1,
    );
    await finish();
    expect(object.commands.get(ID)).toMatchObject({ status: "Completed", output: "alive" });
    expect(attempts).toEqual([1, 1]);
  });

  test("between two checkpoints does not count, however often it comes", async () => {
    const deaths = new Set([2, 3, 5, 6, 7, 8]);
    const { object, attempts, finish } = deadly(async (ctx, kill) => {
      await eachRecord(ctx, 9, (record) => (deaths.delete(record) ? kill() : undefined));
      return ctx.attempt;
    }, 1);
    await finish();
    expect(object.crashes).toBe(6);
    expect(object.commands.get(ID)).toMatchObject({ status: "Completed", output: 1 });
    expect(new Set(attempts)).toEqual(new Set([1]));
  });

  test("costs one mark, and a turn that nothing disturbed costs none", async () => {
    const rows = async (crash: boolean) => {
      const clock = new VirtualClock();
      const states: unknown[] = [];
      const work = activity("Work", async () => {
        states.push(...object.commands.history(ID, null, 9).items.map((item) => item.state));
        await clock.sleep(100);
      });
      const object = started(
        workflow("Single", (ctx) => ctx.call(work)),
        undefined,
        { clock },
      );
      await object.run(clock.now() + 50);
      if (crash) object.crash();
      await object.run();
      return states;
    };
    expect(await rows(false)).toEqual([]);
    expect(await rows(true)).toEqual(["running"]);
  });
});

test("an activity that runs outside cannot kill the object, and is not blamed for its deaths", async () => {
  const clock = new VirtualClock();
  const outside = { where: "worker", retry: { maxAttempts: 1 } } as const;
  let most = 0;
  let open = 0;
  const heavy = activity("Heavy", outside, async (item: number) => {
    most = Math.max(most, ++open);
    await clock.sleep(60_000);
    open--;
    return item;
  });
  const object = started(
    workflow("Outside", (ctx, items: number[]) => ctx.map(items, heavy)),
    [1, 2, 3],
    { clock },
  );
  for (let death = 1; death <= 2; death++) {
    await object.run(clock.now() + 20_000);
    object.crash();
  }
  most = open = 0;
  await object.run(clock.now() + 61_000);
  expect(object.commands.get(ID)).toMatchObject({ status: "Completed", output: [1, 2, 3] });
  expect(most).toBe(3);
});

describe("an activity outside whose isolate dies", () => {
  /** Goes through records, and dies after so many in each attempt; where there are none, at once. */
  function mortal(records: number, perLife: number, maxAttempts = 2) {
    const attempts: string[] = [];
    const times: number[] = [];
    const clock = new VirtualClock();
    const retry = { maxAttempts, firstInterval: 10, backoff: 1 } as const;
    const work = activity("Work", { where: "worker", retry }, async (_: undefined, ctx) => {
      const { lastProcessedId } = ctx.status;
      attempts.push(`${ctx.attempt} from ${lastProcessedId}`);
      times.push(clock.now());
      const after = lastProcessedId === "initialId" ? 0 : Number(lastProcessedId);
      for (let record = after + 1; record <= records; record++) {
        if (record > after + perLife) throw new IsolateLostError(new Error("out of memory"));
        await ctx.checkpoint(record);
      }
      if (perLife === 0) throw new IsolateLostError(new Error("out of memory"));
      return "done";
    });
    const flow = workflow("Mortal", (ctx) => ctx.call(work));
    return { attempts, times, object: started(flow, undefined, { clock }) };
  }
  const end = (object: InProcessObject) => object.commands.get(ID);

  test("goes on from its checkpoint as the same attempt, but not at once", async () => {
    const { attempts, times, object } = mortal(5, 1);
    await object.run();
    expect(end(object)).toMatchObject({ status: "Completed", output: "done" });
    expect(attempts).toEqual(["initialId", 1, 2, 3, 4].map((from) => `1 from ${from}`));
    expect(times.map((at) => at - (times[0] ?? 0))).toEqual([0, 1_000, 2_000, 3_000, 4_000]);
    expect(object.logs.filter(({ event }) => event === "attempt.failed")).toHaveLength(4);
  });

  test("has failed where it came no further than it began", async () => {
    const { attempts, object } = mortal(3, 0);
    await object.run();
    expect(attempts).toEqual(["1 from initialId", "2 from initialId"]);
    expect(end(object).error?.cause).toMatchObject({
      code: "ATTEMPT_LOST",
      cause: { message: "out of memory" },
    });
  });

  test("is still not blamed for its object's deaths, and runs beside others", async () => {
    const { attempts, object } = mortal(3, 0, 3);
    await object.run(object.clock.now() + 500);
    object.crash(); // it waits for its second attempt
    await object.run(object.clock.now() + 600);
    const rows = object.sql.all<{ state: string }>("SELECT state FROM step");
    expect([attempts.length, rows]).toEqual([2, [{ state: "open" }]]);
    await object.run();
    expect(attempts.at(-1)).toBe("3 from initialId");
  });
});

test("an activity that is killed does not take a finished neighbour with it", async () => {
  const runs: string[] = [];
  let object: InProcessObject | undefined;
  const work = activity("Work", { retry: { maxAttempts: 2 } }, (name: string) => {
    runs.push(name);
    if (name !== "deadly") return name;
    object?.crash();
    return NEVER;
  });
  const both = workflow("Both", async (ctx) => {
    const first = await ctx.call(work, "first");
    const ends = await Promise.allSettled([ctx.call(work, "deadly"), ctx.run("beside", () => 5)]);
    return [first, ...ends.map((end) => end.status)];
  });
  object = started(both);
  await object.run(object.clock.now() + HOUR);
  expect(object.commands.get(ID).output).toEqual(["first", "rejected", "fulfilled"]);
  expect(runs.filter((name) => name === "first")).toHaveLength(1);
});

describe("code of the workflow itself that kills its object every time", () => {
  const steady = activity("Steady", () => "ok");
  const code = (kill: () => void): AnyWorkflow =>
    workflow("Single", async (ctx) => {
      const value = await ctx.call(steady);
      kill();
      return value;
    });

  test("suspends the instance before the platform gives its alarm up", async () => {
    const object: InProcessObject = started(code(() => object.crash()));
    await object.run(object.clock.now() + 1_000);
    expect(object.crashes).toBeLessThanOrEqual(5);
    expect(object.commands.get(ID)).toMatchObject({
      status: "Suspended",
      error: { code: "OBJECT_LOST" },
    });
    expect(object.alarm).toBe(Date.UTC(2026, 0, 1) + 60_000);
  });

  test("is tried again more and more seldom, and goes on after a deployment that helps", async () => {
    const object: InProcessObject = started(code(() => object.crash()));
    const begun = object.clock.now();
    await object.run(begun + 5 * HOUR);
    expect(object.crashes).toBeGreaterThan(20);
    expect(object.crashes).toBeLessThan(60);
    object.deploy([code(() => {})]);
    await object.run();
    expect(object.commands.get(ID)).toMatchObject({
      status: "Completed",
      output: "ok",
      error: null,
    });
    expect(object.clock.now() - begun).toBeLessThanOrEqual(6 * HOUR);
  });

  test("before its first step is no different, and its first lines are told when it lives", async () => {
    const first = (kill: () => void) =>
      workflow("Single", async (ctx) => {
        kill();
        ctx.log("begun", { replaying: ctx.replaying });
        const at = ctx.now;
        await ctx.call(
          activity("Echo", (value: Date) => value),
          at,
        );
        await ctx.sleep("1 hour");
        return ctx.now.getTime() - at.getTime();
      });
    const object: InProcessObject = started(first(() => object.crash()));
    await object.run(object.clock.now() + 1_000);
    expect(object.commands.get(ID)).toMatchObject({ status: "Suspended", startedAt: null });
    object.deploy([first(() => {})]);
    await object.run(object.clock.now() + 600_000);
    object.crash();
    await object.run(object.clock.now() + 2 * HOUR);
    expect(object.commands.get(ID)).toMatchObject({
      status: "Completed",
      output: HOUR,
      error: null,
    });
    const lines = object.logs.filter((event) => event.event === "log");
    expect(lines).toMatchObject([{ message: "begun", replaying: false }]);
  });
});

test("an attempt that a suspension stopped is not one that was lost", async () => {
  const clock = new VirtualClock();
  const attempts: number[] = [];
  const slow = activity("Slow", { retry: { maxAttempts: 1 } }, async (_: undefined, ctx) => {
    attempts.push(ctx.attempt);
    await clock.sleep(1_000);
  });
  const before = workflow("Changing", (ctx) => ctx.waitForEvent("later"));
  const after = (name: string) =>
    workflow("Changing", async (ctx) => {
      const later = ctx.sleep(100).then(() => ctx.run(name, () => "done"));
      await Promise.all([ctx.call(slow), later]);
    });
  const object = started(before, undefined, { clock });
  await object.run(clock.now() + 10);
  object.deploy([after("later")]); // no longer an event: a contradiction, while Slow runs marked
  object.commands.sendEvent(ID, { event: "later", payload: "[1]" });
  await object.run(clock.now() + 500);
  expect(object.commands.get(ID)).toMatchObject({
    status: "Suspended",
    error: { code: "NONDETERMINISM" },
  });
  object.deploy([after("another")]);
  await object.run(clock.now() + HOUR);
  expect(object.commands.get(ID)).toMatchObject({ status: "Completed", error: null });
  expect(attempts).toEqual([1, 1]);
});

describe("an activity that kills its object beside others", () => {
  /** How two parallel activities end, and in which order they were begun. */
  async function beside(maxAttempts: number, deaths: number) {
    const clock = new VirtualClock();
    const begun: string[] = [];
    let left = deaths;
    const work = activity("Work", { retry: { maxAttempts } }, async (kind: string) => {
      begun.push(kind);
      await clock.sleep(kind === "deadly" ? 100 : 1_000);
      if (kind !== "deadly" || left-- <= 0) return kind;
      object.crash();
      return NEVER;
    });
    const both = workflow("Both", async (ctx) => {
      const kinds = ["innocent", "deadly", "harmless"];
      const ends = await Promise.allSettled(kinds.map((key) => ctx.call(work, key, { key })));
      return ends.map((end) => end.status);
    });
    const object: InProcessObject = started(both, undefined, { clock });
    await object.run(clock.now() + HOUR);
    return { ends: object.commands.get(ID).output, begun, object };
  }

  test.each([1, 2, 5])("is the only one that fails, with %d attempts for each", async (most) => {
    const { ends, object } = await beside(most, Number.POSITIVE_INFINITY);
    expect(ends).toEqual(["fulfilled", "rejected", "fulfilled"]);
    const { items } = object.commands.history(ID, null, 9);
    expect(items.find((item) => item.step === "Work:deadly")).toMatchObject({
      attempts: most,
      error: { code: "ATTEMPT_LOST" },
    });
  });

  test("runs at the same time as they do until it has killed twice", async () => {
    const { ends, begun } = await beside(1, 2);
    expect(ends).toEqual(["fulfilled", "fulfilled", "fulfilled"]);
    const all = ["innocent", "deadly", "harmless"];
    expect(begun).toEqual([...all, ...all, ...all]);
  });
});
