/** Rows in the form that is kept in a file and checked against later code. */
import type { ParentReference } from "../core/child.ts";
import type { StoredHistory, StoredStep } from "../core/history.ts";
import type { InstanceRow, StepRow } from "../store/rows.ts";
import { shownState } from "./view.ts";

/** All of a stored history but its steps. */
export function storedExecution(row: InstanceRow): Omit<StoredHistory, "steps"> {
  const { id, executionId, workflow, version, status, input, output, error, startedAt } = row;
  const identity = { id, executionId, workflow, version };
  const parent = row.parent === null ? null : (JSON.parse(row.parent) as ParentReference);
  return { format: 1, ...identity, status, input, output, error, startedAt, parent };
}

export function storedStep(row: StepRow): StoredStep {
  const { seq, step, kind, state, attempt, input, result, failure, at } = row;
  return { seq, step, kind, state: shownState(state), attempt, input, result, failure, at };
}
