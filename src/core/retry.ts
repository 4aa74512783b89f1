/** Retry policies: whether another attempt is made after a failure, and when. */
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

const DEFAULT_POLICY = { maxAttempts: 5, firstInterval: "1 second", backoff: 2 } as const;

/** The longest wait where none is given, unless the first one is longer. */
const DEFAULT_LONGEST_MILLIS = durationMillis("5 minutes");

/**
 * Refuses a policy that cannot be followed.
 *
 * @param of whose policy it is, for the message
 * @throws WaymarkError `DEFINITION_INVALID`, `DURATION_INVALID`
 */
export function checkRetryPolicy(policy: RetryPolicy, of: string): void {
  const {
    maxAttempts = 1,
    backoff = 1,
    firstInterval = 0,
    maxInterval = 0,
    retryTimeout = 0,
  } = policy;
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

/** The members of all of them; of two that say the same, the later one counts. */
export function mergeRetryPolicies(...policies: readonly (RetryPolicy | undefined)[]): RetryPolicy {
  const members = policies.flatMap((policy) => Object.entries(policy ?? {}));
  return Object.fromEntries(members.filter(([, value]) => value !== undefined));
}

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

/** When the next attempt is due, in milliseconds since 1970, or null where there is none. */
export function nextAttemptAt(policy: RetryPolicy, failed: FailedAttempt): number | null {
  const rules = { ...DEFAULT_POLICY, ...mergeRetryPolicies(policy) };
  if (failed.final || failed.attempts >= rules.maxAttempts) return null;
  if (rules.retryIf !== undefined && !rules.retryIf(failed.failure)) return null;
  const asked = Number.isFinite(failed.retryAt) ? failed.retryAt : undefined;
  const wanted = asked ?? failed.now + interval(rules, failed.attempts);
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
