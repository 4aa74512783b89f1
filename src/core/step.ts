/** What passes between workflow code and the engine: asks go down, completions come back. */

import type { AnyActivity } from "./activity.ts";
import type { ActivityStatus } from "./activity-status.ts";
import type { Duration } from "./duration.ts";
import type { Failure } from "./failure.ts";
import type { StepIdentity } from "./names.ts";
import type { Encoded } from "./payload.ts";
import type { RetryPolicy } from "./retry.ts";
import type { StoredText } from "./stored-text.ts";

/** The kinds of step a workflow can ask for. */
export type StepKind = "activity" | "run" | "timer" | "event";

/** What the code wants done. */
export type StepRequest =
  | {
      readonly kind: "activity" | "run";
      readonly activity: AnyActivity;
      readonly retry: RetryPolicy;
      readonly timeout: Duration | undefined;
      /** For a declared stage: the status the stage rule gave it. */
      readonly stageStatus: ActivityStatus | null;
    }
  | { readonly kind: "timer"; readonly due: number }
  | { readonly kind: "event"; readonly event: string; readonly due: number | null };

/** A step the code has asked for. */
export interface Ask {
  readonly identity: StepIdentity;
  /** Asks are numbered from 1 in the order of the code. */
  readonly ordinal: number;
  /** What the identity does not say and a replay must find unchanged; null where nothing. */
  readonly input: Encoded | null;
  readonly request: StepRequest;
}

/** How a step ended. */
export type StepOutcome<Text = Encoded> =
  | { readonly ok: true; readonly result: Text }
  | { readonly ok: false; readonly failure: Failure; readonly attempts: number };

/** A step's end as it is recorded: delivered to the workflow in the order of `seq`. */
export interface Completion {
  readonly seq: number;
  readonly step: StepIdentity;
  readonly kind: StepKind;
  /** When it was recorded, in milliseconds since 1970. */
  readonly at: number;
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
  readonly kind: StepKind;
  readonly input: StoredText | null;
}
