/**
 * What passes between an instance's object and the stateless entrypoint in which an activity runs with
 * `where: "worker"`. Plain data only: classes and codes of errors do not survive an RPC.
 */
import type { ActivityStatus } from "../core/activity-status.ts";
import { isErrorCode, WaymarkError } from "../core/errors.ts";
import { type Failure, NonRetryableError, RetryAfterError, toFailure } from "../core/failure.ts";
import type { LogFields } from "../core/log.ts";
import type { Encoded } from "../core/payload.ts";
import type { Reply } from "./reply.ts";

/** One attempt, as the entrypoint is told of it. */
export interface RemoteCall {
  readonly activity: string;
  readonly input: Encoded;
  readonly status: ActivityStatus;
  readonly attempt: number;
  readonly idempotencyKey: string;
  readonly instanceId: string;
  readonly executionId: string;
  readonly step: string;
}

/** The way back from the entrypoint to the attempt in its object. */
export interface RemoteChannel {
  /** Notes how far it came; says whether to go on. */
  checkpoint(lastProcessedId: string, progress: Encoded | null): Promise<Reply<"go on" | "stop">>;
  log(message: string, fields: LogFields): Promise<void>;
  /** Resolves when the attempt is over before its function is: an AbortSignal does not travel. */
  stopped(): Promise<StopReason>;
}

/** Why an attempt is over. */
export interface StopReason {
  readonly code: string;
  readonly message: string;
}

export type RemoteOutcome =
  | { readonly ok: true; readonly result: Encoded }
  | { readonly ok: false; readonly error: RemoteError };

/** An error as data. */
export interface RemoteError {
  readonly failure: Failure;
  /** When a {@link RetryAfterError} wants the next attempt. */
  readonly after?: RetryAfterError["after"];
}

export function remoteError(thrown: unknown): RemoteError {
  const failure = toFailure(thrown);
  return thrown instanceof RetryAfterError ? { failure, after: thrown.after } : { failure };
}

/** The error again, of the class that the engine decides by. */
export function errorOf({ failure, after }: RemoteError): Error {
  const { type, message, code, stack, properties } = failure;
  const cause = failure.cause === undefined ? undefined : errorOf({ failure: failure.cause });
  const options = cause === undefined ? {} : { cause };
  if (after !== undefined) {
    const when = "at" in after ? new Date(after.at) : after.millis;
    return withStack(new RetryAfterError(message, when, options), stack);
  }
  if (code === "NON_RETRYABLE") return withStack(new NonRetryableError(message, options), stack);
  if (isErrorCode(code)) return withStack(new WaymarkError(code, message, options), stack);
  const error = Object.assign(new Error(message, options), properties, { name: type });
  return withStack(code === undefined ? error : Object.assign(error, { code }), stack);
}

function withStack<Thrown extends Error>(error: Thrown, stack: string | undefined): Thrown {
  if (stack !== undefined) error.stack = stack;
  return error;
}

/** The reason of an aborted signal, as data. */
export function stopReason(reason: unknown): StopReason {
  const { code = "ATTEMPT_STOPPED", message } = toFailure(reason);
  return { code, message };
}
