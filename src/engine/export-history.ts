/** Rows in the form that is kept in a file and checked against later code. */
import type { StoredHistory, StoredStep } from "../core/history.ts";
import type { InstanceRow, StepRow } from "../store/rows.ts";

/** The history of an execution with these of its steps. */
export function storedHistory(row: InstanceRow, steps: readonly StepRow[]): StoredHistory {
  const { id, executionId, workflow, version, status, input, output, error, startedAt } = row;
  return {
    format: 1,
    id,
    executionId,
    workflow,
    version,
    status,
    input,
    output,
    error,
    startedAt,
    steps: steps.map(storedStep),
  };
}

function storedStep(row: StepRow): StoredStep {
  const { seq, step, kind, state, attempt, input, result, failure, at } = row;
  return { seq, step, kind, state, attempt, input, result, failure, at };
}
