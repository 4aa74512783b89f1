/**
 * Careful turns (design, section 6): after memory was lost at an unexpected moment, the attempt that
 * was running may be what killed the object. The turn then marks attempts before it starts them, so
 * that one which kills the object every time is counted and ends. A false alarm costs one row.
 */
import type { InstanceRow, StepSummary } from "../store/rows.ts";
import { LATE_MILLIS } from "./host.ts";

export function isCareful(
  row: InstanceRow,
  open: readonly Pick<StepSummary, "state" | "due">[],
  wake: { readonly disturbed: boolean; readonly now: number },
): boolean {
  if (wake.disturbed) return true;
  if (open.some((step) => step.state === "running")) return true;
  const dues = open.filter((step) => step.state === "open").map((step) => step.due);
  const due = Math.min(...[row.due, ...dues].map((at) => at ?? Number.POSITIVE_INFINITY));
  // Nothing is due yet, or it is long past: a turn was under way when memory was lost.
  return due > wake.now || wake.now - due > LATE_MILLIS;
}
