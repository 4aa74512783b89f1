/** What a run has seen: facts, and nothing of what should have been. All moments are of one clock. */
import type { HistoryItem, InstanceDocument } from "../src/core/documents.ts";

/** Milliseconds since 1970, finer than `Date.now()`, and never behind. */
export const instant = (): number => performance.timeOrigin + performance.now();

/**
 * How a request to the ledger ended: answered well; refused with a status that no repeat can better; failed
 * or cut off on purpose, so that it is repeated; or open, because its Worker was killed first.
 */
export type Ending = "answered" | "refused" | "failed" | "dropped" | "open";

/** One request that reached the ledger. */
export interface LedgerRecord {
  readonly instance: string;
  /** The effect, as the shapes name it. */
  readonly what: string;
  readonly key: string;
  readonly value: unknown;
  readonly at: number;
  /** Whether it had its effect, or would have had it, had the key not been there before. */
  readonly taken: boolean;
  readonly ending: Ending;
  readonly endedAt: number | null;
  /** What the ledger gives for the key; null where it took no effect. */
  readonly receipt: string | null;
}

/** One kill, and the start after it. */
export interface Kill {
  /** Just before the signal. */
  readonly killedAt: number;
  /** When no process of the group was left. */
  readonly goneAt: number;
  /** When the Worker first answered again. */
  readonly upAt: number;
}

/** An attempt that failed or was lost, as the Worker's log has it: the next one comes when it is due. */
export interface Retry {
  readonly instance: string;
  readonly dueAt: number;
}

/** A step that a history has shown as ended, while the run went on. */
export interface Sighting {
  readonly instance: string;
  readonly step: string;
  /** When the answer was here. */
  readonly at: number;
  /** Its result as JSON. */
  readonly result: string;
}

/** An instance as it was in the end. */
export interface End {
  readonly document: InstanceDocument;
  readonly history: readonly HistoryItem[];
  /** When it was first seen as ended; null where it never was. */
  readonly seenAt: number | null;
}

/** The whole of it. */
export interface Evidence {
  /** In the order in which they came. */
  readonly records: readonly LedgerRecord[];
  readonly kills: readonly Kill[];
  /** By the life of the server in whose log they are: the first life is 0. */
  readonly retries: readonly (readonly Retry[])[];
  readonly sightings: readonly Sighting[];
  /** By instance, children included. */
  readonly ends: ReadonlyMap<string, End>;
  /** What went wrong in the story of an instance: a reply that was none, an answer that should not be. */
  readonly complaints: readonly Complaint[];
}

export interface Complaint {
  readonly instance: string;
  readonly text: string;
}
