/** Retries: whether another attempt is made after a failure, and when, by a policy or by the code itself. */
import { type Duration, durationMillis } from "./duration.ts";
import { WaymarkError } from "./errors.ts";
import type { Failure } from "./failure.ts";
import { LIMITS } from "./limits.ts";

/**
 * How an activity is retried. What is left out takes the default: 5 attempts, 1 second before the
 * second, doubling, at most 5 minutes between two, or `firstInterval` where that is longer, with no
 * limit on the whole.
 */
export interface RetryPolicy {
  /** Attempts in all, the first included. */
  readonly maxAttempts?: number;
  /** The wait before the second attempt. */
  readonly firstInterval?: Duration;
  /** The factor from each wait to the next; 1 keeps it. */
  readonly backoff?: number;
  /** The longest wait; it cuts `firstInterval` as well. */
  readonly maxInterval?: Duration;
  /** No attempt starts later than this after the first one started. */
  readonly retryTimeout?: Duration;
  /** Says whether this failure deserves another attempt. Must be quick and have no effects. */
  readonly retryIf?: (failure: Failure) => boolean;
}

/** What a {@link RetryHandler} knows of the attempt that has failed. */
export interface RetryContext {
  readonly failure: Failure;
  /** Which attempt it was, from 1. */
  readonly attempt: number;
  /** Milliseconds since the first attempt started. */
  readonly elapsed: number;
  /** Milliseconds for which the error itself asked to wait, as a `RetryAfterError` does; null where none did. */
  readonly retryAfter: number | null;
}

/**
 * Decides in place of a policy what follows a failure: how long to wait for the next attempt, 0 for none, or
 * null to give up. It alone decides, so it must end in some way. It answers at once, has no effects, and is
 * asked once for each failed attempt: what it says is recorded. It is not asked where the error forbids
 * another attempt, as a `NonRetryableError` does. One that throws, or returns anything else, fails the step.
 *
 * @example
 * const patient: RetryHandler = ({ failure, attempt, elapsed, retryAfter }) =>
 *   failure.code === "NO_FUNDS" || elapsed > 3_600_000 ? null : (retryAfter ?? attempt * 10_000);
 */
export type RetryHandler = (failed: RetryContext) => Duration | null;

/** How what failed is tried again. */
export type Retry = RetryPolicy | RetryHandler;

const DEFAULT_POLICY = { maxAttempts: 5, firstInterval: "1 second", backoff: 2 } as const;

/** The longest wait where none is given, unless the first one is longer. */
const DEFAULT_LONGEST_MILLIS = durationMillis("5 minutes");

/**
 * Refuses a policy that cannot be followed. What a handler says is checked when it says it.
 *
 * @param of whose it is, for the message
 * @throws WaymarkError `DEFINITION_INVALID`, `DURATION_INVALID`
 */
export function checkRetry(retry: Retry, of: string): void {
  if (typeof retry === "function") return;
  const {
    maxAttempts = 1,
    backoff = 1,
    firstInterval = 0,
    maxInterval = 0,
    retryTimeout = 0,
  } = retry;
  if (!Number.isInteger(maxAttempts) || maxAttempts < 1) {
    throw new WaymarkError(
      "DEFINITION_INVALID",
      `${of}: maxAttempts must be a whole number from 1`,
    );
  }
  if (!Number.isFinite(backoff) || backoff < 1) {
    throw new WaymarkError("DEFINITION_INVALID", `${of}: backoff must be a number from 1`);
  }
  for (const duration of [firstInterval, maxInterval, retryTimeout]) durationMillis(duration);
}

/**
 * The members of all policies; of two that say the same, the later one counts. A handler replaces what
 * stands before it, and is replaced by what stands behind it.
 */
export function mergeRetries(...retries: readonly (Retry | undefined)[]): Retry {
  let merged: Retry = {};
  for (const retry of retries) {
    if (!retry) continue;
    if (typeof retry === "function") merged = retry;
    else merged = { ...(typeof merged === "function" ? {} : merged), ...defined(retry) };
  }
  return merged;
}

