import { describe, expect, test } from "vitest";
import { type ActivityOptions, activity } from "../../src/core/activity.ts";
import type { WorkflowContext } from "../../src/core/context.ts";
import {
  ActivityFailedError,
  type Failure,
  NonRetryableError,
  RetryAfterError,
} from "../../src/core/failure.ts";
import { workflow } from "../../src/core/workflow.ts";
import type { TraceEvent } from "../../src/testing/trace.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { atEachCommit, crashesAt, ID, ran, startCommand, started } from "./harness.ts";

const HOUR = 3_600_000;

/** A workflow of one activity that fails so often, and what its attempts saw. */
function flaky(
  failures: number,
  options: ActivityOptions,
  error = (n: number) => new Error(`no ${n}`),
) {
  const clock = new VirtualClock();
  const begun = clock.now();
  const tries: { attempt: number; after: number; key: string }[] = [];
  const work = activity("Flaky", options, (_input: undefined, ctx) => {
    tries.push({ attempt: ctx.attempt, after: clock.now() - begun, key: ctx.idempotencyKey });
    if (tries.length <= failures) throw error(tries.length);
    return "done";
  });
  const single = workflow("Single", (ctx) => ctx.call(work));
  return { clock, begun, tries, work, single, times: () => tries.map((one) => one.after) };
}

test("the waits between attempts grow as the policy says, up to the longest", async () => {
  const retry = {
    maxAttempts: 5,
    firstInterval: "2 seconds",
    backoff: 3,
    maxInterval: "10 seconds",
  };
  const { clock, single, tries, times } = flaky(4, { retry } as ActivityOptions);
  const { document } = await ran(single, undefined, { clock });
  expect(document).toMatchObject({ status: "Completed", output: "done" });
  expect(times()).toEqual([0, 2_000, 8_000, 18_000, 28_000]);
  expect(tries.map((one) => one.attempt)).toEqual([1, 2, 3, 4, 5]);
});

test("maxAttempts counts the first attempt, and the last failure is the one that is told", async () => {
  const { clock, single, tries } = flaky(9, { retry: { maxAttempts: 3 } });
  const { document, object } = await ran(single, undefined, { clock });
  expect(tries).toHaveLength(3);
  expect(document).toMatchObject({
    status: "Failed",
    output: null,
    error: {
      type: "ActivityFailedError",
      code: "ACTIVITY_FAILED",
      message: "Flaky failed after 3 attempts: Error: no 3",
      cause: { type: "Error", message: "no 3" },
    },
  });
  expect(object.commands.history(ID, null, 10).items).toMatchObject([
    { step: "Flaky", state: "failed", attempts: 3, error: { message: "no 3" }, due: null },
  ]);
  expect(object.alarm).toBeNull();
});

test("a single attempt is a single attempt", async () => {
  const { clock, single, tries } = flaky(9, { retry: { maxAttempts: 1 } });
  const { document } = await ran(single, undefined, { clock });
  expect(tries).toHaveLength(1);
  expect(document.error?.message).toBe("Flaky failed after its only attempt: Error: no 1");
});

test("a NonRetryableError fails the step at once, with its cause", async () => {
  const error = () => new NonRetryableError("declined", { cause: new TypeError("bad card") });
  const { clock, single, tries } = flaky(9, {}, error);
  const { document } = await ran(single, undefined, { clock });
  expect(tries).toHaveLength(1);
  expect(document.error?.cause).toMatchObject({
    type: "NonRetryableError",
    code: "NON_RETRYABLE",
    message: "declined",
    cause: { type: "TypeError", message: "bad card" },
  });
});

describe("a RetryAfterError", () => {
  test("says how long to wait, and its attempt counts", async () => {
    const error = () => new RetryAfterError("limited", "30 seconds");
    const { clock, single, times } = flaky(9, { retry: { maxAttempts: 3 } }, error);
    const { document } = await ran(single, undefined, { clock });
    expect(times()).toEqual([0, 30_000, 60_000]);
    expect(document.error?.cause).toMatchObject({ type: "RetryAfterError", code: "RETRY_AFTER" });
  });

  test("says the moment itself", async () => {
    const at = new Date(Date.UTC(2026, 0, 1, 6));
    const { clock, single, times } = flaky(1, {}, () => new RetryAfterError("limited", at));
    await ran(single, undefined, { clock });
    expect(times()).toEqual([0, 6 * HOUR]);
  });

  test("with a moment that is none ends in some way, and not in attempts without end", async () => {
    const error = () => new RetryAfterError("limited", new Date("not a header"));
    const { clock, begun, single, tries } = flaky(1_000, { retry: { maxAttempts: 3 } }, error);
    const object = started(single, undefined, { clock });
    await object.run(begun + HOUR);
    expect(object.commands.get(ID).status).toBe("Failed");
    expect(tries.length).toBeLessThanOrEqual(3);
  });
});

