/** The demo's crashes: a kill in the middle of a stage, and the proof that the stage went on. */
import { readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import type { InstanceDocument } from "../../src/core/documents.ts";
import type { PlaceRow } from "../../src/workflows/places.ts";

const RESUME_MILLIS = 30_000;
const POLL_MILLIS = 20;

/** What an activity logs about the first page of an attempt. */
export interface FirstPage {
  readonly step: string;
  /** The `lastProcessedId` it goes on after. */
  readonly after: string;
  readonly firstId: number;
  readonly done: number;
  readonly total: number;
}

/**
 * Waits until the restarted Worker's log tells of an attempt that works again. No request is sent
 * meanwhile: the instance's own alarm must wake it.
 *
 * @throws Error where nothing of that kind comes
 */
export async function untilResumed(logFile: string, instanceId: string): Promise<FirstPage> {
  const end = Date.now() + RESUME_MILLIS;
  while (Date.now() < end) {
    const line = readFileSync(logFile, "utf8")
      .split("\n")
      .map(parseLine)
      .find((event) => event?.message === "first page" && event.instance === instanceId);
    if (line) return line as unknown as FirstPage;
    await wait(POLL_MILLIS);
  }
  throw new Error("the instance did not go on after the restart");
}

function parseLine(line: string): Record<string, unknown> | null {
  try {
    return line.startsWith("{") ? (JSON.parse(line) as Record<string, unknown>) : null;
  } catch {
    return null; // a line the server is still writing
  }
}

/**
 * What is wrong with a resume, or null. The attempt may have come further than the last status
 * anyone saw, but not less far, and its first record must be the very next one.
 */
export function findFault(
  before: InstanceDocument,
  resumed: FirstPage,
  places: readonly PlaceRow[],
): string | null {
  const status = before.activityStatus;
  if (resumed.step !== status?.processingStage) {
    return `killed in ${status?.processingStage}, but ${resumed.step} went on`;
  }
  if (!(Number(resumed.after) >= Number(status.lastProcessedId))) {
    return `it had come to ${status.lastProcessedId}, but went on after ${resumed.after}`;
  }
  const next = places.find(({ city_id }) => city_id > Number(resumed.after));
  if (next?.city_id !== resumed.firstId) {
    return `after ${resumed.after} comes ${next?.city_id}, but it went on with ${resumed.firstId}`;
  }
  return null;
}
