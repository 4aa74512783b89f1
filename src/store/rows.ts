/**
 * The shape of the stored rows. Times are milliseconds since 1970; payloads are encoded text, which a row that
 * was read need not have at hand.
 */
import type { ParentClose } from "../core/child.ts";
import type { InstanceStatus, StepState } from "../core/documents.ts";
import type { StepIdentity } from "../core/names.ts";
import type { Encoded } from "../core/payload.ts";
import type { RecordKind } from "../core/step.ts";
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
  /** The step whose child it is, as JSON; null where a request started it. */
  readonly parent: string | null;
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
  /** Which round of its life this execution is, from 1: each `continueAsNew` begins another. */
  readonly round: number;
  /** A rewind that the next turn is to carry out, as it is stored; null where none is asked for. */
  readonly rewind: string | null;
  /** How many rewinds of this instance's executions were carried out since it was started. */
  readonly rewinds: number;
  /** Where it comes from, as JSON, where it was forked. */
  readonly fork: string | null;
  /** What it is given and comes to is not shown: 1, or 0. */
  readonly sensitive?: number;
  /** What it has begun is being undone: 1, or 0. */
  readonly compensating?: number;
}

/**
 * What a row may say beyond what people read of it: `sent`, a message is on its way or a child runs;
 * `arrived`, the answer or the child's result is stored in it and has no place in the order yet.
 */
export type RowState = StepState | "sent" | "arrived";

/** The child of a step, as its row keeps it; of one of the kind `entity` or `lock`, the entity. */
export interface Child {
  readonly id: string;
  readonly parentClose: ParentClose;
  /** How often a rewind of its parent has done the step anew; never where it is left out. */
  readonly redo?: number;
  /** It is to go on from where it was, where it has not completed: not to be started anew. */
  readonly rewinds?: boolean;
  /** It is an entity that was sent a signal: its answer to the message is all that comes. */
  readonly oneWay?: boolean;
  /** For a lock: the entities that were asked so far, the one that is waited for last. */
  readonly locks?: readonly string[];
  /** A lock that went with the end of its execution. */
  readonly released?: boolean;
  /** It is of the execution that this one was forked from: nothing is asked of it. */
  readonly foreign?: boolean;
}

/** One durable thing of an execution: a step of any kind, or an event nobody has taken yet. */
export interface StepRow {
  readonly id: number;
  /** The order of delivery, once it has ended. */
  readonly seq: number | null;
  /** Its identity; for a buffered event, the event's name. */
  readonly step: StepIdentity;
  readonly kind: RecordKind;
  readonly state: RowState;
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
  /** A {@link Child} as JSON, where the step has one. */
  readonly child: string | null;
  readonly startedAt: number | null;
  /** When the row was last written. */
  readonly at: number;
  /** Its payloads are not shown: 1, or 0. */
  readonly sensitive: number;
  /** It was delivered in the burst in which the code asked for it: 1, or 0. */
  readonly inline: number;
}

/** A row without what may be large: enough to know what is open and how far it is. */
export type StepSummary = Omit<StepRow, "input" | "result" | "failure">;

/** A row as it is first written. */
export type NewStepRow = Omit<
  StepRow,
  "id" | "input" | "result" | "failure" | "sensitive" | "inline"
> & {
  readonly sensitive?: boolean | undefined;
  readonly inline?: boolean | undefined;
  readonly input: Encoded | null;
  readonly result: Encoded | null;
  readonly failure: string | null;
};
