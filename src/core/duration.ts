/** Durations as people write them: `"5 minutes"`, or a number of milliseconds. */
import { WaymarkError } from "./errors.ts";
import { LIMITS } from "./limits.ts";

const UNIT_MILLIS = {
  millisecond: 1,
  second: 1_000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
  week: 604_800_000,
} as const;

type Unit = keyof typeof UNIT_MILLIS;

/** A length of time: a number of milliseconds, or a count with a unit. */
export type Duration = number | `${number} ${Unit}` | `${number} ${Unit}s`;

/**
 * The milliseconds of a duration.
 *
 * @throws WaymarkError `DURATION_INVALID` for anything else, a negative one, or more than 100 years.
 * @example durationMillis("1.5 hours") // 5400000
 */
export function durationMillis(duration: Duration): number {
  const millis = typeof duration === "number" ? duration : parse(duration);
  if (!Number.isFinite(millis) || millis < 0 || millis > LIMITS.timerMillis) {
    throw new WaymarkError(
      "DURATION_INVALID",
      `${shown(duration)} is not a duration: write milliseconds as a number, ` +
        `or a count and a unit such as "30 seconds" or "2 days", from 0 to 100 years`,
    );
  }
  return Math.round(millis);
}

const shown = (value: unknown): string =>
  typeof value === "string" ? JSON.stringify(value) : String(value);

function parse(text: unknown): number {
  const match = /^(\d+(?:\.\d+)?) (millisecond|second|minute|hour|day|week)s?$/.exec(String(text));
  return match ? Number(match[1]) * UNIT_MILLIS[match[2] as Unit] : Number.NaN;
}
