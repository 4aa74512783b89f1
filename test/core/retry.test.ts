import { describe, expect, test } from "vitest";
import type { Failure } from "../../src/core/failure.ts";
import { LIMITS } from "../../src/core/limits.ts";
import {
  checkRetry,
  type FailedAttempt,
  mergeRetries,
  nextAttemptAt,
  type RetryContext,
  type RetryHandler,
  type RetryPolicy,
} from "../../src/core/retry.ts";
import { codeOf, thrownBy } from "./thrown.ts";

const NOW = 1_000_000;
const FAILURE: Failure = { type: "TypeError", message: "no" };

const failed = (more: Partial<FailedAttempt> = {}): FailedAttempt => ({
  failure: FAILURE,
  attempts: 1,
  firstStartedAt: NOW - 500,
  now: NOW,
  final: false,
  ...more,
});

/** The waits after each failed attempt, in milliseconds, up to the end. */
function waits(policy: RetryPolicy, most = 20): (number | null)[] {
  const found: (number | null)[] = [];
  for (let attempts = 1; attempts <= most; attempts++) {
    const due = nextAttemptAt(policy, failed({ attempts }));
    found.push(due === null ? null : due - NOW);
    if (due === null) break;
  }
  return found;
}

test("without a policy there are five attempts, one second apart and doubling", () => {
  expect(waits({})).toEqual([1_000, 2_000, 4_000, 8_000, null]);
});

test("the number of attempts counts the first", () => {
  expect(waits({ maxAttempts: 1 })).toEqual([null]);
  expect(waits({ maxAttempts: 2 })).toEqual([1_000, null]);
});

test("no wait is longer than maxInterval, five minutes if not said otherwise", () => {
  expect(waits({ maxAttempts: 5, firstInterval: "2 seconds", maxInterval: "5 seconds" })).toEqual([
    2_000,
    4_000,
    5_000,
    5_000,
    null,
  ]);
  expect(waits({ maxAttempts: 12 }).slice(8)).toEqual([256_000, 300_000, 300_000, null]);
});

test("a first wait above five minutes is kept, and is then the longest where none is given", () => {
  const tenMinutes = { maxAttempts: 3, firstInterval: "10 minutes" } as const;
  expect(waits(tenMinutes)).toEqual([600_000, 600_000, null]);
  expect(waits({ ...tenMinutes, maxInterval: "15 minutes" })).toEqual([600_000, 900_000, null]);
  expect(waits({ ...tenMinutes, maxInterval: "7 minutes" })).toEqual([420_000, 420_000, null]);
});

test("a factor of 1 keeps the wait, and one in between is rounded to milliseconds", () => {
  expect(waits({ maxAttempts: 4, firstInterval: 70, backoff: 1 })).toEqual([70, 70, 70, null]);
  expect(waits({ maxAttempts: 4, firstInterval: 5, backoff: 1.5 })).toEqual([5, 8, 11, null]);
});

test("a wait that outgrows every number is still the longest one, and none is not a number", () => {
  const often = { maxAttempts: 100_000 };
  expect(nextAttemptAt(often, failed({ attempts: 5_000 }))).toBe(NOW + 300_000);
  const atOnce = { ...often, firstInterval: 0 };
  expect(nextAttemptAt(atOnce, failed({ attempts: 5_000 }))).toBe(NOW);
});

describe("retryTimeout", () => {
  const policy = { maxAttempts: 9, firstInterval: 1_000, backoff: 1, retryTimeout: 1_500 };

  test("still allows an attempt that starts exactly then", () => {
    expect(nextAttemptAt(policy, failed())).toBe(NOW + 1_000);
  });

  test("allows none a millisecond later", () => {
    expect(nextAttemptAt(policy, failed({ firstStartedAt: NOW - 501 }))).toBeNull();
  });

  test("bounds a wait that the error itself asked for", () => {
    expect(nextAttemptAt(policy, failed({ retryAt: NOW + 1_001 }))).toBeNull();
    expect(nextAttemptAt(policy, failed({ retryAt: NOW + 999 }))).toBe(NOW + 999);
  });
});

describe("retryIf", () => {
  test("is asked with the failure and decides", () => {
    const seen: Failure[] = [];
    const policy = (answer: boolean): RetryPolicy => ({
      retryIf: (failure) => {
        seen.push(failure);
        return answer;
      },
    });
    expect(nextAttemptAt(policy(true), failed())).toBe(NOW + 1_000);
    expect(nextAttemptAt(policy(false), failed())).toBeNull();
    expect(seen).toEqual([FAILURE, FAILURE]);
  });

  test("is not asked where no attempt is left or the error was final", () => {
    const policy: RetryPolicy = {
      maxAttempts: 2,
      retryIf: () => {
        throw new Error("asked");
      },
    };
    expect(nextAttemptAt(policy, failed({ attempts: 2 }))).toBeNull();
    expect(nextAttemptAt(policy, failed({ final: true }))).toBeNull();
  });
});

describe("an error that says when", () => {
  test("takes the place of the interval, longer or shorter", () => {
    expect(nextAttemptAt({}, failed({ retryAt: NOW + 7 }))).toBe(NOW + 7);
    const late = NOW + 3_600_000;
    expect(nextAttemptAt({ maxInterval: "1 minute" }, failed({ retryAt: late }))).toBe(late);
  });

  test("in the past means at once", () => {
    expect(nextAttemptAt({}, failed({ retryAt: NOW - 9 }))).toBe(NOW);
  });

  test("does not give more attempts than the policy", () => {
    expect(nextAttemptAt({ maxAttempts: 1 }, failed({ retryAt: NOW + 7 }))).toBeNull();
  });
});

