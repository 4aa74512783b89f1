/** Child workflows: what a workflow says of one it starts, and what a child knows of its parent. */
import type { Duration } from "./duration.ts";
import type { StepIdentity } from "./names.ts";
import type { Retry } from "./retry.ts";
import type { SensitiveOption } from "./sensitive.ts";

/**
 * What becomes of a child that has not ended when its parent's execution does: it goes on, is asked to end
 * (`cancel`), or is ended.
 */
export type ParentClose = "abandon" | "cancel" | "terminate";

/** What `ctx.start` takes beside the workflow and its input. */
export interface StartOptions extends SensitiveOption {
  /** Identifies the step beside its name; give one in loops over data. Unique per name. */
  readonly key?: string;
  /**
   * The child's id. Derived from this execution and step if left out, and so free. One of a child that has ended
   * is taken, unless an earlier execution of this instance, before a restart or `continueAsNew`, started it.
   */
  readonly id?: string;
  readonly tags?: { readonly [name: string]: string };
  /** What becomes of it when this execution ends; `"abandon"`, it goes on, if left out. */
  readonly parentClose?: ParentClose;
  /** When it is to begin; at once if left out. */
  readonly startAt?: Date;
}

/** What `ctx.call` takes beside a workflow and its input. */
export interface ChildOptions extends Omit<StartOptions, "startAt"> {
  /**
   * How a child that failed is started again, under the same id: a policy, or a function that decides, see
   * `RetryHandler`. Once only if left out. One that was terminated, or whose own code threw a
   * `NonRetryableError`, is not started again.
   */
  readonly retry?: Retry;
  /** How long one try may take; then the child is terminated, and the try has failed. */
  readonly timeout?: Duration;
  /**
   * Cancels the step when it aborts: its promise rejects with a `CancelledError`, and the child is asked to
   * end, as by a request to cancel it.
   */
  readonly signal?: AbortSignal | undefined;
}

/** A child that was started. */
export interface StartedChild {
  readonly id: string;
  readonly executionId: string;
}

/** The step that a child belongs to. */
export interface ParentReference {
  readonly id: string;
  readonly executionId: string;
  readonly step: StepIdentity;
  /** Which try of the step it is: the result of another one is not waited for any more. */
  readonly attempt: string;
  /** Whether it waits for the child's end, and not only for its start. */
  readonly awaited: boolean;
}

/** What a workflow's code is told of its parent. */
export interface Parent {
  readonly instanceId: string;
  readonly executionId: string;
  readonly step: StepIdentity;
}