describe("retryIf", () => {
  test("sees the failure and may end the step", async () => {
    const seen: Failure[] = [];
    const retryIf = (failure: Failure) => {
      seen.push(failure);
      return failure.code === "AGAIN";
    };
    const error = (n: number) =>
      Object.assign(new Error("no"), { code: n < 3 ? "AGAIN" : "NEVER" });
    const { clock, single, tries } = flaky(9, { retry: { maxAttempts: 9, retryIf } }, error);
    const { document } = await ran(single, undefined, { clock });
    expect(tries).toHaveLength(3);
    expect(seen.map((failure) => failure.code)).toEqual(["AGAIN", "AGAIN", "NEVER"]);
    expect(document.error?.cause).toMatchObject({ code: "NEVER" });
  });

  test("that throws fails the step with what it threw, caused by the failure", async () => {
    const retryIf = () => {
      throw new RangeError("a bug in retryIf");
    };
    const { clock, single, tries } = flaky(9, { retry: { retryIf } });
    const { document } = await ran(single, undefined, { clock });
    expect(tries).toHaveLength(1);
    expect(document).toMatchObject({
      status: "Failed",
      error: { cause: { type: "RangeError", cause: { message: "no 1" } } },
    });
  });
});

test("no attempt starts later than retryTimeout after the first", async () => {
  const retry = { maxAttempts: 9, firstInterval: 1_000, backoff: 1, retryTimeout: "2.5 seconds" };
  const { clock, single, times } = flaky(9, { retry } as ActivityOptions);
  const { document } = await ran(single, undefined, { clock });
  expect(times()).toEqual([0, 1_000, 2_000]);
  expect(document.error?.message).toContain("after 3 attempts");
});

describe("a crash between two attempts", () => {
  test("changes neither their count nor their times", async () => {
    const { clock, begun, single, tries, times } = flaky(9, { retry: { maxAttempts: 4 } });
    const object = started(single, undefined, { clock });
    for (const after of [500, 1_500, 5_000]) {
      await object.run(begun + after);
      object.crash();
    }
    await object.run();
    expect(tries.map((one) => one.attempt)).toEqual([1, 2, 3, 4]);
    expect(times()).toEqual([0, 1_000, 3_000, 7_000]);
    expect(object.commands.get(ID).error?.message).toContain("after 4 attempts: Error: no 4");
  });

  test("does not lengthen the time retryTimeout gives", async () => {
    const retry = { maxAttempts: 9, firstInterval: 1_000, backoff: 1, retryTimeout: 2_500 };
    const { clock, begun, single, times } = flaky(9, { retry });
    const object = started(single, undefined, { clock });
    await object.run(begun + 1_500);
    object.crash();
    await object.run();
    expect(times()).toEqual([0, 1_000, 2_000]);
  });

  test("shows the failure of the last attempt meanwhile", async () => {
    const { clock, begun, single } = flaky(9, {});
    const object = started(single, undefined, { clock });
    await object.run(begun + 500);
    object.crash();
    expect(object.commands.history(ID, null, 9).items).toMatchObject([
      { state: "open", attempts: 1, error: { message: "no 1" }, due: "2026-01-01T00:00:01.000Z" },
    ]);
  });
});

test("the idempotency key is one for all attempts of a step, and another for each other step", async () => {
  const { clock, work, tries } = flaky(2, {});
  const twice = workflow("Twice", async (ctx) => {
    await ctx.call(work);
    await ctx.call(work, undefined, { key: "a key" });
  });
  const object = started(twice, undefined, { clock });
  await object.run();
  const keys = tries.map((one) => one.key);
  expect(keys.slice(0, 3)).toEqual([keys[0], keys[0], keys[0]]);
  expect(keys[3]).not.toBe(keys[0]);
  object.commands.start(startCommand(twice, undefined, { onConflict: "replace" }));
  await object.run();
  expect(new Set(tries.map((one) => one.key)).size).toBe(4); // the next execution has its own
});

describe("a workflow that catches", () => {
  test("goes on, and sees what failed", async () => {
    const { clock, work } = flaky(9, { retry: { maxAttempts: 2 } });
    const caught = workflow("Caught", async (ctx) => {
      try {
        await ctx.call(work);
      } catch (error) {
        if (!(error instanceof ActivityFailedError)) throw error;
        return [error.step, error.attempts, error.failure.message, error.code];
      }
      return "not caught";
    });
    const { document } = await ran(caught, undefined, { clock });
    expect(document).toMatchObject({
      status: "Completed",
      output: ["Flaky", 2, "no 2", "ACTIVITY_FAILED"],
    });
  });

  test("sees the same failure when it runs again after a crash", async () => {
    const error = () =>
      Object.assign(new TypeError("no", { cause: "why" }), { status: 5, off: -0, left: undefined });
    const { clock, begun, work } = flaky(9, { retry: { maxAttempts: 2 } }, error);
    const seen: unknown[] = [];
    const told = activity("Told", (_properties: unknown) => {});
    const caught = workflow("Caught", async (ctx: WorkflowContext) => {
      await ctx.call(work).catch((thrown: ActivityFailedError) => {
        seen.push({ ...thrown, message: thrown.message, failure: thrown.failure });
        void ctx.call(told, thrown.failure.properties);
      });
      await ctx.sleep("1 hour");
    });
    const object = started(caught, undefined, { clock });
    await object.run(begun + 60_000);
    object.crash();
    await object.run();
    expect(object.commands.get(ID).status).toBe("Completed");
    expect(seen).toHaveLength(2);
    expect(seen[1]).toStrictEqual(seen[0]);
  });
});

