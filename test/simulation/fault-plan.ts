/**
 * Random faults of one seed. Each kind is on or off for a whole run, and has a rate of its own: so a run
 * meets a few kinds often, and not all of them seldom. After a while nothing fails any more, so that
 * every run comes to its end.
 */
import type { CrashMoment, Faults, MessageFate } from "../../src/testing/faults.ts";
import { POISON } from "./programs.ts";
import type { Random } from "./random.ts";

/** The platform runs an alarm again six times; after that it is gone. */
const MOST_RETRIES = 6;

export interface FaultPlan extends Faults {
  /** Nothing fails from here on. */
  stop(): void;
  /** Objects that have lost an alarm since they were last reset here. */
  readonly bereft: Set<string>;
}

export function faultPlan(random: Random): FaultPlan {
  const rate = (often: number) => (random.chance(0.5) ? 0 : random.next() * often);
  const crashes: Record<CrashMoment["kind"], number> = {
    commit: rate(0.15),
    attempt: rate(0.3),
    effect: rate(0.3),
    call: 0,
    await: rate(0.05),
  };
  const rates = {
    process: random.next(),
    late: rate(0.5),
    doubled: rate(0.3),
    lost: rate(0.05),
    wrong: rate(1),
    evicted: rate(1),
    message: rate(0.4),
  };
  const bereft = new Set<string>();
  let stopped = false;
  const happens = (probability: number) =>
    !stopped && probability > 0 && random.chance(probability);
  const fate = (): MessageFate => ({
    lost: happens(rates.message / 2),
    unanswered: happens(rates.message / 2),
    doubled: happens(rates.message),
    ...(happens(rates.message) ? { delayMillis: random.below(300) } : {}),
  });
  return {
    bereft,
    stop: () => {
      stopped = true;
    },
    crash: (_object, moment) =>
      (moment.kind === "effect" && moment.what === POISON) || happens(crashes[moment.kind]),
    processLost: () => random.chance(rates.process),
    alarmDelay: () => (happens(rates.late) ? random.pick([1, 100, 400, 30_000]) : 0),
    alarmDoubled: () => happens(rates.doubled),
    alarmLost: (object, retries) => {
      if (retries <= MOST_RETRIES && !happens(rates.lost)) return false;
      bereft.add(object);
      return true;
    },
    clockError: () => (happens(rates.wrong) ? random.below(1_001) - 500 : 0),
    evicted: () => happens(rates.evicted),
    message: fate,
  };
}
