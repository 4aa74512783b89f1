/**
 * Failures: thrown values as bounded plain data, and the errors by which activities and the engine
 * tell each other what a failure means. Anything may be thrown; a failure always has type and message.
 */
import { type Duration, durationMillis } from "./duration.ts";
import { isErrorCode, WaymarkError } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import { encode, type Json, toJson } from "./payload.ts";
import { mayTell } from "./sensitive.ts";

/** A thrown value as it is stored, shown, and handed to the workflow. */
export interface Failure {
  /** The error's name, such as `TypeError`. */
  readonly type: string;
  readonly message: string;
  /** The stable code of one of Waymark's own errors, or the `code` an error carries as text. */
  readonly code?: string;
  readonly stack?: string;
  readonly cause?: Failure;
  /** The instance that failed, where it was a child workflow; the address of an entity. */
  readonly instanceId?: string;
  /** Its text may tell a secret, so that people see type and code alone. */
  readonly sensitive?: boolean;
  /** The error's own enumerable properties, as plain JSON. */
  readonly properties?: { readonly [name: string]: Json };
}

/**
 * Throw this from an activity where another attempt cannot help: the step fails at once. Thrown by the code
 * of a child workflow, it says the same of the child, whatever `retry` its parent has asked for.
 *
 * @example throw new NonRetryableError("card declined", { cause: error });
 */
export class NonRetryableError extends WaymarkError {
  override readonly name = "NonRetryableError";
  constructor(message: string, options?: { cause?: unknown }) {
    super("NON_RETRYABLE", message, options);
  }
}

/**
 * Throw this from an activity to choose when the next attempt comes, as a 429 answer asks for.
 * The attempt counts as any other.
 *
 * @param after a duration from now, or the moment itself; an invalid Date, as from a header that
 *   is none, leaves the wait to the activity's policy
 * @throws WaymarkError `DURATION_INVALID`
 * @example throw new RetryAfterError("rate limited", "30 seconds");
 */
export class RetryAfterError extends WaymarkError {
  override readonly name = "RetryAfterError";
  /** Milliseconds to wait, or the instant in milliseconds since 1970, which may be no number. */
  readonly after: { readonly millis: number } | { readonly at: number };

  constructor(message: string, after: Duration | Date, options?: { cause?: unknown }) {
    super("RETRY_AFTER", message, options);
    this.after =
      after instanceof Date ? { at: after.getTime() } : { millis: durationMillis(after) };
  }
}

/** The reason of an attempt's `signal` when the engine stops it at a checkpoint to go on later. */
export class PreemptedError extends WaymarkError {
  override readonly name = "PreemptedError";
  constructor() {
    super("PREEMPTED", "the turn's budget is used; the activity goes on from its checkpoint");
  }
}

/**
 * How an attempt outside its instance's object ended: not by its function, whose errors come back as data,
 * but with the isolate that ran it, or the way to it.
 */
export class IsolateLostError extends WaymarkError {
  override readonly name = "IsolateLostError";
  constructor(cause: unknown) {
    super("ATTEMPT_LOST", "the isolate that ran the attempt, outside the object, was lost", {
      cause,
    });
  }
}

/**
 * What a workflow catches when an activity failed for good.
 *
 * @example
 * try { await ctx.call(charge, order); }
 * catch (error) {
 *   if (error instanceof ActivityFailedError) await ctx.call(notify, error.failure.message);
 *   throw error;
 * }
 */
export class ActivityFailedError extends WaymarkError {
  override readonly name = "ActivityFailedError";
  /** The identity of the step that failed. */
  readonly step: string;
  /** How many attempts were made. */
  readonly attempts: number;
  /** What the last attempt threw. */
  readonly failure: Failure;

  constructor(step: string, attempts: number, failure: Failure) {
    const tries = attempts === 1 ? "its only attempt" : `${attempts} attempts`;
    super("ACTIVITY_FAILED", `${step} failed after ${tries}: ${failure.type}: ${failure.message}`);
    this.step = step;
    this.attempts = attempts;
    this.failure = failure;
  }
}

/**
 * What a workflow catches where a child workflow that it called failed, was terminated, or could not be
 * started. The child's own error is the `failure`, with all its causes.
 *
 * @example
 * try { await ctx.call(shipOrder, order); }
 * catch (error) {
 *   if (error instanceof ChildFailedError) await ctx.call(notify, error.failure.message);
 * }
 */
export class ChildFailedError extends WaymarkError {
  override readonly name = "ChildFailedError";
  /** The identity of the step that called it. */
  readonly step: string;
  /** How often it was started. */
  readonly attempts: number;
  /** What the child ended with the last time. */
  readonly failure: Failure;

