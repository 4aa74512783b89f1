/**
 * What the rows say about a turn: when one is due, and whether it must be careful.
 *
 * Careful turns (design, section 6): after memory was lost at an unexpected moment, the attempt that
 * was running may be what killed the object. The turn then marks attempts before it starts them, so
 * that one which kills the object every time is counted and ends. A false alarm costs one row.
 */
import { nameOf, type StepIdentity } from "../core/names.ts";
import { LOCKS_AWAITED } from "../core/step.ts";
import type { InstanceRow, StepSummary } from "../store/rows.ts";
import { stepsBefore } from "../store/update-store.ts";
import { LATE_MILLIS } from "./host.ts";

type OpenRow = Pick<StepSummary, "state" | "due" | "kind" | "step" | "lastProcessedId">;

export function isCareful(
  row: InstanceRow,
  open: readonly OpenRow[],
  wake: { readonly disturbed: boolean; readonly now: number },
): boolean {
  if (wake.disturbed) return true;
  if (open.some((step) => step.state === "running")) return true;
  // It was to begin at once, in the memory that wrote that: what it wrote next may be lost as well.
  if (row.due !== null && row.due <= row.updatedAt) return true;
  const dues = open.filter((step) => step.state === "open").map((step) => step.due);
  const due = earliest([row.due, ...dues]) ?? Number.POSITIVE_INFINITY;
  // Nothing is due yet, or it is long past: a turn was under way when memory was lost.
  return due > wake.now || wake.now - due > LATE_MILLIS;
}

/**
 * When a turn is owed, as far as rows can say, in milliseconds since 1970; null where nothing but an
 * event can go on with the instance, or somebody who resumes it. What comes while an execution is undone is owed
 * none: its code does not hear of it. A running instance without any open
 * row was in the middle of short steps, and one with an event that it waits for was about to take it: a turn
 * is owed at once.
 *
 * @param events names of the events that nobody has taken
 */
export function storedDue(
  row: InstanceRow,
  open: readonly OpenRow[],
  events: readonly string[],
): number | null {
  if (row.heldAt !== null) return null;
  const goesOn = row.status === "Running" && row.rewind === null; // its due may be that of its rewind
  if (goesOn && open.some(({ step }) => step === LOCKS_AWAITED)) return null; // an entity's answer makes a turn due
  if (row.due !== null) return row.due;
  const waits = open.filter((step) => step.state !== "orphaned" && !isUnheard(step, row));
  if (waits.length === 0) return row.updatedAt;
  const opened = new Set(waits.map(({ step }) => step));
  const isOpen = (step: StepIdentity) => opened.has(step);
  let held = false;
  const dues = waits.flatMap((step) => {
    if (step.kind === "event" && events.includes(nameOf(step.step))) return [row.updatedAt];
    if (step.due !== null) return [step.due];
    if (step.kind === "update") {
      if (step.state !== "buffered") return [];
      held ||= stepsBefore(step.lastProcessedId).some(isOpen); // and those behind it wait as well
      return held ? [] : [row.updatedAt];
    }
    return step.kind === "event" || step.state === "sent" ? [] : [row.updatedAt];
  });
  return earliest(dues);
}

const isUnheard = ({ kind }: OpenRow, { compensating }: InstanceRow): boolean =>
  compensating === 1 && (kind === "cancel" || kind === "update");

/** Not `Math.min(...)`: there may be more open steps than a call takes arguments. */
function earliest(dues: readonly (number | null)[]): number | null {
  return dues.reduce<number | null>(
    (first, due) => (due === null || (first !== null && first <= due) ? first : due),
    null,
  );
}