test("a NonRetryableError that was caught and recorded is not run into again, whatever commit the object is lost at", async () => {
  const commits = await atEachCommit(async (point) => {
    const error = () => new NonRetryableError("declined");
    const { clock, work, tries } = flaky(9, {}, error);
    const caught = workflow("Caught", async (ctx) => {
      const code = await ctx.call(work).catch((thrown: ActivityFailedError) => thrown.failure.code);
      await ctx.sleep("1 hour");
      await ctx.sleep("1 hour");
      return code;
    });
    let triesAtRecord = 0;
    let onCommit = () => {};
    const onEvent = ({ kind }: TraceEvent) => kind === "commit" && onCommit();
    const object = started(caught, undefined, { clock, onEvent, faults: crashesAt(point) });
    onCommit = () => {
      const recorded = object.sql.all("SELECT id FROM step WHERE state = 'failed'").length > 0;
      if (recorded && triesAtRecord === 0) triesAtRecord = tries.length;
    };
    for (const _ of [1, 2]) {
      await object.run(clock.now() + HOUR / 2);
      object.crash();
    }
    await object.run();
    expect(object.commands.get(ID)).toMatchObject({ status: "Completed", output: "NON_RETRYABLE" });
    expect(triesAtRecord).toBeGreaterThan(0);
    expect([point, tries.length]).toEqual([point, triesAtRecord]);
    expect(tries.every(({ attempt }) => attempt === 1)).toBe(true);
    return object;
  });
  expect(commits).toBeGreaterThan(4);
});

test("a call may override the activity's policy, field by field", async () => {
  const { clock, work, times } = flaky(9, { retry: { maxAttempts: 3, firstInterval: 1_000 } });
  const single = workflow("Single", (ctx) =>
    ctx.call(work, undefined, { retry: { firstInterval: 5_000, backoff: 1 } }),
  );
  await ran(single, undefined, { clock });
  expect(times()).toEqual([0, 5_000, 10_000]);
});

test("an inline step is retried as an activity is", async () => {
  const clock = new VirtualClock();
  const attempts: number[] = [];
  const inline = workflow("Inline", (ctx) =>
    ctx.run(
      "fetch rate",
      (step) => {
        attempts.push(step.attempt);
        if (step.attempt < 3) throw new Error("not yet");
        return 1.1;
      },
      { retry: { firstInterval: "1 minute", backoff: 1 } },
    ),
  );
  const { document } = await ran(inline, undefined, { clock });
  expect(document.output).toBe(1.1);
  expect(attempts).toEqual([1, 2, 3]);
  expect(clock.now()).toBe(Date.UTC(2026, 0, 1, 0, 2));
});

test("attempts of parallel steps are counted each on its own", async () => {
  const counts: Record<string, number> = {};
  const work = activity(
    "Work",
    { retry: { maxAttempts: 4, firstInterval: 100 } },
    (failures: number, ctx) => {
      counts[ctx.step] = ctx.attempt;
      if (ctx.attempt <= failures) throw new Error("not yet");
      return ctx.attempt;
    },
  );
  const parallel = workflow("Parallel", (ctx) =>
    Promise.all([0, 3, 1].map((failures) => ctx.call(work, failures))),
  );
  const { document } = await ran(parallel);
  expect(document.output).toEqual([1, 4, 2]);
  expect(counts).toEqual({ Work: 1, "Work#2": 4, "Work#3": 2 });
});

test.each<[string, () => unknown]>([
  [
    "an error with a getter that throws",
    () =>
      Object.defineProperty(new Error("a"), "message", {
        get: () => {
          throw new Error("spite");
        },
      }),
  ],
  [
    "an error whose name is no text",
    () => Object.assign(new Error("a"), { name: Object.create(null) }),
  ],
  ["nothing at all", () => undefined],
  ["text", () => "no"],
])("an activity that throws %s fails after its attempts as any other", async (_what, error) => {
  const { clock, begun, single, tries } = flaky(
    1_000,
    { retry: { maxAttempts: 2 } },
    error as () => Error,
  );
  const object = started(single, undefined, { clock });
  await object.run(begun + HOUR);
  expect(object.commands.get(ID).status).toBe("Failed");
  expect(tries).toHaveLength(2);
});
