/** Rows in the form that is kept in a file and checked against later code, and in that which a replay takes. */
import type { ParentReference } from "../core/child.ts";
import { decodeFailure, encodeFailure } from "../core/failure.ts";
import { completionOf, type StoredHistory, type StoredStep } from "../core/history.ts";
import { encode } from "../core/payload.ts";
import { HIDDEN, hiddenFailure, shownFailure } from "../core/sensitive.ts";
import type { Completion } from "../core/step.ts";
import { type StoredText, textOf } from "../core/stored-text.ts";
import type { InstanceRow, StepRow } from "../store/rows.ts";
import { originOf } from "./fork.ts";
import { shownState } from "./view.ts";

/** All of a stored history but its steps. */
export function storedExecution(row: InstanceRow): Omit<StoredHistory, "steps"> {
  const { id, executionId, workflow, version, status, error } = row;
  const { startedAt, seeds } = originOf(row);
  const identity = { id, executionId, workflow, version };
  const hides = row.sensitive === 1;
  const input = hides ? WITHHELD : textOf(row.input);
  const output = hides ? null : whole(row.output);
  const parent = row.parent === null ? null : (JSON.parse(row.parent) as ParentReference);
  const begun = { startedAt: row.startedAt === null ? null : startedAt, parent };
  const draws = seeds.length === 0 ? {} : { seeds };
  const seenAs = hides && status === "Failed" ? hiddenFailure : shownFailure;
  const shown = error === null ? null : encodeFailure(seenAs(decodeFailure(error)));
  const execution = { format: 1, ...identity, status, input, output, error: shown } as const;
  return { ...execution, ...begun, ...draws, ...(hides ? { sensitive: true } : {}) };
}

export function storedStep(row: StepRow): StoredStep {
  const { seq, step, kind, state, attempt, at } = row;
  if (row.sensitive === 1) return withheld(row);
  const texts = { input: whole(row.input), result: whole(row.result), failure: seen(row.failure) };
  return { seq, step, kind, state: shownState(state), attempt, ...texts, at, ...inlineOf(row) };
}

/** A step without what it is about. */
function withheld(row: StepRow): StoredStep {
  const { seq, step, kind, state, attempt, failure, at } = row;
  const hidden = failure === null ? null : hiddenFailure(decodeFailure(textOf(failure)));
  const texts = { input: null, result: null, failure: hidden && encodeFailure(hidden) };
  const shown = { state: shownState(state), attempt, ...texts, at, sensitive: true };
  return { seq, step, kind, ...shown, ...inlineOf(row) };
}

const inlineOf = ({ inline }: StepRow): { readonly inline?: true } =>
  inline === 1 ? { inline: true } : {};

const seen = (failure: StoredText | null): string | null =>
  failure === null ? null : encodeFailure(shownFailure(decodeFailure(textOf(failure))));

/** In the place of an input that is left out. */
const WITHHELD = encode(HIDDEN, "what is left out");

/** What the driver is told of a row that has its place in the order of delivery. */
export const rowCompletion = (row: StepRow): Completion =>
  completionOf({
    ...row,
    state: shownState(row.state),
    seq: row.seq ?? 0,
    inline: row.inline === 1,
  });

const whole = (text: StoredText | null): string | null => (text === null ? null : textOf(text));
