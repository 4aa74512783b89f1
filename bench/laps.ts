/**
 * Who runs laps: a history, and then for each event a step that fetches. They can be evicted between
 * two laps. Cloudflare's local engine keeps its objects in memory: it is paused, given the event and
 * resumed, which makes it replay as well, but with a warm object under it.
 */
import { setTimeout as wait } from "node:timers/promises";
import type { ContenderName, Send } from "./contender.ts";
import type { FloorJob, LapsJob } from "./job.ts";

/** The most a turn may still take to close after what it does was seen outside. */
export const SETTLE_MILLIS = 50;
const POLL_MILLIS = 20;
const MOST_POLLS = 3_000;

export interface History extends LapsJob {
  /** Resolves when the first step behind the history fetches. */
  visit(): Promise<unknown>;
}

/** What laps take of a contender. */
export interface LapRunner {
  /** Makes a history; resolves when it is complete and the object is idle. */
  build(send: Send, id: string, history: History): Promise<void>;
  evict(send: Send, id: string): Promise<unknown>;
  read(send: Send, id: string): Promise<unknown>;
  /** Asks one in memory for the next step, which fetches that address. */
  event(send: Send, id: string, url: string): Promise<unknown>;
  /** Asks one that was evicted for it. */
  wake(send: Send, id: string, url: string): Promise<unknown>;
  /** Resolves when the step is over and the object is idle. */
  idle(send: Send, id: string): Promise<void>;
}

const waymark: LapRunner = {
  build: async (send, id, { steps, url, mixed = false }) => {
    await send("/v1/workflows/Laps/instances", { id, input: { steps, url, mixed } });
    await waymark.idle(send, id);
  },
  evict: (send, id) => send(`/evict-instance/${id}`, {}),
  read: (send, id) => send(`/v1/instances/${id}`),
  event: (send, id) => send(`/v1/instances/${id}/events/lap`, {}),
  wake: (send, id) => send(`/v1/instances/${id}/events/lap`, {}),
  idle: async (send, id) => {
    for (let poll = 0; poll < MOST_POLLS; poll++) {
      const document = (await send(`/v1/instances/${id}`)) as { waitingFor: { kind: string }[] };
      if (document.waitingFor.some(({ kind }) => kind === "event")) return;
      await wait(POLL_MILLIS);
    }
    throw new Error(`instance "${id}" does not come to its event`);
  },
};

const floor: LapRunner = {
  build: async (send, id, { steps }) => {
    await send(`/floor/${id}`, { steps, commits: "at the end" } satisfies FloorJob);
    await floor.idle(send, id);
  },
  evict: (send, id) => send(`/evict-floor/${id}`, {}),
  read: (send, id) => send(`/floor/${id}`),
  event: (send, id, url) =>
    send(`/floor/${id}`, { steps: 1, url, commits: "each step" } satisfies FloorJob),
  wake: (send, id, url) =>
    send(`/floor-resume/${id}`, { steps: 1, url, commits: "each step" } satisfies FloorJob),
  idle: async (send, id) => {
    await send(`/floor/${id}?wait=60`);
  },
};

const cloudflare: LapRunner = {
  build: async (send, id, { steps, url, visit }) => {
    const visited = visit();
    await send(`/laps/${id}`, { steps, url } satisfies LapsJob);
    await visited;
    await cloudflare.idle(send, id);
  },
  evict: (send, id) => send(`/laps/${id}/pause`, {}),
  read: (send, id) => send(`/laps/${id}`),
  event: (send, id) => send(`/laps/${id}/event`, {}),
  wake: async (send, id) => {
    await send(`/laps/${id}/event`, {});
    await send(`/laps/${id}/resume`, {});
  },
  idle: () => wait(SETTLE_MILLIS), // no document of its says that it waits
};

const RUNNERS: { readonly [Name in ContenderName]?: LapRunner } = {
  waymark,
  floor,
  cloudflare,
};

export function lapRunnerOf(name: ContenderName): LapRunner {
  const runner = RUNNERS[name];
  if (runner === undefined) throw new Error(`"${name}" runs no laps`);
  return runner;
}
