/** Activities and values that would take the engine down with them, or make it loop for ever. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import { RetryAfterError } from "../../src/core/failure.ts";
import { workflow } from "../../src/core/workflow.ts";
import { InProcessObject } from "../../src/testing/in-process-object.ts";
import { ID, ran, startCommand, started } from "./harness.ts";

const HOUR = 3_600_000;

test("an invalid moment in RetryAfterError leaves the wait to the policy", async () => {
  let attempts = 0;
  const limited = activity("Limited", { retry: { maxAttempts: 2 } }, () => {
    attempts++;
    throw new RetryAfterError("rate limited", new Date("soon"));
  });
  const { document } = await ran(workflow("W", (ctx) => ctx.call(limited)));
  expect(document.status).toBe("Failed");
  expect(attempts).toBe(2);
});

test("a moment in RetryAfterError that no alarm can hold is brought nearer", async () => {
  const limited = activity("Limited", { retry: { maxAttempts: 2 } }, () => {
    throw new RetryAfterError("rate limited", new Date(8.64e15));
  });
  const object = started(workflow("W", (ctx) => ctx.call(limited)));
  await object.run(object.clock.now() + HOUR);
  expect(object.alarm).toBeLessThan(Date.UTC(2189, 0));
});

test("an error that cannot be described still fails its activity", async () => {
  const hostile = activity("Hostile", { retry: { maxAttempts: 1 } }, () => {
    const error = new Error("x");
    Object.defineProperty(error, "stack", {
      get() {
        throw new Error("gotcha");
      },
    });
    throw error;
  });
  const { document } = await ran(workflow("W", (ctx) => ctx.call(hostile)));
  expect(document).toMatchObject({ status: "Failed", error: { type: "ActivityFailedError" } });
});

test("a key that is no well-formed text is refused where it is given", async () => {
  const noop = activity("Noop", () => 1);
  const keyed = workflow("W", (ctx) => ctx.call(noop, undefined, { key: "k\ud800" }));
  const { document } = await ran(keyed);
  expect(document).toMatchObject({ status: "Failed", error: { code: "NAME_INVALID" } });
});

test("an activity that checkpoints where it stands and then kills its object is counted", async () => {
  let starts = 0;
  const poison = activity("Poison", { retry: { maxAttempts: 3 } }, async (_: undefined, ctx) => {
    starts++;
    await ctx.checkpoint(ctx.status.lastProcessedId, { done: 0 });
    object.crash();
    await new Promise(() => {});
  });
  const object = started(workflow("W", (ctx) => ctx.call(poison)));
  await object.run(object.clock.now() + 6 * HOUR);
  expect(object.commands.get(ID)).toMatchObject({
    status: "Failed",
    error: { cause: { code: "ATTEMPT_LOST" } },
  });
  expect(starts).toBeLessThanOrEqual(5);
});

test("an activity that kills its process beside a wait for next week is counted", async () => {
  let starts = 0;
  const poison = activity("Poison", { retry: { maxAttempts: 2 } }, () => {
    starts++;
    return new Promise(() => {});
  });
  const object = started(
    workflow("W", async (ctx) => {
      void ctx.waitForEvent("cancel", { timeout: "1 week" }).catch(() => {});
      await ctx.sleep("1 hour");
      await ctx.call(poison);
    }),
  );
  await object.run(object.clock.now() + HOUR + 1_000);
  for (let restart = 0; restart < 20; restart++) {
    object.crash(); // and the platform starts the process anew, counting no retry
    await object.run(object.clock.now() + 2_000);
  }
  expect(object.commands.get(ID).status).toBe("Failed");
  expect(starts).toBeLessThanOrEqual(3);
});

test("a log that cannot be written costs no attempt", async () => {
  const slow = activity("Slow", { retry: { maxAttempts: 1 } }, async () => {
    await object.clock.sleep(30_000);
    return "fine";
  });
  const logging = workflow("W", async (ctx) => {
    const result = ctx.call(slow);
    await ctx.sleep(5_000);
    ctx.log("boom", { big: 1n as never });
    return result;
  });
  const object = new InProcessObject({
    workflows: [logging],
    onLog: ({ message }) => {
      if (message === "boom") throw new Error("the log is full");
    },
  });
  object.commands.start(startCommand(logging));
  await object.run(object.clock.now() + 1_000);
  object.crash(); // so that the attempt is marked
  await object.run(object.clock.now() + 120_000);
  expect(object.commands.get(ID)).toMatchObject({ status: "Completed", output: "fine" });
  expect(object.logs.filter(({ event }) => event === "engine.failed")).toEqual([]);
});

test("a pre-empted activity is forgotten with all it held", async () => {
  let kept = 0;
  const registry = new FinalizationRegistry(() => kept--);
  const paged = activity("Paged", async (total: number, ctx) => {
    const page = { rows: new Array(1_000).fill(0) };
    kept++;
    registry.register(page, 0);
    for (let id = (Number(ctx.status.lastProcessedId) || 0) + 1; id <= total; id++) {
      await ctx.checkpoint(id, { rows: page.rows.length });
    }
  });
  const { document } = await ran(
    workflow("W", (ctx) => ctx.call(paged, 200)),
    undefined,
    { turn: { checkpoints: 1 } },
  );
  expect(document.status).toBe("Completed");
  setFlagsFromString("--expose-gc");
  const gc: () => void = runInNewContext("gc");
  for (let round = 0; round < 10 && kept > 5; round++) {
    gc();
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(kept).toBeLessThanOrEqual(5);
});
