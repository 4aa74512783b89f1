/**
 * How long after a restart instances went on: from the moment at which the Worker answered its first request to
 * the first effect of each instance that was in the middle of its work when the Worker was killed.
 *
 * Counted are shapes that always have work that is due at once. An instance one of whose steps was struck by
 * this kill and by the one before it is counted apart: Waymark takes such a step for one that may have killed its
 * object, and lets a second pass before the next attempt.
 */
import type { Evidence, Kill, LedgerRecord } from "./evidence.ts";
import type { Planned } from "./expectation.ts";

/** An answer may have come, and its row not. */
const UNCOMMITTED_MILLIS = 100;

export interface GoingOn {
  /** Milliseconds; 0 where an effect came before the Worker had answered anything. */
  readonly atOnce: readonly number[];
  /** Those that were struck twice. */
  readonly struckTwice: readonly number[];
}

export function goingOn(planned: readonly Planned[], evidence: Evidence): GoingOn {
  const byInstance = Map.groupBy(evidence.records, ({ instance }) => instance);
  const atOnce: number[] = [];
  const struckTwice: number[] = [];
  for (const { id, busy } of planned) {
    if (busy !== true) continue;
    const records = byInstance.get(id) ?? [];
    evidence.kills.forEach((kill, index) => {
      const millis = millisToGoOn(records, kill);
      if (millis === null) return;
      const twice = isStruckTwice(records, evidence.kills[index - 1], kill);
      (twice ? struckTwice : atOnce).push(millis);
    });
  }
  return { atOnce, struckTwice };
}

/** Null where it had not begun at the kill, or had ended. */
function millisToGoOn(records: readonly LedgerRecord[], { goneAt, upAt }: Kill): number | null {
  const begun = records.some(({ at }) => at <= goneAt);
  const next = records.find(({ at }) => at > goneAt);
  return begun && next !== undefined ? Math.max(0, next.at - upAt) : null;
}

/** Whether a step was under way at both of two kills. */
function isStruckTwice(
  records: readonly LedgerRecord[],
  before: Kill | undefined,
  { killedAt, goneAt }: Kill,
): boolean {
  if (before === undefined) return false;
  const earlier = new Set(records.filter(({ at }) => at <= before.goneAt).map(({ what }) => what));
  return records.some(
    ({ what, at, ending, endedAt }) =>
      at > before.goneAt &&
      at <= goneAt &&
      earlier.has(what) &&
      (ending !== "answered" || endedAt === null || endedAt > killedAt - UNCOMMITTED_MILLIS),
  );
}