  constructor(step: string, attempts: number, failure: Failure) {
    const who = failure.instanceId === undefined ? "" : ` (instance "${failure.instanceId}")`;
    super("CHILD_FAILED", `${step}${who} failed: ${failure.type}: ${failure.message}`);
    this.step = step;
    this.attempts = attempts;
    this.failure = failure;
  }
}

/**
 * What a workflow catches where an operation of an entity failed: it threw, took too long, took its object with
 * it, or there is none of that name. The entity's state is as it was before. Where the code is
 * `ENTITY_TIMEOUT` because of the call's own `timeout`, the operation may run all the same.
 *
 * @example
 * try { await ctx.entity(account, from).withdraw(amount); }
 * catch (error) {
 *   if (error instanceof EntityFailedError) return { refused: error.failure.message };
 *   throw error;
 * }
 */
export class EntityFailedError extends WaymarkError {
  override readonly name = "EntityFailedError";
  /** The identity of the step that called it. */
  readonly step: string;
  /** What the operation threw. */
  readonly failure: Failure;

  constructor(step: string, failure: Failure) {
    const who = failure.instanceId === undefined ? "" : ` (entity "${failure.instanceId}")`;
    super("ENTITY_FAILED", `${step}${who} failed: ${failure.type}: ${failure.message}`);
    this.step = step;
    this.failure = failure;
  }
}

/**
 * What a workflow catches where a step's `signal` was aborted before the step had ended, or where somebody
 * asked to cancel the instance: then each open step fails with it, once, and steps that are asked for from
 * there on run as ever, so that the code can clean up. Also the reason of the `signal` of an attempt that
 * ran for it.
 *
 * @example
 * const controller = new AbortController();
 * const report = ctx.call(build, month, { signal: controller.signal });
 * controller.abort(); // the attempt's own signal aborts, and what it still brings is ignored
 * await report.catch((error) => isWaymarkError(error, "CANCELLED")); // true
 */
export class CancelledError extends WaymarkError {
  override readonly name = "CancelledError";
  /** The identity of the step that was cancelled. */
  readonly step: string;
  /** Who cancelled it: the workflow's code, or a request to cancel the whole instance. */
  readonly by: "code" | "request";

  /** @param reason that of the request, where one cancelled it */
  constructor(step: string, reason?: string) {
    super("CANCELLED", reason ?? `${step} was cancelled by the workflow's code`);
    this.step = step;
    this.by = reason === undefined ? "code" : "request";
  }
}

/** What could not be undone, and why. */
export interface FailedCompensation {
  /** The identity of the step whose undo failed; `(onCompensate)` for a function. */
  readonly step: string;
  readonly message: string;
}

/**
 * What an execution fails with that could not undo all it has begun: its own error is the `cause`. The rest
 * was undone. A child that fails with it is not tried again: somebody must see to what is left first.
 */
export class CompensationFailedError extends WaymarkError {
  override readonly name = "CompensationFailedError";
  /** How many compensations failed. */
  readonly count: number;
  /** The first of them, in the order in which they were made; at most 10. */
  readonly notUndone: readonly FailedCompensation[];

  constructor(cause: unknown, failed: readonly { what: string; error: unknown }[]) {
    const steps = failed.slice(0, LIMITS.failedCompensations).map(({ what }) => what);
    const { message } = toFailure(cause);
    const more = failed.length > steps.length ? ` and ${failed.length - steps.length} more` : "";
    super("COMPENSATION_FAILED", `${message} (and not undone: ${steps.join(", ")}${more})`, {
      cause,
    });
    this.count = failed.length;
    this.notUndone = failed.slice(0, LIMITS.failedCompensations).map(({ what, error }) => ({
      step: what,
      message: cut(toFailure(error).message, LIMITS.failedCompensationLength),
    }));
    if (failed.some(({ error }) => mayTell(toFailure(error)))) SECRETIVE.add(this);
  }
}

/**
 * What an execution ends with that was to be terminated, once it has undone its steps. No code of a workflow
 * gets it.
 */
export class TerminatedError extends WaymarkError {
  override readonly name = "Terminated";
  constructor(reason: string) {
    super("CANCELLED", reason);
  }
}

/** Whether this is what a request to cancel the instance has brought to the code. */
export const isCancelRequest = (error: unknown): error is CancelledError =>
  error instanceof CancelledError && error.by === "request";

/** A thrown value as a failure: bounded in every part, and never a reason to throw again. */
export function toFailure(thrown: unknown): Failure {
  try {
    const failure = describe(thrown, 0);
    const chain = thrown instanceof CompensationFailedError ? toFailure(thrown.cause) : null;
    if (chain !== null) return { ...failure, cause: shortened(chain, LIMITS.failureChain) };
    if (!isStepFailure(thrown)) return failure;
    return { ...failure, cause: shortened(thrown.failure, LIMITS.failureChain) };
  } catch {
    return { type: "Thrown", message: "an error that throws when it is read" };
  }
}

