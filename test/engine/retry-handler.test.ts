/** Retries that the code decides: for activities, inline steps and children, and over any crash. */
import { describe, expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import { NonRetryableError, RetryAfterError } from "../../src/core/failure.ts";
import type { RetryContext, RetryHandler } from "../../src/core/retry.ts";
import { workflow } from "../../src/core/workflow.ts";
import { Cluster } from "../../src/testing/cluster.ts";
import { explore } from "../../src/testing/explore.ts";
import { mock } from "../../src/testing/mock.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { crashesAt, ID, ran, started } from "./harness.ts";

/** An activity that always fails, a workflow of it, and when its attempts began. */
function failing(retry: RetryHandler, error = (n: number): unknown => new Error(`no ${n}`)) {
  const clock = new VirtualClock();
  const begun = clock.now();
  const times: number[] = [];
  const work = activity("Work", { retry }, () => {
    times.push(clock.now() - begun);
    throw error(times.length);
  });
  return { clock, begun, times, work, single: workflow("Single", (ctx) => ctx.call(work)) };
}

test("a handler says after each attempt when the next one comes, until it gives up", async () => {
  const seen: RetryContext[] = [];
  const { clock, single, times } = failing((context) => {
    seen.push(context);
    return context.attempt < 4 ? context.attempt * 1_000 : null;
  });
  const { document } = await ran(single, undefined, { clock });
  expect(times).toEqual([0, 1_000, 3_000, 6_000]);
  expect(seen.map(({ attempt, elapsed }) => [attempt, elapsed])).toEqual([
    [1, 0],
    [2, 1_000],
    [3, 3_000],
    [4, 6_000],
  ]);
  expect(seen[1]?.failure).toMatchObject({ type: "Error", message: "no 2" });
  expect(document.error?.message).toBe("Work failed after 4 attempts: Error: no 4");
});

test("0 is at once, also many times over", async () => {
  const { clock, single, times } = failing(({ attempt }) => (attempt < 2_500 ? 0 : null));
  const { document } = await ran(single, undefined, { clock });
  expect(times).toHaveLength(2_500);
  expect(document.status).toBe("Failed");
});

test("a NonRetryableError stops at once, and the handler is not asked", async () => {
  let asked = 0;
  const handler = () => ++asked;
  const { clock, single, times } = failing(handler, () => new NonRetryableError("never"));
  await ran(single, undefined, { clock });
  expect([times.length, asked]).toEqual([1, 0]);
});

test("the handler sees how long a RetryAfterError asks to wait, and need not heed it", async () => {
  const seen: (number | null)[] = [];
  const error = (n: number) =>
    n === 1 ? new RetryAfterError("limited", "30 seconds") : new Error("no");
  const { clock, single, times } = failing(({ retryAfter, attempt }) => {
    seen.push(retryAfter);
    return attempt < 3 ? 5_000 : null;
  }, error);
  await ran(single, undefined, { clock });
  expect(seen).toEqual([30_000, null, null]);
  expect(times).toEqual([0, 5_000, 10_000]);
});

describe("a handler that cannot be followed fails the step, caused by the failure", () => {
  test("where it throws", async () => {
    const { clock, single, times } = failing(() => {
      throw new RangeError("a bug in the handler");
    });
    const { document } = await ran(single, undefined, { clock });
    expect(times).toHaveLength(1);
    expect(document).toMatchObject({
      status: "Failed",
      error: { cause: { type: "RangeError", cause: { message: "no 1" } } },
    });
  });

  test.each<[string, () => unknown]>([
    ["a promise", () => Promise.reject(new Error("late"))],
    ["NaN", () => Number.NaN],
    ["undefined", () => undefined],
  ])("where it returns %s", async (words, returned) => {
    const { clock, single, times } = failing(returned as RetryHandler);
    const { document } = await ran(single, undefined, { clock });
    expect(times).toHaveLength(1);
    const cause = { code: "DEFINITION_INVALID", cause: { message: "no 1" } };
    expect(document).toMatchObject({ status: "Failed", error: { cause } });
    expect(document.error?.message).toContain(`a retry handler returned ${words}`);
  });
});

test("a call's handler takes the place of the activity's policy, and its policy that of a handler", async () => {
  const counts: Record<string, number> = {};
  const run = (name: string) => () => {
    counts[name] = (counts[name] ?? 0) + 1;
    throw new Error("no");
  };
  const policy = activity("Policy", { retry: { maxAttempts: 9 } }, run("policy"));
  const handler = activity("Handler", { retry: () => null }, run("handler"));
  const both = workflow("Both", async (ctx) => {
    const twice: RetryHandler = ({ attempt }) => (attempt < 2 ? 0 : null);
    await ctx.call(policy, undefined, { retry: twice }).catch(() => {});
    const retry = { maxAttempts: 3 };
    await ctx.call(handler, undefined, { retry }).catch(() => {});
    await ctx.call(handler, undefined, { key: "its own" }).catch(() => {});
  });
  await ran(both);
  expect(counts).toEqual({ policy: 2, handler: 4 });
});

test("an inline step has a handler too", async () => {
  const clock = new VirtualClock();
  const retry: RetryHandler = ({ attempt }) => (attempt < 3 ? "1 minute" : null);
  const inline = workflow("Inline", (ctx) =>
    ctx.run(
      "look",
      ({ attempt }) => {
        if (attempt < 3) throw new Error("not yet");
        return attempt;
      },
      { retry },
    ),
  );
  const { document } = await ran(inline, undefined, { clock });
  expect(document.output).toBe(3);
  expect(clock.now()).toBe(Date.UTC(2026, 0, 1, 0, 2));
});

test("a child that failed is started again as the handler says, which sees why it failed", async () => {
  const seen: unknown[] = [];
  const child = workflow("Child", async () => {
    throw new TypeError("not today");
  });
  const parent = workflow("Parent", (ctx) =>
    ctx.call(child, undefined, {
      id: "child",
      retry: ({ attempt, elapsed, failure: { type, instanceId } }) => {
        seen.push({ attempt, elapsed, type, instanceId });
        return attempt < 3 ? "1 hour" : null;
      },
    }),
  );
  const cluster = new Cluster({ workflows: [parent, child] });
  const instance = await cluster.start(parent);
  await cluster.run();
  expect(instance.document()).toMatchObject({ status: "Failed", error: { code: "CHILD_FAILED" } });
  expect(seen).toMatchObject([1, 2, 3].map((attempt) => ({ attempt, type: "TypeError" })));
  const hours = seen.map((one) => Math.floor((one as RetryContext).elapsed / 3_600_000));
  expect(hours).toEqual([0, 1, 2]);
});

test("a child's handler that throws fails the step, and the parent's turn goes on", async () => {
  const child = workflow("Child", async () => {
    throw new Error("no");
  });
  const retry = () => {
    throw new RangeError("a bug in the handler");
  };
  const parent = workflow("Parent", (ctx) =>
    ctx.call(child, undefined, { retry }).catch((error: Error) => error.message),
  );
  const cluster = new Cluster({ workflows: [parent, child] });
  const instance = await cluster.start(parent);
  await cluster.run();
  expect(instance.output()).toContain("RangeError: a bug in the handler");
});

describe("what a handler has said", () => {
  test("is recorded: after a crash it is not asked again, and counts and times go on", async () => {
    let asked = 0;
    const { clock, begun, single, times } = failing(({ attempt, elapsed }) => {
      asked++;
      expect(elapsed).toBe((attempt - 1) * 10_000);
      return attempt < 4 ? "10 seconds" : null;
    });
    const object = started(single, undefined, { clock });
    for (const after of [5_000, 15_000, 16_000]) {
      await object.run(begun + after);
      object.crash();
    }
    await object.run();
    expect(times).toEqual([0, 10_000, 20_000, 30_000]);
    expect(asked).toBe(4);
    expect(object.commands.get(ID).error?.message).toContain("after 4 attempts");
  });

  test("is lost with a crash before its commit, and then asked of the repeated attempt", async () => {
    const seen: number[] = [];
    const { clock, single } = failing(({ attempt }) => {
      seen.push(attempt);
      return attempt < 2 ? 1_000 : null;
    });
    const faults = crashesAt({ commit: 3, when: "before" });
    const object = started(single, undefined, { clock, faults });
    await object.run();
    expect(object.crashes).toBe(1);
    expect(seen).toEqual([1, 1, 2]);
    expect(object.commands.get(ID).status).toBe("Failed");
  });

  test("leads to the same end through every crash", async () => {
    const work = activity("Work", { retry: ({ attempt }) => attempt * 5_000 }, (): string => "");
    const single = workflow("Single", (ctx) => ctx.call(work));
    const { failures, report } = await explore(single, undefined, {
      activities: [
        mock(work, (_input, ctx) => {
          if (ctx.attempt < 4) throw new Error("not yet");
          ctx.effect("worked", { key: ctx.idempotencyKey });
          return "done";
        }),
      ],
    });
    expect(failures, report).toEqual([]);
  });
});
