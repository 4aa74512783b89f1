/** Looks at instances while they run: what a history has shown once must stay, and never run again. */
import { setTimeout as wait } from "node:timers/promises";
import type { HistoryItem, HistoryPage, InstanceDocument } from "../src/core/documents.ts";
import { isTerminal } from "../src/core/documents.ts";
import type { Client } from "./client.ts";
import type { Draw } from "./draw.ts";
import { type End, instant, type Sighting } from "./evidence.ts";

const PAUSE_MILLIS = 25;
const PAGE = 500;

export interface Observer {
  readonly sightings: readonly Sighting[];
  /** An instance is there, and is looked at from now on. */
  started(id: string): void;
  /** Looks at random until it is told to stop. */
  look(): Promise<void>;
  stop(): void;
  /** Waits for an instance to end, as long as there is hope; null where there is none of that id. */
  ended(id: string, hope: () => boolean): Promise<End | null>;
}

export function createObserver(client: Client, draw: Draw): Observer {
  const sightings: Sighting[] = [];
  const seen = new Set<string>();
  const live = new Set<string>();
  const endedAt = new Map<string, number>();
  let stopped = false;

  async function read(id: string): Promise<InstanceDocument | null> {
    const { status, body } = await client.get(`/v1/instances/${id}`);
    if (status !== 200) return null;
    const document = body as InstanceDocument;
    if (isTerminal(document.status)) {
      live.delete(id);
      if (!endedAt.has(id)) endedAt.set(id, instant());
    }
    return document;
  }

  async function sight(instance: string): Promise<void> {
    const { status, body } = await client.get(`/v1/instances/${instance}/history?limit=${PAGE}`);
    if (status !== 200) return;
    const at = instant();
    for (const { step, state, result } of (body as HistoryPage).items) {
      const name = `${instance} ${step}`;
      if (state !== "done" || seen.has(name)) continue;
      seen.add(name);
      sightings.push({ instance, step, at, result: JSON.stringify(result) });
    }
  }

  return {
    sightings,
    started: (id) => live.add(id),
    look: async () => {
      while (!stopped) {
        await wait(PAUSE_MILLIS);
        if (live.size === 0) continue;
        const id = draw.pick([...live]);
        await (draw.chance(0.3) ? read(id) : sight(id));
      }
    },
    stop: () => {
      stopped = true;
    },
    ended: async (id, hope) => {
      let document = await read(id);
      while (document !== null && !isTerminal(document.status) && hope()) {
        await wait(PAUSE_MILLIS * 4);
        document = await read(id);
      }
      if (document === null) return null;
      return { document, history: await historyOf(client, id), seenAt: endedAt.get(id) ?? null };
    },
  };
}

async function historyOf(client: Client, id: string): Promise<readonly HistoryItem[]> {
  const items: HistoryItem[] = [];
  let cursor: string | null = null;
  do {
    const query: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const { body } = await client.get(`/v1/instances/${id}/history?limit=${PAGE}${query}`);
    const page = body as HistoryPage;
    items.push(...page.items);
    ({ cursor } = page);
  } while (cursor !== null);
  return items;
}
