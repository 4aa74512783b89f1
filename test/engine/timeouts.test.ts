import { describe, expect, test } from "vitest";
import { type ActivityContext, type ActivityOptions, activity } from "../../src/core/activity.ts";
import { workflow } from "../../src/core/workflow.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { ID, ran, started } from "./harness.ts";

/** A workflow of one activity with a timeout of a second, and when its attempts started. */
function slow(run: (ctx: ActivityContext) => unknown, options: ActivityOptions = {}) {
  const clock = new VirtualClock();
  const begun = clock.now();
  const starts: number[] = [];
  const work = activity("Slow", { timeout: "1 second", ...options }, async (_: undefined, ctx) => {
    starts.push(clock.now() - begun);
    return await run(ctx);
  });
  const single = workflow("Single", (ctx) => ctx.call(work));
  return { clock, begun, starts, work, single };
}

const retry = (maxAttempts: number, firstInterval = 500) => ({
  retry: { maxAttempts, firstInterval, backoff: 1 },
});

/** Waits on the clock, and stops early when the attempt is over: what a good activity does. */
function politely(clock: VirtualClock, ctx: ActivityContext, millis: number): Promise<void> {
  const stopped = new Promise<void>((_resolve, reject) => {
    ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason));
  });
  return Promise.race([clock.sleep(millis), stopped]);
}

test("an attempt that takes longer than its timeout fails, and its signal says why", async () => {
  const reasons: unknown[] = [];
  const { clock, single, starts } = slow(async (ctx) => {
    ctx.signal.addEventListener("abort", () => reasons.push(ctx.signal.reason));
    await politely(clock, ctx, 60_000);
  }, retry(2));
  const { document } = await ran(single, undefined, { clock });
  expect(starts).toEqual([0, 1_500]);
  expect(reasons).toMatchObject([{ code: "ATTEMPT_TIMEOUT" }, { code: "ATTEMPT_TIMEOUT" }]);
  expect(document).toMatchObject({
    status: "Failed",
    error: { cause: { code: "ATTEMPT_TIMEOUT", message: "the attempt took longer than 1000 ms" } },
  });
});

test("an attempt that ends at the very moment of its timeout has ended in time", async () => {
  const { clock, single, starts } = slow(async () => {
    await clock.sleep(1_000);
    return "just in time";
  });
  const { document } = await ran(single, undefined, { clock });
  expect(document.output).toBe("just in time");
  expect(starts).toEqual([0]);
});

test("each attempt has the whole timeout to itself", async () => {
  const { clock, single } = slow(async (ctx) => {
    await politely(clock, ctx, ctx.attempt < 3 ? 1_001 : 999);
    return ctx.attempt;
  }, retry(3));
  const { document } = await ran(single, undefined, { clock });
  expect(document.output).toBe(3);
});

test("a signal that is first asked for after the timeout is aborted already", async () => {
  const seen: unknown[] = [];
  const { clock, single } = slow(async (ctx) => {
    await clock.sleep(2_000);
    seen.push(ctx.signal.aborted, ctx.signal.reason);
  }, retry(1));
  const { object } = await ran(single, undefined, { clock });
  await object.run(clock.now() + 10_000);
  expect(seen).toMatchObject([true, { code: "ATTEMPT_TIMEOUT" }]);
});