/** What carries the failure of a step, which is stored as its cause. */
const isStepFailure = (
  thrown: unknown,
): thrown is ActivityFailedError | ChildFailedError | EntityFailedError =>
  thrown instanceof ActivityFailedError ||
  thrown instanceof ChildFailedError ||
  thrown instanceof EntityFailedError;

/** So many causes of it: each level of children adds one, and there may be any number of levels. */
function shortened({ cause, ...failure }: Failure, left: number): Failure {
  if (cause === undefined) return failure;
  if (left > 1) return { ...failure, cause: shortened(cause, left - 1) };
  return mayTell(cause) ? { ...failure, sensitive: true } : failure;
}

function describe(thrown: unknown, depth: number): Failure {
  if (!(thrown instanceof Error)) {
    return { type: "Thrown", message: cut(printable(thrown), LIMITS.failureMessageLength) };
  }
  const { name = "Error", message = "", code, stack, cause } = partsOf(thrown);
  const properties = ownProperties(thrown);
  return {
    type: cut(textOf(name), LIMITS.nameLength),
    message: cut(textOf(message), LIMITS.failureMessageLength),
    ...(typeof code === "string" ? { code: cut(code, LIMITS.nameLength) } : {}),
    ...(stack === undefined ? {} : { stack: cut(textOf(stack), LIMITS.failureStackLength) }),
    ...(cause === undefined || depth >= LIMITS.failureDepth
      ? {}
      : { cause: describe(cause, depth + 1) }),
    ...(properties === undefined ? {} : { properties }),
    ...(quotesSecret(thrown, depth) ? { sensitive: true } : {}),
  };
}

/** Errors of the engine that were made of a failure which may tell a secret. */
const SECRETIVE = new WeakSet<Error>();

/** Whether it is made of a failure that may tell one; of a cause that is not kept, too. */
function quotesSecret(thrown: Error, depth: number): boolean {
  if (SECRETIVE.has(thrown) || (isStepFailure(thrown) && mayTell(thrown.failure))) return true;
  if (depth < LIMITS.failureDepth || depth > LIMITS.failureChain) return false;
  const { cause } = partsOf(thrown);
  return cause instanceof Error && quotesSecret(cause, depth + 1);
}

/** The standard parts of an error; one whose getter throws is left out. V8's own `stack` may. */
function partsOf(error: Error): { readonly [name: string]: unknown } {
  const parts: { [name: string]: unknown } = {};
  for (const name of STANDARD_PROPERTIES) {
    try {
      parts[name] = Reflect.get(error, name);
    } catch {
      // It stays undefined, as if it were not there.
    }
  }
  return parts;
}

const STANDARD_PROPERTIES = new Set(["name", "message", "stack", "cause", "code", "retryable"]);

function ownProperties(error: Error): { readonly [name: string]: Json } | undefined {
  const hidden = isStepFailure(error) ? "failure" : undefined;
  const names = Object.keys(error).filter(
    (name) => !STANDARD_PROPERTIES.has(name) && name !== hidden,
  );
  if (names.length === 0) return undefined;
  try {
    const own = Object.fromEntries(names.map((name) => [name, Reflect.get(error, name)]));
    encode(own, "an error's properties");
    const json = toJson(own) as { readonly [name: string]: Json };
    const bytes = new TextEncoder().encode(JSON.stringify(json)).length;
    return bytes > LIMITS.failurePropertiesBytes ? undefined : json;
  } catch {
    return undefined; // a property that cannot be stored must not hide the error itself
  }
}

function printable(thrown: unknown): string {
  if (typeof thrown === "string") return thrown;
  try {
    return JSON.stringify(thrown) ?? String(thrown);
  } catch {
    return Object.prototype.toString.call(thrown);
  }
}

function textOf(part: unknown): string {
  try {
    return String(part);
  } catch {
    return Object.prototype.toString.call(part); // such as an object without a prototype
  }
}

const cut = (text: string, length: number) =>
  text.length <= length ? text : `${text.slice(0, length - 1)}…`;

/** A failure the engine itself reports, with one of its codes. */
export function engineFailure(error: WaymarkError): Failure {
  return { type: error.name, message: error.message, code: error.code };
}

/** The stored text of a failure. */
export const encodeFailure = (failure: Failure): string => JSON.stringify(failure);

/** A failure from its stored text. */
export const decodeFailure = (text: string): Failure => JSON.parse(text) as Failure;

/** The error a workflow sees for a failure that one of Waymark's own errors caused. */
export function fromFailure(failure: Failure): Error {
  const error = isErrorCode(failure.code)
    ? new WaymarkError(failure.code, failure.message)
    : named(new Error(failure.message), failure.type);
  if (mayTell(failure)) SECRETIVE.add(error);
  return error;
}

function named(error: Error, name: string): Error {
  error.name = name;
  return error;
}
