/** Steps that the workflow's code cancels: what becomes of attempts, timers, waits and rows. */
import { describe, expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import type { WorkflowContext } from "../../src/core/context.ts";
import { encode } from "../../src/core/payload.ts";
import { type AnyWorkflow, workflow } from "../../src/core/workflow.ts";
import { checkHistory } from "../../src/engine/check-history.ts";
import { Cluster } from "../../src/testing/cluster.ts";
import type { InProcessObject } from "../../src/testing/in-process-object.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { type CrashPoint, crashesAt, ID, started } from "./harness.ts";

function send(object: InProcessObject, event: string, value: unknown = null): void {
  object.commands.sendEvent(ID, { event, payload: encode(value, "the event") });
  object.commit();
}

const soon = (object: InProcessObject) => object.run(object.clock.now() + 1);
const rowsOf = (object: InProcessObject) =>
  object.commands.history(ID, null, 100).items.map(({ step, state, due }) => [step, state, due]);
const codeOf = (error: { code?: string }) => error.code;

/** Cancels a step when the event "stop" comes, says how it ended, and waits for "end". */
const stopping = (ask: (ctx: WorkflowContext, signal: AbortSignal) => Promise<unknown>) =>
  workflow("Stopping", async (ctx) => {
    const controller = new AbortController();
    const asked = ask(ctx, controller.signal).catch(codeOf);
    await ctx.waitForEvent("stop");
    controller.abort();
    const end = await asked;
    return [end, await ctx.waitForEvent("end")];
  });

describe("an activity that is cancelled while it runs", () => {
  function working() {
    const clock = new VirtualClock();
    const seen: unknown[] = [];
    const work = activity("Work", async (_: undefined, ctx) => {
      ctx.signal.addEventListener("abort", () => seen.push(ctx.signal.reason));
      await clock.sleep(5_000);
      seen.push("woke");
      await ctx.checkpoint("9");
      seen.push("never");
      return "too late";
    });
    const flow = stopping((ctx, signal) => ctx.call(work, undefined, { signal }));
    return { seen, object: started(flow, undefined, { clock }) };
  }

  test("is told by its signal, and neither its checkpoints nor its outcome count", async () => {
    const { object, seen } = working();
    await soon(object);
    send(object, "stop");
    await object.run(object.clock.now() + 60_000);
    expect(seen).toMatchObject([{ code: "CANCELLED", step: "Work" }, "woke"]);
    expect(object.commands.get(ID).waitingFor).toMatchObject([{ name: "end" }]);
    expect(object.alarm).toBeNull();
    send(object, "end", 1);
    await soon(object);
    expect(object.commands.get(ID).output).toEqual(["CANCELLED", 1]);
    expect(rowsOf(object).map(([step]) => step)).not.toContain("Work");
  });

  test("does not run again in a new object", async () => {
    const { object, seen } = working();
    await soon(object);
    send(object, "stop");
    await soon(object);
    object.crash();
    send(object, "end", 1);
    await object.run(object.clock.now() + 60_000);
    expect(object.commands.get(ID).output).toEqual(["CANCELLED", 1]);
    expect(seen.filter((what) => what === "woke")).toHaveLength(1); // that of the old object
  });
});

test("an activity that waits for its next attempt has none any more", async () => {
  let attempts = 0;
  const retry = { maxAttempts: 9, firstInterval: "1 hour" } as const;
  const failing = activity("Failing", { retry }, () => {
    attempts++;
    throw new Error("not yet");
  });
  const object = started(stopping((ctx, signal) => ctx.call(failing, undefined, { signal })));
  await soon(object);
  expect(object.alarm).not.toBeNull();
  send(object, "stop");
  await object.run(object.clock.now() + 86_400_000);
  expect(object.alarm).toBeNull();
  expect(attempts).toBe(1);
  expect(rowsOf(object)).toContainEqual(["Failing", "cancelled", null]);
});

test("a step that is cancelled in the same breath never begins", async () => {
  let began = 0;
  const flow = workflow("Breath", async (ctx) => {
    const controller = new AbortController();
    const asked = ctx.run("inline", () => began++, { signal: controller.signal });
    controller.abort();
    return asked.catch(codeOf);
  });
  const object = started(flow);
  await object.run();
  expect(object.commands.get(ID).output).toBe("CANCELLED");
  expect(began).toBe(0);
});

test("a cancelled timer keeps nothing due, and its row says so", async () => {
  const object = started(stopping((ctx, signal) => ctx.sleep("1 day", { signal })));
  await soon(object);
  const due = object.alarm;
  send(object, "stop");
  await soon(object);
  expect([due === null, object.alarm]).toEqual([false, null]);
  expect(rowsOf(object)).toContainEqual(["sleep", "cancelled", null]);
  object.crash();
  send(object, "end");
  await soon(object);
  expect(object.commands.get(ID).status).toBe("Completed");
});

describe("a cancelled wait", () => {
  /** Waits twice for one event, and cancels the newer wait at "stop". */
  const twice = workflow("Twice", async (ctx) => {
    const controller = new AbortController();
    const older = ctx.waitForEvent("go");
    const newer = ctx.waitForEvent("go", { signal: controller.signal }).catch(codeOf);
    await ctx.waitForEvent("stop");
    controller.abort();
    return [await newer, await older];
  });

  test.each([false, true])("leaves its event to the one before it (crash: %s)", async (crash) => {
    const object = started(twice);
    await soon(object);
    send(object, "stop");
    await soon(object);
    if (crash) object.crash();
    send(object, "go", 1);
    await soon(object);
    expect(object.commands.get(ID).output).toEqual(["CANCELLED", 1]);
  });

  test("gives none to it that came in the same moment as what cancelled it", async () => {
    const object = started(twice);
    await soon(object);
    send(object, "stop");
    send(object, "go", 1); // both before the next turn
    await soon(object);
    expect(object.commands.get(ID).output).toEqual(["CANCELLED", 1]);
  });

  test("leaves its event in the buffer where nobody else waits", async () => {
    const flow = workflow("Once", async (ctx) => {
      const first = await ctx.race({
        stop: (signal) => ctx.waitForEvent("stop", { signal }),
        go: (signal) => ctx.waitForEvent("go", { signal }),
      });
      return [first, await ctx.waitForEvent("go")];
    });
    const object = started(flow);
    send(object, "stop", 1);
    send(object, "go", 2);
    await soon(object);
    expect(object.commands.get(ID).output).toEqual([{ winner: "stop", value: 1 }, 2]);
  });
});

/** Everything that can be cancelled, in each state it can be in. */
const rounds = workflow("Rounds", async (ctx) => {
  const ends: unknown[] = [];
  for (let round = 0; round < 3; round++) {
    const millis = [5, 60, 4_000][round] ?? 0;
    const { winner } = await ctx.race({
      timer: (signal) => ctx.sleep(millis, { signal }),
      longer: (signal) => ctx.sleep("1 hour", { signal }),
      wait: (signal) => ctx.waitForEvent("go", { signal }),
      late: (signal) => ctx.sleep("1 day", { signal }).then(() => ctx.run("late", () => 1)),
      failing: (signal) =>
        ctx.run("failing", failing, { signal, retry: { maxAttempts: 99, backoff: 1 } }),
    });
    ends.push(winner, await ctx.waitForEvent("go", { timeout: 10 }).catch(codeOf));
  }
  return ends;
});

const failing = () => {
  throw new Error("never");
};

test("a crash at any commit, before it or after it, changes nothing", async () => {
  const end = async (points: readonly CrashPoint[]) => {
    const faults = crashesAt(...points);
    const object = started(rounds, undefined, { faults });
    await object.run();
    const { status, output } = object.commands.get(ID);
    const left = rowsOf(object).filter(([, state]) => state === "open" || state === "running");
    return { commits: object.commits, end: { status, output, left } };
  };
  const undisturbed = await end([]);
  expect(undisturbed.end).toMatchObject({
    status: "Completed",
    output: Array(3).fill(["timer", "EVENT_TIMEOUT"]).flat(),
  });
  for (let commit = 2; commit <= undisturbed.commits; commit++) {
    for (const when of ["before", "after"] as const) {
      expect((await end([{ commit, when }])).end, `${when} ${commit}`).toEqual(undisturbed.end);
    }
  }
});

test("a history with a cancelled step fits its code, half way and at its end", async () => {
  const flow = stopping((ctx, signal) => ctx.sleep("1 day", { signal }));
  const cluster = new Cluster({ workflows: [flow] });
  const instance = await cluster.start(flow as AnyWorkflow);
  await cluster.advance(1);
  instance.send("stop");
  await cluster.advance(1);
  const fits = { fits: true, problem: null, unasked: [], next: [] };
  expect(await checkHistory(flow, instance.export())).toEqual(fits);
  instance.send("end");
  await cluster.run();
  expect(await checkHistory(flow, instance.export())).toEqual(fits);
});

test("a cancelled step that changed code does not cancel goes on in its row", async () => {
  const object = started(stopping((ctx, signal) => ctx.sleep("1 day", { signal })));
  await soon(object);
  send(object, "stop");
  await soon(object);
  const patient = workflow("Stopping", async (ctx) => {
    const asked = ctx.sleep("1 day");
    await ctx.waitForEvent("stop");
    await asked;
    return "slept";
  });
  object.deploy([patient]);
  send(object, "end"); // wakes it
  await soon(object);
  const due = "2026-01-02T00:00:00.000Z";
  expect(rowsOf(object).filter(([step]) => step === "sleep")).toEqual([["sleep", "open", due]]);
  expect(object.alarm).toBe(Date.parse(due));
  object.crash();
  await object.run();
  expect(object.commands.get(ID).output).toBe("slept");
});

describe("the attempts of a cancelled activity that changed code does not cancel", () => {
  /** Fails each time, after ten seconds; from the third attempt on it has a checkpoint to go on from. */
  function failing() {
    const clock = new VirtualClock();
    const attempts: string[] = [];
    const retry = { maxAttempts: 4, firstInterval: "1 minute", backoff: 1 } as const;
    const work = activity("Work", { retry }, async (_: undefined, ctx) => {
      attempts.push(`${ctx.attempt} from ${ctx.status.lastProcessedId}`);
      if (ctx.attempt >= 3) await ctx.checkpoint("7");
      await clock.sleep(10_000);
      throw new Error("not yet");
    });
    const impatient = stopping((ctx, signal) => ctx.call(work, undefined, { signal }));
    const patient = workflow("Stopping", async (ctx) => {
      const asked = ctx.call(work).catch((error) => error.attempts);
      await ctx.waitForEvent("stop");
      return asked;
    });
    return { attempts, patient, object: started(impatient, undefined, { clock }) };
  }

  test.each([
    ["waiting for its next attempt", 100_000, 2],
    ["in its third attempt", 145_000, 3],
  ] as const)("still count, where it was %s", async (_what, moment, begun) => {
    const { object, attempts, patient } = failing();
    await object.run(object.clock.now() + moment);
    expect(attempts).toHaveLength(begun);
    send(object, "stop");
    await soon(object);
    object.deploy([patient]);
    send(object, "end"); // wakes it
    await soon(object);
    object.crash(); // before anything else is written of it
    await object.run();
    expect(object.commands.get(ID).output).toBe(4);
    expect(attempts.filter((attempt) => attempt.startsWith("1 "))).toHaveLength(1);
    expect(attempts.filter((attempt) => attempt.startsWith("2 "))).toHaveLength(1);
  });

  test("come when they were due", async () => {
    const { object, attempts, patient } = failing();
    await object.run(object.clock.now() + 30_000);
    const due = object.alarm;
    send(object, "stop");
    await soon(object);
    expect(object.alarm).toBeNull();
    expect(rowsOf(object)).toContainEqual(["Work", "cancelled", null]);
    object.deploy([patient]);
    send(object, "end");
    await soon(object);
    expect([object.alarm, attempts]).toEqual([due, ["1 from initialId"]]);
  });
});

test("a signal that something else than a step aborts suspends the instance", async () => {
  const clock = new VirtualClock();
  const flow = workflow("Timed", async (ctx) => {
    const controller = new AbortController();
    void clock.sleep(5).then(() => controller.abort()); // as AbortSignal.timeout would
    await ctx.waitForEvent("go", { signal: controller.signal }).catch(codeOf);
    return ctx.waitForEvent("never");
  });
  const object = started(flow, undefined, { clock });
  await object.run(clock.now() + 10);
  await object.run(clock.now() + 10);
  expect(object.commands.get(ID).error?.code).toBe("WORKFLOW_STALLED");
});
