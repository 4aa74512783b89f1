/**
 * What passes between an instance's object and the stateless entrypoint in which an activity runs with
 * `where: "worker"`. Plain data only: classes and codes of errors do not survive an RPC.
 */
import type { ActivityStatus } from "../core/activity-status.ts";
import { isErrorCode, WaymarkError } from "../core/errors.ts";
import {
  CancelledError,
  type Failure,
  NonRetryableError,
  PreemptedError,
  RetryAfterError,
  toFailure,
} from "../core/failure.ts";
import type { LogFields } from "../core/log.ts";
import type { Encoded } from "../core/payload.ts";
import type { PackedText } from "./packed-text.ts";
import type { Reply } from "./reply.ts";

/** One attempt, as the entrypoint is told of it. */
export interface RemoteCall {
  readonly activity: string;
  readonly input: PackedText;
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
  /**
   * Resolves when the attempt is over before its function is: an AbortSignal does not travel. With null
   * where the call has ended, and there is nothing to stop.
   */
  stopped(): Promise<StopReason | null>;
}

/** Why an attempt is over. */
export interface StopReason {
  readonly code: string;
  readonly message: string;
}

export type RemoteOutcome =
  | { readonly ok: true; readonly result: PackedText }
  | { readonly ok: false; readonly error: RemoteError };

/** An error as data. */
export interface RemoteError {
  readonly failure: Failure;
  /** Whether it is one of Waymark's own: other errors have codes too, such as gRPC's `CANCELLED`. */
  readonly own: boolean;
  /** When a {@link RetryAfterError} wants the next attempt. */
  readonly after?: RetryAfterError["after"];
}

export function remoteError(thrown: unknown): RemoteError {
  const error = { failure: toFailure(thrown), own: thrown instanceof WaymarkError };
  return thrown instanceof RetryAfterError ? { ...error, after: thrown.after } : error;
}

/** The error again, of the class that the engine decides by, with the name and properties of the thrown one. */
export function errorOf({ failure, own, after }: RemoteError): Error {
  const { type, message, code, stack, properties } = failure;
  const cause =
    failure.cause === undefined ? undefined : errorOf({ failure: failure.cause, own: false });
  const options = cause === undefined ? {} : { cause };
  const error = own ? ownError(failure, after, options) : new Error(message, options);
  Object.assign(error, properties, { name: type });
  if (code !== undefined) Object.assign(error, { code });
  if (after !== undefined) Object.assign(error, { after }); // no number, where JSON has none
  if (stack === undefined) delete error.stack;
  else error.stack = stack;
  return error;
}

function ownError(
  { message, code }: Failure,
  after: RemoteError["after"],
  options: { readonly cause?: Error },
): Error {
  if (after !== undefined) {
    return new RetryAfterError(message, "at" in after ? new Date(after.at) : after.millis, options);
  }
  if (code === "NON_RETRYABLE") return new NonRetryableError(message, options);
  return isErrorCode(code) ? new WaymarkError(code, message, options) : new Error(message, options);
}

/** The reason of an aborted signal, as data. */
export function stopReason(reason: unknown): StopReason {
  const { code = "ATTEMPT_STOPPED", message } = toFailure(reason);
  return { code, message };
}

/** The reason again, as the attempt's signal gives it. */
export function stopError({ code, message }: StopReason, step: string): WaymarkError {
  if (code === "CANCELLED") return new CancelledError(step);
  if (code === "PREEMPTED") return new PreemptedError();
  return new WaymarkError(isErrorCode(code) ? code : "ATTEMPT_STOPPED", message);
}