describe("an attempt that goes on after its timeout", () => {
  test("is not listened to any more, whether it returns or throws", async () => {
    for (const late of [() => "late", () => Promise.reject(new Error("late"))]) {
      const { clock, single } = slow(
        async (ctx) => {
          if (ctx.attempt > 1) return "second";
          await clock.sleep(1_700); // it settles before the second attempt may start
          return late();
        },
        retry(2, 400),
      );
      const { document, object } = await ran(single, undefined, { clock });
      expect(document).toMatchObject({ status: "Completed", output: "second" });
      expect(object.commands.history(ID, null, 9).items).toMatchObject([{ attempts: 2 }]);
    }
  });

  test("holds the next attempt back until it settles", async () => {
    const { clock, single, starts } = slow(async (ctx) => {
      if (ctx.attempt === 1) await clock.sleep(4_000);
    }, retry(2));
    await ran(single, undefined, { clock });
    expect(starts).toEqual([0, 4_000]);
  });

  test("holds the next attempt back for five seconds at most", async () => {
    const { clock, single, starts } = slow(async (ctx) => {
      if (ctx.attempt === 1) await clock.sleep(60_000);
    }, retry(2));
    await ran(single, undefined, { clock });
    expect(starts).toEqual([0, 6_000]);
  });

  test("does not hold back what is due only after five seconds", async () => {
    const { clock, single, starts } = slow(
      async (ctx) => {
        if (ctx.attempt === 1) await clock.sleep(60_000);
      },
      retry(2, 20_000),
    );
    await ran(single, undefined, { clock });
    expect(starts).toEqual([0, 21_000]);
  });

  test("comes to rest at its next checkpoint, which writes nothing and lets the next one start", async () => {
    const after: string[] = [];
    const { clock, single, starts } = slow(async (ctx) => {
      if (ctx.attempt > 1) return ctx.status.lastProcessedId;
      await ctx.checkpoint("before");
      await clock.sleep(3_000);
      await ctx.checkpoint("after");
      after.push("went on");
      return "late";
    }, retry(2));
    const { document } = await ran(single, undefined, { clock });
    expect(document.output).toBe("before");
    expect(starts).toEqual([0, 3_000]);
    expect(after).toEqual([]);
  });

  test("logs nothing any more", async () => {
    const { clock, single } = slow(async (ctx) => {
      if (ctx.attempt > 1) return;
      ctx.log("in time");
      await clock.sleep(1_200);
      ctx.log("too late");
    }, retry(2));
    const { object } = await ran(single, undefined, { clock });
    const lines = object.logs.filter((event) => event.event === "log").map((line) => line.message);
    expect(lines).toEqual(["in time"]);
  });
});

test("a call may set its own timeout", async () => {
  const clock = new VirtualClock();
  const work = activity("Work", async (_: undefined, ctx) => politely(clock, ctx, 5_000));
  const single = workflow("Single", (ctx) =>
    ctx.call(work, undefined, { timeout: "2 seconds", retry: { maxAttempts: 1 } }),
  );
  const { document } = await ran(single, undefined, { clock });
  expect(document.error?.cause?.message).toBe("the attempt took longer than 2000 ms");
});

test("no timeout means none", async () => {
  const clock = new VirtualClock();
  const work = activity("Work", async () => clock.sleep(3_600_000).then(() => "done"));
  const { document } = await ran(
    workflow("Single", (ctx) => ctx.call(work)),
    undefined,
    { clock },
  );
  expect(document.output).toBe("done");
});

test("parallel attempts time out each at its own moment, and the others go on", async () => {
  const clock = new VirtualClock();
  const work = activity("Work", async (timeout: number, ctx) => {
    await politely(clock, ctx, 3_000);
    return timeout;
  });
  const parallel = workflow("Parallel", async (ctx) => {
    const call = (timeout: number) =>
      ctx.call(work, timeout, { timeout, retry: { maxAttempts: 1 } });
    const ends = await Promise.allSettled([call(2_000), call(4_000), call(1_000)]);
    return [ctx.now.getTime(), ...ends.map((end) => end.status)];
  });
  const { document } = await ran(parallel, undefined, { clock });
  expect(document.output).toEqual([
    Date.UTC(2026, 0, 1) + 3_000,
    "rejected",
    "fulfilled",
    "rejected",
  ]);
});

test("the timeout of an attempt that a crash took starts anew with the next one", async () => {
  const { clock, begun, single, starts } = slow(async (ctx) => {
    await politely(clock, ctx, 900);
    return "done";
  });
  const object = started(single, undefined, { clock });
  await object.run(begun + 500);
  object.crash();
  await object.run();
  expect(object.commands.get(ID).output).toBe("done");
  expect(starts).toEqual([0, 500]);
});
