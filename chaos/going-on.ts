/**
 * How long after a restart instances went on: from the moment at which the Worker answered its first request to
 * the first effect of each instance that was in the middle of its work when the Worker was killed.
 *
 * Counted are shapes that always have work that is due at once. Where a step was struck by two kills, one after
 * the other, Waymark takes it for one that may have killed its object, and lets a second pass before the next
 * attempt: then nothing is due at once. The Worker's log says so, and such an instance is counted apart.
 */
import type { Evidence, Kill, LedgerRecord, Retry } from "./evidence.ts";
import type { Planned } from "./expectation.ts";

/** A life shorter than this says nothing of those that did not go on in it. */
const SHORT_LIFE_MILLIS = 500;

/** One instance that went on after one kill. */
export interface Sample {
  readonly instance: string;
  /** Which kill it was, from 1. */
  readonly kill: number;
  /** The effect that came last before the kill, and the first one after it. */
  readonly last: string;
  readonly next: string;
  /**
   * 0 where the effect came before the Worker had answered anything. Where the next kill came before the
   * effect, the time until then.
   */
  readonly millis: number;
}

export interface GoingOn {
  readonly atOnce: readonly Sample[];
  /** Those whose next attempt was due later. */
  readonly waited: readonly Sample[];
}

/** One life of the Worker after a kill. */
interface Life {
  readonly kill: Kill;
  readonly number: number;
  readonly endsAt: number;
  readonly retries: readonly Retry[];
}

export function goingOn(planned: readonly Planned[], evidence: Evidence): GoingOn {
  const { kills, retries } = evidence;
  const byInstance = Map.groupBy(evidence.records, ({ instance }) => instance);
  const atOnce: Sample[] = [];
  const waited: Sample[] = [];
  for (const [index, kill] of kills.entries()) {
    const endsAt = kills[index + 1]?.killedAt ?? Number.POSITIVE_INFINITY;
    const life = { kill, number: index + 1, endsAt, retries: retries[index + 1] ?? [] };
    for (const { id, busy } of planned) {
      const sample = busy === true ? sampleOf(id, byInstance.get(id) ?? [], life) : null;
      if (sample === null) continue;
      (waits(sample, life) ? waited : atOnce).push(sample);
    }
  }
  return { atOnce, waited };
}

/** Null where it had not begun at the kill or was over, and where there was no time to go on. */
function sampleOf(
  instance: string,
  records: readonly LedgerRecord[],
  { kill, number, endsAt }: Life,
): Sample | null {
  const last = records.findLast(({ at }) => at <= kill.goneAt);
  const next = records.find(({ at }) => at > kill.goneAt);
  if (last === undefined || next === undefined) return null;
  const millis = Math.max(0, Math.min(next.at, endsAt) - kill.upAt);
  if (next.at > endsAt && millis < SHORT_LIFE_MILLIS) return null;
  return { instance, kill: number, last: last.what, next: next.what, millis };
}

/** Whether an attempt of it was due in that life before it went on, and only after the start. */
const waits = ({ instance, millis }: Sample, { kill, retries }: Life): boolean =>
  retries.some(
    (retry) =>
      retry.instance === instance &&
      retry.dueAt > kill.upAt &&
      retry.dueAt <= kill.upAt + millis + 1, // a due has whole milliseconds
  );
