/** Replays a finished instance's rows on a driver of their own: same code, same rows, same end? */
import { createContext } from "../../src/core/context.ts";
import { Driver, type WorkflowEnd } from "../../src/core/driver.ts";
import { decodeFailure } from "../../src/core/failure.ts";
import { decode } from "../../src/core/payload.ts";
import type { AnyWorkflow } from "../../src/core/workflow.ts";
import type { InstanceRow, StepRow } from "../../src/store/rows.ts";

export async function replayHistory(
  workflow: AnyWorkflow,
  instance: InstanceRow,
  rows: readonly StepRow[],
): Promise<{ end: WorkflowEnd | undefined; divergence: string | undefined }> {
  const byStep = new Map(rows.map((row) => [row.step, row]));
  const driver = new Driver({
    executionId: instance.executionId,
    startedAt: instance.startedAt ?? 0,
    history: rows.map((row) => ({
      seq: row.seq ?? 0,
      step: row.step,
      kind: row.kind,
      at: row.at,
      outcome:
        row.state === "failed"
          ? { ok: false, failure: decodeFailure(row.failure ?? ""), attempts: row.attempt }
          : { ok: true, result: row.result ?? "-1" },
    })),
    recorded: (identity) => byStep.get(identity),
    resumed: true,
  });
  const ctx = createContext(driver, {
    instanceId: instance.id,
    executionId: instance.executionId,
    version: instance.version,
    stages: workflow.stages,
  });
  driver.start(() => workflow.run(ctx, decode(instance.input)));
  do await new Promise((resolve) => setImmediate(resolve));
  while (driver.deliverNext());
  return { end: driver.end, divergence: driver.divergence?.message };
}