const defined = (policy: RetryPolicy): RetryPolicy =>
  Object.fromEntries(Object.entries(policy).filter(([, value]) => value !== undefined));

/** What is known when an attempt has failed. Times are milliseconds since 1970. */
export interface FailedAttempt {
  readonly failure: Failure;
  /** How many attempts there have been. */
  readonly attempts: number;
  readonly firstStartedAt: number;
  readonly now: number;
  /** The error forbade another attempt. */
  readonly final: boolean;
  /** When the error itself asked to be tried again. */
  readonly retryAt?: number;
}

/**
 * When the next attempt is due, in milliseconds since 1970, or null where there is none.
 *
 * @throws whatever the user's code in it throws; WaymarkError `DEFINITION_INVALID` for a handler that
 *   returns neither a duration nor null
 */
export function nextAttemptAt(retry: Retry, failed: FailedAttempt): number | null {
  if (failed.final) return null;
  return typeof retry === "function" ? handledAt(retry, failed) : policyAt(retry, failed);
}

function handledAt(handler: RetryHandler, failed: FailedAttempt): number | null {
  const { failure, attempts: attempt, firstStartedAt, now } = failed;
  const elapsed = Math.max(0, now - firstStartedAt);
  const askedAt = retryAtOf(failed);
  const retryAfter = askedAt === undefined ? null : Math.max(0, askedAt - now);
  const wait: unknown = handler({ failure, attempt, elapsed, retryAfter });
  return wait === null ? null : now + waitMillis(wait);
}

/** What a handler returned, as milliseconds. */
function waitMillis(wait: unknown): number {
  if (wait instanceof Promise) wait.catch(() => {}); // nobody will hear it
  try {
    if (typeof wait === "number" || typeof wait === "string")
      return durationMillis(wait as Duration);
  } catch {
    // Refused below, by what returned it.
  }
  throw new WaymarkError("DEFINITION_INVALID", `a retry handler returned ${shown(wait)}: ${RULE}`);
}

const RULE =
  'it says at once how long to wait, in milliseconds or as "30 seconds" and at most 100 years, ' +
  "or null to give up";

function shown(value: unknown): string {
  if (value instanceof Promise) return "a promise";
  if (typeof value === "string") return JSON.stringify(value.slice(0, 100));
  if (typeof value === "object") return "an object";
  return typeof value === "function" ? "a function" : String(value);
}

const retryAtOf = ({ retryAt }: FailedAttempt): number | undefined =>
  Number.isFinite(retryAt) ? retryAt : undefined;

function policyAt(policy: RetryPolicy, failed: FailedAttempt): number | null {
  const rules = { ...DEFAULT_POLICY, ...defined(policy) };
  if (failed.attempts >= rules.maxAttempts) return null;
  if (rules.retryIf !== undefined && !rules.retryIf(failed.failure)) return null;
  const wanted = retryAtOf(failed) ?? failed.now + interval(rules, failed.attempts);
  const due = Math.min(wanted, failed.now + LIMITS.timerMillis);
  const end =
    rules.retryTimeout === undefined
      ? Number.POSITIVE_INFINITY
      : failed.firstStartedAt + durationMillis(rules.retryTimeout);
  return due > end ? null : Math.max(due, failed.now);
}

type Intervals = Required<Pick<RetryPolicy, "firstInterval" | "backoff">> &
  Pick<RetryPolicy, "maxInterval">;

function interval({ firstInterval, backoff, maxInterval }: Intervals, attempts: number): number {
  const first = durationMillis(firstInterval);
  if (first === 0) return 0; // 0 times a power that has grown to infinity is no number
  const longest =
    maxInterval === undefined
      ? Math.max(first, DEFAULT_LONGEST_MILLIS)
      : durationMillis(maxInterval);
  return Math.round(Math.min(first * backoff ** (attempts - 1), longest));
}
