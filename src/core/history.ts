/** The history of one execution as it is stored, in a form that can be kept in a file. */

import type { ParentReference } from "./child.ts";
import type { InstanceStatus, StepState } from "./documents.ts";
import { decodeFailure } from "./failure.ts";
import type { StepIdentity } from "./names.ts";
import { ENCODED_UNDEFINED, type Encoded } from "./payload.ts";
import type { Completion, RecordKind } from "./step.ts";
import { type StoredText, textOf } from "./stored-text.ts";

/** Whose draws (`ctx.uuid`, `ctx.random`) those of a history are, up to that `seq`: of an execution that was forked. */
export interface Seed {
  readonly executionId: string;
  readonly through: number;
}

/** The execution that what has this place in the order of delivery was recorded by. */
export const recorderOf = (seeds: readonly Seed[], seq: number, executionId: string): string =>
  seeds.find(({ through }) => seq <= through)?.executionId ?? executionId;

/** One step of a stored history. Times are milliseconds since 1970; payloads are encoded text. */
export interface StoredStep {
  /** The order of delivery; null for what has not ended. */
  readonly seq: number | null;
  readonly step: StepIdentity;
  readonly kind: RecordKind;
  readonly state: StepState;
  readonly attempt: number;
  readonly input: Encoded | null;
  readonly result: Encoded | null;
  /** A failure as JSON. */
  readonly failure: string | null;
  readonly at: number;
  /** It is sensitive: input and result are left out, and what its failure says. */
  readonly sensitive?: boolean;
  /** The code had it in the burst in which it asked for it: a replay delivers it there as well. */
  readonly inline?: boolean;
}

/** A whole execution: all that a replay needs, and how it stood when it was exported. */
export interface StoredHistory {
  /** The version of this format. */
  readonly format: 1;
  readonly id: string;
  readonly executionId: string;
  readonly workflow: string;
  readonly version: string;
  readonly status: InstanceStatus;
  readonly input: Encoded;
  readonly output: Encoded | null;
  /** A failure as JSON. */
  readonly error: string | null;
  readonly startedAt: number | null;
  /** Whose child it is; left out in histories that were exported before there were children. */
  readonly parent?: ParentReference | null;
  /** Of a fork: whose draws those of the copied steps are. */
  readonly seeds?: readonly Seed[];
  /** Input and output are left out: they are sensitive. */
  readonly sensitive?: boolean;
  /** In any order: `seq` says in which they were delivered. */
  readonly steps: readonly StoredStep[];
}

/** A part of a stored history: the steps of the next page follow those of this one. */
export interface StoredHistoryPage extends StoredHistory {
  /** Hand it back for the next page; null at the end. */
  readonly cursor: string | null;
}

/** Whether it is an event that did not fit the wait it was for: no step, though it bears a name. */
export const isRefused = ({
  seq,
  state,
}: {
  readonly seq: number | null;
  readonly state: string;
}): boolean => seq === null && state === "failed";

/** Whether a row is a step, and not an event that no wait has taken. */
export const isStep = (row: Pick<StoredStep, "seq" | "state">): boolean =>
  row.state !== "buffered" && !isRefused(row);

/** A step that has ended, as memory holds it. */
type EndedStep = Omit<StoredStep, "seq" | "input" | "result" | "failure" | "sensitive"> & {
  readonly seq: number;
  readonly input: StoredText | null;
  readonly result: StoredText | null;
  readonly failure: StoredText | null;
};

/** What the driver is told of a step that has ended; what is large of it is read at its delivery. */
export function completionOf(step: EndedStep): Completion {
  const { seq, step: identity, kind, state, attempt, input, result, failure, at, inline } = step;
  if (kind === "update") {
    // What the code gets is its input; what is recorded besides is what the code has made of it.
    const outcome = { ok: true, result: input ?? ENCODED_UNDEFINED } as const;
    return { seq, step: identity, kind, at, outcome };
  }
  const outcome =
    failure !== null && state === "failed"
      ? failedOutcome(failure, attempt)
      : { ok: true as const, result: result ?? ENCODED_UNDEFINED };
  return { seq, step: identity, kind, at, ...(inline ? { inline } : {}), outcome };
}

function failedOutcome(stored: StoredText, attempts: number): Completion["outcome"] {
  return {
    ok: false,
    attempts,
    get failure() {
      return decodeFailure(textOf(stored));
    },
  };
}
