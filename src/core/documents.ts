/** What people and clients read about an instance: plain JSON, as design section 7 fixes it. */
import type { ActivityStatus } from "./activity-status.ts";
import type { Failure } from "./failure.ts";
import type { Json } from "./payload.ts";
import type { RecordKind } from "./step.ts";

export type InstanceStatus =
  | "Pending"
  | "Running"
  | "Suspended"
  | "Completed"
  | "Failed"
  | "Terminated";

const TERMINAL: readonly InstanceStatus[] = ["Completed", "Failed", "Terminated"];

/** Whether an instance of this status has ended. */
export const isTerminal = (status: InstanceStatus): boolean => TERMINAL.includes(status);

/** Something a running instance waits for. */
export interface WaitingFor {
  readonly kind: RecordKind;
  readonly name: string;
  readonly step: string;
  /** For an activity: the attempt that runs, or comes next. */
  readonly attempt?: number;
  /** For a child workflow: its instance. For an operation of an entity: that, as `Name/key`. */
  readonly instanceId?: string;
  /** When it is due, where that is known. */
  readonly due?: string;
}

/** The state of one instance. Times are ISO 8601 with milliseconds. */
export interface InstanceDocument {
  readonly id: string;
  readonly executionId: string;
  readonly workflow: string;
  readonly version: string;
  readonly status: InstanceStatus;
  readonly input: Json;
  readonly output: Json;
  /** Why it failed, was terminated or is suspended. */
  readonly error: Failure | null;
  readonly customStatus: Json;
  /** That of the activity reached last. */
  readonly activityStatus: ActivityStatus | null;
  readonly progress: Json;
  readonly waitingFor: readonly WaitingFor[];
  readonly parent: { readonly id: string; readonly step: string } | null;
  /** Of a fork: the execution whose history it has, and the step that it went back to, where one was named. */
  readonly forkedFrom?: {
    readonly id: string;
    readonly executionId: string;
    readonly step: string | null;
  };
  readonly tags: { readonly [name: string]: string };
  readonly createdAt: string;
  readonly startedAt: string | null;
  readonly updatedAt: string;
  readonly completedAt: string | null;
}

/**
 * The states of a history item: an event nobody has taken is `buffered`, and one that did not fit the wait
 * it was for is `failed`, without a `seq`; an open step that changed
 * code no longer asks for is `orphaned`; one that its code cancelled, or its instance ended without, is
 * `cancelled`.
 */
export type StepState =
  | "open"
  | "running"
  | "done"
  | "failed"
  | "cancelled"
  | "orphaned"
  | "buffered";

/** One step of a history. */
export interface HistoryItem {
  /** The order of delivery; null while it is open. */
  readonly seq: number | null;
  readonly step: string;
  readonly name: string;
  readonly kind: RecordKind;
  readonly state: StepState;
  readonly attempts: number;
  /** For a child workflow: its instance. */
  readonly instanceId?: string;
  readonly startedAt: string | null;
  readonly completedAt: string | null;
  readonly due: string | null;
  readonly input: Json;
  readonly result: Json;
  /** Why it failed, or why its last attempt did. */
  readonly error: Failure | null;
  readonly activityStatus: ActivityStatus | null;
  readonly progress: Json;
}

/** A step that a rewind would do again, or undo because it followed from one. */
export interface RewoundStep extends Pick<HistoryItem, "step" | "name" | "kind" | "state"> {
  /** For a child workflow: its instance. */
  readonly instanceId?: string;
}

/** What a rewind would do, were it asked for now. */
export interface RewindPreview {
  /** In the order of the code. */
  readonly steps: readonly RewoundStep[];
}

export interface HistoryPage {
  readonly items: readonly HistoryItem[];
  /** Hand it back for the next page; null at the end. */
  readonly cursor: string | null;
}

/** What a start request does where the id is taken. */
export type OnConflict = "reject" | "existing" | "replaceFinished" | "replace";

/** The answer to a start: whether it made a new execution, and the instance as it is. */
export interface StartReceipt {
  readonly created: boolean;
  readonly document: InstanceDocument;
}

/** The answer to an event: where it went, and the id under which it is kept. */
export interface EventReceipt {
  readonly instanceId: string;
  readonly executionId: string;
  readonly event: string;
  readonly eventId: number;
}

/** The answer to an update that is accepted, and not done yet. */
export interface PendingUpdate {
  readonly instanceId: string;
  readonly executionId: string;
  /** The handler's name. */
  readonly call: string;
  /** What it is called in the history, where its reply will be the result. */
  readonly step: string;
}

/** An idempotency key with what it stands for: the same key with another fingerprint is an error. */
export interface Idempotency {
  readonly key: string;
  readonly fingerprint: string;
}
