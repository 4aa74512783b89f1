import { describe, expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import { workflow } from "../../src/core/workflow.ts";
import type { InProcessObject } from "../../src/testing/in-process-object.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { codeOf } from "../core/thrown.ts";
import { ID, ran, startCommand, started } from "./harness.ts";
import { eachRecord } from "./records.ts";

const napping = workflow("Napping", async (ctx) => {
  await ctx.sleep("1 hour");
  return "woke";
});

function terminate(object: InProcessObject, reason: string | null = "by test") {
  const document = object.commands.terminate(ID, { reason });
  object.commit();
  return document;
}

/** An instance in the middle of an activity that takes ten seconds. */
async function working(end: () => unknown = () => "done") {
  const clock = new VirtualClock();
  const reasons: unknown[] = [];
  const after: string[] = [];
  const work = activity("Work", async (_: undefined, ctx) => {
    ctx.signal.addEventListener("abort", () => reasons.push(ctx.signal.reason));
    await ctx.checkpoint("before");
    await clock.sleep(10_000);
    after.push("woke");
    return end();
  });
  const single = workflow("Single", (ctx) => ctx.call(work));
  const object = started(single, undefined, { clock });
  await object.run(clock.now() + 5_000);
  return { object, clock, reasons, after, single };
}

describe("terminate during an activity", () => {
  test("ends the instance at once, and the activity's signal aborts with the reason", async () => {
    const { object, reasons } = await working();
    expect(terminate(object)).toMatchObject({
      status: "Terminated",
      output: null,
      error: { type: "Terminated", message: "by test" },
      waitingFor: [],
      completedAt: "2026-01-01T00:00:05.000Z",
    });
    expect(reasons).toMatchObject([{ code: "ATTEMPT_STOPPED" }]);
    await object.run(object.clock.now() + 1);
    expect(object.alarm).toBeNull();
    expect(object.commands.history(ID, null, 9).items).toMatchObject([
      {
        step: "Work",
        state: "cancelled",
        seq: null,
        activityStatus: { lastProcessedId: "before" },
      },
    ]);
  });

  test.each<[string, () => unknown]>([
    ["returns", () => "done"],
    ["throws", () => Promise.reject(new Error("late"))],
  ])("ignores what comes of it when it %s later", async (_how, end) => {
    const { object, after } = await working(end);
    const terminated = terminate(object);
    await object.run(object.clock.now() + 60_000);
    expect(after).toEqual(["woke"]);
    expect(object.commands.get(ID)).toEqual(terminated);
    expect(object.alarm).toBeNull();
  });

  test("keeps the checkpoints it makes later from being written, and from returning", async () => {
    const clock = new VirtualClock();
    const records: number[] = [];
    const work = activity("Work", async (_: undefined, ctx) => {
      await eachRecord(ctx, 9, async (record) => {
        await clock.sleep(1_000);
        records.push(record);
      });
    });
    const object = started(
      workflow("Single", (ctx) => ctx.call(work)),
      undefined,
      { clock },
    );
    await object.run(clock.now() + 3_500);
    terminate(object);
    await object.run(clock.now() + 60_000);
    expect(records).toEqual([1, 2, 3, 4]);
    expect(object.commands.get(ID).activityStatus?.lastProcessedId).toBe("3");
  });

  test("takes hold also where a retry was due", async () => {
    let runs = 0;
    const work = activity("Work", () => {
      runs++;
      throw new Error("no");
    });
    const object = started(workflow("Single", (ctx) => ctx.call(work)));
    await object.run(object.clock.now() + 500);
    terminate(object);
    await object.run(object.clock.now() + 3_600_000);
    expect(runs).toBe(1);
  });

  test("lets the same step of the instance that takes its place wait until it settles", async () => {
    const { object, clock, single, after } = await working();
    terminate(object);
    object.commands.start(startCommand(single, undefined, { onConflict: "replaceFinished" }));
    await object.run(clock.now() + 4_999); // the old one settles after five seconds
    expect(object.commands.get(ID).activityStatus?.lastProcessedId).not.toBe("before");
    await object.run();
    expect(object.commands.get(ID)).toMatchObject({ status: "Completed", output: "done" });
    expect(after).toEqual(["woke", "woke"]);
    expect(clock.now()).toBeGreaterThanOrEqual(Date.UTC(2026, 0, 1) + 20_000);
  });
});

describe("terminate while the instance sleeps", () => {
  test("ends it, and nothing wakes it again", async () => {
    for (const crash of [false, true]) {
      const object = started(napping);
      await object.run(object.clock.now() + 5);
      if (crash) object.crash();
      terminate(object);
      expect(object.alarm).toBeNull();
      await object.run(object.clock.now() + 7_200_000);
      expect(object.commands.get(ID)).toMatchObject({ status: "Terminated", output: null });
      expect(object.commands.history(ID, null, 9).items).toMatchObject([
        { step: "sleep", state: "cancelled", due: null, completedAt: "2026-01-01T00:00:00.005Z" },
      ]);
    }
  });

  test("is lost with the object where it was not yet durable", async () => {
    const object = started(napping);
    await object.run(object.clock.now() + 5);
    object.commands.terminate(ID, { reason: null });
    object.crash();
    await object.run();
    expect(object.commands.get(ID)).toMatchObject({ status: "Completed", output: "woke" });
  });

  test("before its first turn, or long before its start, ends it without one", async () => {
    const runs: string[] = [];
    const noted = workflow("Noted", async () => runs.push("ran"));
    const object = started(noted);
    terminate(object);
    await object.run();
    expect(object.commands.get(ID)).toMatchObject({ status: "Terminated", startedAt: null });
    const startAt = object.clock.now() + 3_600_000;
    object.commands.start(startCommand(noted, undefined, { onConflict: "replace", startAt }));
    terminate(object);
    await object.run();
    expect(runs).toEqual([]);
  });
});

describe("terminate again", () => {
  test("changes nothing and says the same", async () => {
    const object = started(napping);
    const first = terminate(object, "first");
    object.clock.moveTo(object.clock.now() + 5_000);
    expect(terminate(object, "second")).toEqual(first);
    object.crash();
    expect(terminate(object, "third")).toEqual(first);
  });

  test.each(["Completed", "Failed"])("is refused where the instance is %s", async (status) => {
    const ending = workflow("Ending", () => {
      if (status === "Failed") throw new Error("no");
    });
    const { object, document } = await ran(ending);
    expect(document.status).toBe(status);
    expect(codeOf(() => terminate(object))).toBe("INSTANCE_TERMINAL");
    expect(object.commands.get(ID)).toEqual(document);
  });

  test("of an instance that never was is refused", async () => {
    const { object } = await ran(napping);
    expect(codeOf(() => object.commands.terminate(ID, { reason: null }))).toBe("INSTANCE_TERMINAL");
  });
});

test("without a reason it says so in words of its own", () => {
  const object = started(napping);
  expect(terminate(object, null).error).toEqual({
    type: "Terminated",
    message: "terminated by request",
  });
});

test("it is logged once, with its reason, after it is durable", async () => {
  const object = started(napping);
  await object.run(object.clock.now() + 5);
  object.commands.terminate(ID, { reason: "by test" });
  const terminations = () => object.logs.filter((event) => event.event === "instance.terminated");
  expect(terminations()).toEqual([]);
  await object.run();
  expect(terminations()).toMatchObject([{ reason: "by test", instance: ID }]);
});