test("a member that is there but undefined takes the default, as one left out does", () => {
  const policy = {
    maxAttempts: undefined,
    firstInterval: undefined,
    backoff: undefined,
    maxInterval: undefined,
    retryTimeout: undefined,
    retryIf: undefined,
  } as unknown as RetryPolicy;
  expect(waits(policy)).toEqual(waits({}));
});

describe("a handler", () => {
  test("is told of the failed attempt, and says how long to wait", () => {
    const seen: RetryContext[] = [];
    const handler: RetryHandler = (context) => {
      seen.push(context);
      return context.attempt < 3 ? "2 seconds" : null;
    };
    expect(nextAttemptAt(handler, failed({ attempts: 2 }))).toBe(NOW + 2_000);
    expect(nextAttemptAt(handler, failed({ attempts: 3, retryAt: NOW + 7 }))).toBeNull();
    expect(seen).toEqual([
      { failure: FAILURE, attempt: 2, elapsed: 500, retryAfter: null },
      { failure: FAILURE, attempt: 3, elapsed: 500, retryAfter: 7 },
    ]);
  });

  test("is not asked where the error was final", () => {
    const handler = () => {
      throw new Error("asked");
    };
    expect(nextAttemptAt(handler, failed({ final: true }))).toBeNull();
  });

  test("sees no time before the first attempt, and no wait into the past", () => {
    const seen: RetryContext[] = [];
    const handler: RetryHandler = (context) => {
      seen.push(context);
      return 0;
    };
    const ahead = { firstStartedAt: NOW + 5, retryAt: NOW - 5 };
    expect(nextAttemptAt(handler, failed(ahead))).toBe(NOW);
    expect(nextAttemptAt(handler, failed({ retryAt: Number.NaN }))).toBe(NOW);
    expect(seen).toMatchObject([{ elapsed: 0, retryAfter: 0 }, { retryAfter: null }]);
  });

  test("may ask for the longest timer there is, and for no more", () => {
    expect(nextAttemptAt(() => LIMITS.timerMillis, failed())).toBe(NOW + LIMITS.timerMillis);
    expect(codeOf(() => nextAttemptAt(() => LIMITS.timerMillis + 1, failed()))).toBe(
      "DEFINITION_INVALID",
    );
  });

  test.each<[string, () => unknown]>([
    ["undefined", () => undefined],
    ["false", () => false],
    ["NaN", () => Number.NaN],
    ["Infinity", () => Number.POSITIVE_INFINITY],
    ["-1", () => -1],
    ['"soon"', () => "soon"],
    ["an object", () => ["5 seconds"]],
    ["a promise", () => Promise.reject(new Error("late"))],
    ["Symbol(s)", () => Symbol("s")],
    ["a function", () => () => 5],
  ])("that returns %s is refused by what it returned", (words, returned) => {
    const error = thrownBy(() => nextAttemptAt(returned as RetryHandler, failed()));
    expect(error).toMatchObject({ code: "DEFINITION_INVALID" });
    expect(error.message).toContain(`a retry handler returned ${words}: it says at once`);
  });
});

describe("of several that are given", () => {
  const handler: RetryHandler = () => 1;

  test("policies are merged member by member", () => {
    const merged = mergeRetries({ maxAttempts: 2, backoff: 3 }, undefined, { backoff: 4 });
    expect(merged).toEqual({ maxAttempts: 2, backoff: 4 });
  });

  test("a handler takes the place of what stands before it, and a policy that of a handler", () => {
    expect(mergeRetries({ maxAttempts: 2 }, handler)).toBe(handler);
    expect(mergeRetries(handler, undefined)).toBe(handler);
    expect(mergeRetries({ maxAttempts: 2 }, handler, { backoff: 4 })).toEqual({ backoff: 4 });
  });
});

describe("a policy that cannot be followed is refused", () => {
  test.each<[string, RetryPolicy, string]>([
    ["no attempt", { maxAttempts: 0 }, "DEFINITION_INVALID"],
    ["half an attempt", { maxAttempts: 1.5 }, "DEFINITION_INVALID"],
    ["attempts without end", { maxAttempts: Number.POSITIVE_INFINITY }, "DEFINITION_INVALID"],
    ["attempts that are no number", { maxAttempts: Number.NaN }, "DEFINITION_INVALID"],
    ["a shrinking wait", { backoff: 0.5 }, "DEFINITION_INVALID"],
    ["an endless factor", { backoff: Number.POSITIVE_INFINITY }, "DEFINITION_INVALID"],
    ["a negative wait", { firstInterval: -1 }, "DURATION_INVALID"],
    ["a wait without unit", { maxInterval: "5" as "5 seconds" }, "DURATION_INVALID"],
    ["an endless timeout", { retryTimeout: Number.POSITIVE_INFINITY }, "DURATION_INVALID"],
  ])("%s", (_what, policy, code) => {
    expect(codeOf(() => checkRetry(policy, "activity A"))).toBe(code);
  });

  test("with whose it is", () => {
    const error = thrownBy(() => checkRetry({ maxAttempts: 0 }, 'activity "A"'));
    expect(error.message).toContain('activity "A": maxAttempts');
  });

  test("and the smallest that can is not", () => {
    const least = { maxAttempts: 1, backoff: 1, firstInterval: 0, maxInterval: 0, retryTimeout: 0 };
    expect(codeOf(() => checkRetry(least, "A"))).toBeUndefined();
    expect(codeOf(() => checkRetry({}, "A"))).toBeUndefined();
  });
});
