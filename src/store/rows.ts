/**
 * The shape of the stored rows. Times are milliseconds since 1970; payloads are encoded text, which a row that
 * was read need not have at hand.
 */
import type { InstanceStatus, StepState } from "../core/documents.ts";
import type { StepIdentity } from "../core/names.ts";
import type { Encoded } from "../core/payload.ts";
import type { StepKind } from "../core/step.ts";
import type { StoredText } from "../core/stored-text.ts";

/** The one row about the instance and its current execution. */
export interface InstanceRow {
  readonly id: string;
  readonly executionId: string;
  readonly workflow: string;
  readonly version: string;
  readonly status: InstanceStatus;
  readonly input: StoredText;
  readonly output: StoredText | null;
  /** A failure as JSON. */
  readonly error: string | null;
  /** A flat object as JSON. */
  readonly tags: string;
  /** When a turn is owed though no step is open: a start, or another try of a suspended instance. */
  readonly due: number | null;
  /** How often it was suspended in a row: each time it is left alone for longer. */
  readonly suspensions: number;
  /** When a person suspended it; null where nobody did, or it was resumed since. */
  readonly heldAt: number | null;
  readonly customStatus: Encoded | null;
  readonly createdAt: number;
  readonly startedAt: number | null;
  readonly updatedAt: number;
  readonly completedAt: number | null;
}

/** One durable thing of an execution: a step of any kind, or an event nobody has taken yet. */
export interface StepRow {
  readonly id: number;
  /** The order of delivery, once it has ended. */
  readonly seq: number | null;
  /** Its identity; for a buffered event, the event's name. */
  readonly step: StepIdentity;
  readonly kind: StepKind;
  readonly state: StepState;
  /** The ordinal of its ask; null for a buffered event. */
  readonly asked: number | null;
  /** Attempts begun, the running one included. */
  readonly attempt: number;
  /** When it is due: a timer's end, a wait's timeout, the next attempt. */
  readonly due: number | null;
  readonly input: StoredText | null;
  readonly result: StoredText | null;
  /** The failure of the step, or of its last attempt, as JSON. */
  readonly failure: StoredText | null;
  /** The last checkpoint; null before the first. */
  readonly lastProcessedId: string | null;
  readonly progress: Encoded | null;
  readonly startedAt: number | null;
  /** When the row was last written. */
  readonly at: number;
}

/** A row without what may be large: enough to know what is open and how far it is. */
export type StepSummary = Omit<StepRow, "input" | "result" | "failure">;

/** A row as it is first written. */
export type NewStepRow = Omit<StepRow, "id" | "input" | "result" | "failure"> & {
  readonly input: Encoded | null;
  readonly result: Encoded | null;
  readonly failure: string | null;
};
