/**
 * Suspension by the engine itself: why an instance cannot go on with the code there is, and when it
 * looks again. Nothing is lost, nothing is guessed (W7): a deployment that fits is found by itself.
 */
import { WaymarkError } from "../core/errors.ts";
import type { InstanceRow } from "../store/rows.ts";

/** Waits between two tries of a suspended instance: from a minute, doubling, to an hour. */
const SUSPENDED_MILLIS = { first: 60_000, most: 3_600_000 };
/** An instance that ran this long since it was last suspended starts with the first wait again. */
const CALM_MILLIS = 2 * SUSPENDED_MILLIS.most;

/** How often it has been suspended in a row, and when it looks again. */
export function nextLook(
  row: InstanceRow,
  now: number,
): { readonly suspensions: number; readonly due: number } {
  const calm = row.status === "Running" && now - row.updatedAt > CALM_MILLIS;
  const suspensions = calm ? 1 : row.suspensions + 1;
  const grown = SUSPENDED_MILLIS.first * 2 ** (suspensions - 1);
  return { suspensions, due: now + Math.min(grown, SUSPENDED_MILLIS.most) };
}

export function objectLost(times: number): WaymarkError {
  return new WaymarkError(
    "OBJECT_LOST",
    `the instance's object was lost ${times} times in a row in the same turn: its code may use too ` +
      "much CPU or memory. It is tried again from time to time, and goes on after a deployment that helps",
  );
}

export function versionMissing(row: InstanceRow): WaymarkError {
  return new WaymarkError(
    "VERSION_MISSING",
    `workflow "${row.workflow}" version "${row.version}" is not registered. ` +
      "Deploy a Worker that registers it; the instance then goes on",
  );
}
