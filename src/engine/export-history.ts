/** Takes a whole execution out of its rows, to be kept in a file and checked against later code. */
import type { StoredHistory, StoredStep } from "../core/history.ts";
import type { InstanceStore } from "../store/instance-store.ts";
import type { StepRow } from "../store/rows.ts";
import type { StepStore } from "../store/step-store.ts";

/** The history of the instance's present execution; undefined where there is no instance. */
export function exportHistory(
  instance: InstanceStore,
  steps: StepStore,
): StoredHistory | undefined {
  const row = instance.read();
  if (row === undefined) return undefined;
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
    steps: [...steps.ended(), ...steps.unended()].map(storedStep),
  };
}

function storedStep(row: StepRow): StoredStep {
  const { seq, step, kind, state, attempt, input, result, failure, at } = row;
  return { seq, step, kind, state, attempt, input, result, failure, at };
}
