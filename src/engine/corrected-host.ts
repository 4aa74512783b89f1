/**
 * A host whose clock is never behind its alarms. An alarm fires when its moment has come by the
 * platform's clock; an object on a machine whose clock is behind would find nothing due, set the alarm
 * for the same moment again, and be woken at once, until its own clock gets there.
 */
import type { Host } from "./host.ts";

/** Further behind is no machine: such an alarm was run by hand before its moment. */
const MOST_BEHIND_MILLIS = 60_000;

export interface CorrectedHost extends Host {
  /** An alarm has fired that was set for this moment, in milliseconds since 1970. */
  alarmFired(scheduledAt: number): void;
}

export function correctedHost(host: Host): CorrectedHost {
  let behindMillis = 0;
  return {
    ...host,
    now: () => host.now() + behindMillis,
    napUntil: (at) => host.napUntil(at - behindMillis),
    alarmFired: (scheduledAt) => {
      const behind = scheduledAt - host.now();
      if (behind <= MOST_BEHIND_MILLIS) behindMillis = Math.max(behindMillis, behind);
    },
  };
}
