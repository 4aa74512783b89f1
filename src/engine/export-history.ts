/** Rows in the form that is kept in a file and checked against later code, and in that which a replay takes. */
import type { ParentReference } from "../core/child.ts";
import { completionOf, type StoredHistory, type StoredStep } from "../core/history.ts";
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
  const input = textOf(row.input);
  const output = whole(row.output);
  const parent = row.parent === null ? null : (JSON.parse(row.parent) as ParentReference);
  const begun = { startedAt: row.startedAt === null ? null : startedAt, parent };
  const draws = seeds.length === 0 ? {} : { seeds };
  return { format: 1, ...identity, status, input, output, error, ...begun, ...draws };
}

export function storedStep(row: StepRow): StoredStep {
  const { seq, step, kind, state, attempt, at } = row;
  const texts = { input: whole(row.input), result: whole(row.result), failure: whole(row.failure) };
  return { seq, step, kind, state: shownState(state), attempt, ...texts, at };
}

/** What the driver is told of a row that has its place in the order of delivery. */
export const rowCompletion = (row: StepRow): Completion =>
  completionOf({ ...row, state: shownState(row.state), seq: row.seq ?? 0 });

const whole = (text: StoredText | null): string | null => (text === null ? null : textOf(text));
