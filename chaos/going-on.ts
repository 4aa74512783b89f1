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

/** One instance that went on after one kill. */
export interface Sample {
  readonly instance: string;
  /** Which kill it was, from 1. */
  readonly kill: number;
  /** The effect that came last before the kill, and the first one after it. */
  readonly last: string;
  readonly next: string;
  /** 0 where the effect came before the Worker had answered anything; where the next kill came first, until then. */
  readonly millis: number;
}

/** A life shorter than this says nothing of those that did not go on in it. */
const SHORT_LIFE_MILLIS = 500;

export interface GoingOn {
  readonly atOnce: readonly Sample[];
  /** Those that were struck twice. */
  readonly struckTwice: readonly Sample[];
}

export function goingOn(planned: readonly Planned[], evidence: Evidence): GoingOn {
  const byInstance = Map.groupBy(evidence.records, ({ instance }) => instance);
  const atOnce: Sample[] = [];
  const struckTwice: Sample[] = [];
  for (const { id, busy } of planned) {
    if (busy !== true) continue;
    const records = byInstance.get(id) ?? [];
    evidence.kills.forEach((kill, index) => {
      const last = records.findLast(({ at }) => at <= kill.goneAt);
      const next = records.find(({ at }) => at > kill.goneAt);
      if (last === undefined || next === undefined) return; // it had not begun, or was over
      const nextKill = evidence.kills[index + 1]?.killedAt ?? Number.POSITIVE_INFINITY;
      const millis = Math.max(0, Math.min(next.at, nextKill) - kill.upAt);
      if (next.at > nextKill && millis < SHORT_LIFE_MILLIS) return; // it had no time to go on
      const twice = isStruckTwice(records, evidence.kills[index - 1], kill);
      const sample = { instance: id, kill: index + 1, last: last.what, next: next.what, millis };
      (twice ? struckTwice : atOnce).push(sample);
    });
  }
  return { atOnce, struckTwice };
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
    ({ what, at, endedAt }) =>
      at > before.goneAt &&
      at <= goneAt &&
      earlier.has(what) &&
      (endedAt === null || endedAt > killedAt - UNCOMMITTED_MILLIS),
  );
}
