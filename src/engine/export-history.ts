/** Rows in the form that is kept in a file and checked against later code. */
import type { StoredHistory, StoredStep } from "../core/history.ts";
import type { InstanceRow, StepRow } from "../store/rows.ts";

/** All of a stored history but its steps. */
export function storedExecution(row: InstanceRow): Omit<StoredHistory, "steps"> {
  const { id, executionId, workflow, version, status, input, output, error, startedAt } = row;
  const identity = { id, executionId, workflow, version };
  return { format: 1, ...identity, status, input, output, error, startedAt };
}

export function storedStep(row: StepRow): StoredStep {
  const { seq, step, kind, state, attempt, input, result, failure, at } = row;
  return { seq, step, kind, state, attempt, input, result, failure, at };
}
