/** What passes between workflow code and the engine: asks go down, completions come back. */

import type { AnyActivity } from "./activity.ts";
import type { ActivityStatus } from "./activity-status.ts";
import type { ParentClose } from "./child.ts";
import type { UndoneStep } from "./compensation.ts";
import type { Duration } from "./duration.ts";
import type { Failure } from "./failure.ts";
import type { StepIdentity } from "./names.ts";
import type { Encoded } from "./payload.ts";
import type { Retry } from "./retry.ts";
import type { Schema } from "./schema.ts";
import type { StoredText } from "./stored-text.ts";

/** The kinds of step a workflow can ask for. */
export type StepKind =
  | "activity"
  | "run"
  | "timer"
  | "event"
  | "child"
  | "start"
  | "send"
  | "entity"
  | "lock"
  | "unlock";

/** The kinds of row a history may have: the steps, and what reaches the code without being asked for. */
export type RecordKind = StepKind | "cancel" | "rewind" | "update";

/** What a request to cancel is called in a history. No step's name has parentheses. */
export const CANCEL_REQUEST = "(cancel)";

/** What a request to terminate an instance, once it has undone its steps, is called in a history. */
export const TERMINATE_REQUEST = "(terminate)";

/** What the rewinds of an execution are called in its history: the last one is kept, with how many there were. */
export const REWIND = "(rewind)";

/** The row behind which a fork has what comes to it while it copies. */
export const FORK = "(fork)";

/** The row of an execution that waits for nothing but updates. */
export const UPDATES_AWAITED = "(updates)";

/** The row of an execution that waits for the locks which it held before its rewind. */
export const LOCKS_AWAITED = "(lock)";

/** What the code wants done. */
export type StepRequest =
  | {
      readonly kind: "activity" | "run";
      readonly activity: AnyActivity;
      readonly retry: Retry;
      readonly timeout: Duration | undefined;
      /** For a declared stage: the status the stage rule gave it. */
      readonly stageStatus: ActivityStatus | null;
      /** For the undo of another step: what it is told of that one, in the place of an input. */
      readonly undoes?: UndoneInput;
    }
  | { readonly kind: "timer"; readonly due: number }
  | ChildRequest
  | { readonly kind: "send"; readonly to: string; readonly event: string }
  | EntityRequest
  | LockRequest
  | UnlockRequest
  | {
      readonly kind: "event";
      readonly event: string;
      readonly due: number | null;
      /** What an event must fit to end the wait; null where any does. */
      readonly schema: Schema | null;
    };

/** A child workflow: `child` waits for its end, `start` only for its start. */
export interface ChildRequest {
  readonly kind: "child" | "start";
  readonly workflow: string;
  readonly version: string;
  /** The child's id; derived from the step where it is undefined. */
  readonly id: string | undefined;
  readonly tags: { readonly [name: string]: string };
  /** Milliseconds since 1970; at once where it is undefined. */
  readonly startAt: number | undefined;
  readonly parentClose: ParentClose;
  readonly retry: Retry;
  readonly timeout: Duration | undefined;
}

/** What the undo of a step is told of it: read for each attempt, as any input is. */
export interface UndoneInput {
  readonly step: StepIdentity;
  readonly read: () => Omit<UndoneStep, "idempotencyKey">;
}

/** An operation of an entity: called, or signalled where nobody waits for its result. */
export interface EntityRequest {
  readonly kind: "entity";
  /** The entity's address. */
  readonly to: string;
  readonly operation: string;
  readonly payload: Encoded;
  readonly awaited: boolean;
  /** When it is to run, in milliseconds since 1970; null for at once. */
  readonly at: number | null;
  /** How long its result is waited for, in milliseconds; null for ever. */
  readonly timeoutMillis: number | null;
}

/** Entities that are to be locked, by their addresses: each once, sorted. */
export interface LockRequest {
  readonly kind: "lock";
  readonly entities: readonly string[];
  /** How long they are waited for together, in milliseconds; null for ever. */
  readonly timeoutMillis: number | null;
}

/** Releases what a lock holds. It is over at once. */
export interface UnlockRequest {
  readonly kind: "unlock";
  readonly lock: StepIdentity;
}

/** A step the code has asked for. */
export interface Ask {
  readonly identity: StepIdentity;
  /** Asks are numbered from 1 in the order of the code. */
  readonly ordinal: number;
  /** The `seq` of what had reached the code by then; 0 where nothing had. */
  readonly after: number;
  /** What the identity does not say and a replay must find unchanged; null where nothing. */
  readonly input: Encoded | null;
  readonly request: StepRequest;
  /** It is undone where the execution fails: its row is written before it begins. */
  readonly undoable?: boolean;
  /** Its payloads are not shown. */
  readonly sensitive?: boolean;
}

/** How a step ended. */
export type StepOutcome<Text = Encoded> =
  | { readonly ok: true; readonly result: Text }
  | { readonly ok: false; readonly failure: Failure; readonly attempts: number };

/** A step's end as it is recorded: delivered to the workflow in the order of `seq`. */
export interface Completion {
  readonly seq: number;
  readonly step: StepIdentity;
  readonly kind: RecordKind;
  /** When it was recorded, in milliseconds since 1970. */
  readonly at: number;
  /** The code had it in the burst in which it asked for it: see short-cut.ts. */
  readonly inline?: boolean;
  readonly outcome: StepOutcome<StoredText>;
}

/** What `continueAsNew` asked for: the next execution of the same instance. */
export interface Continuation {
  readonly input: Encoded;
  /** `latest` moves on to the newest registered version; null stays. */
  readonly version: "latest" | null;
}

/** What the history says of a step, for the comparison on replay (W7). */
export interface RecordedStep {
  readonly kind: RecordKind;
  readonly input: StoredText | null;
  /** Its payloads are not shown: 1, or 0. */
  readonly sensitive?: number;
  /** Its input was left out of an exported history, and cannot be compared. */
  readonly withheld?: boolean;
}
