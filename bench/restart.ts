/**
 * An object that lost its memory: how long until its status can be read, and until its next step's
 * effect is seen outside. Waymark replays the whole history before it goes on; the floor reads as many
 * rows and calls that enough.
 */
import { setTimeout as wait } from "node:timers/promises";
import type { ContenderName, Send } from "./contender.ts";
import type { FloorJob } from "./job.ts";
import { millis, timed, type Workload } from "./workload.ts";

/** The most a turn may still take to close after what it does was seen outside. */
const SETTLE_MILLIS = 50;
const POLL_MILLIS = 20;
const MOST_POLLS = 1_000;

/** What a restart takes of a contender. */
interface Restartable {
  /** Makes a history; resolves when it is complete and the object is idle. */
  build(send: Send, id: string, history: { steps: number; url: string }): Promise<void>;
  evict(send: Send, id: string): Promise<unknown>;
  read(send: Send, id: string): Promise<unknown>;
  /** Asks for the next step, which fetches that address. */
  goOn(send: Send, id: string, url: string): Promise<unknown>;
  /** Resolves when the step is over and the object is idle. */
  idle(send: Send, id: string): Promise<void>;
}

const waymark: Restartable = {
  build: async (send, id, input) => {
    await send("/v1/workflows/Laps/instances", { id, input });
    await waymark.idle(send, id);
  },
  evict: (send, id) => send(`/evict-instance/${id}`, {}),
  read: (send, id) => send(`/v1/instances/${id}`),
  goOn: (send, id) => send(`/v1/instances/${id}/events/lap`, {}),
  idle: async (send, id) => {
    for (let poll = 0; poll < MOST_POLLS; poll++) {
      const document = (await send(`/v1/instances/${id}`)) as { waitingFor: { kind: string }[] };
      if (document.waitingFor.some(({ kind }) => kind === "event")) return;
      await wait(POLL_MILLIS);
    }
    throw new Error(`instance "${id}" does not come to its event`);
  },
};

const floor: Restartable = {
  build: async (send, id, { steps }) => {
    await send(`/floor/${id}`, { steps, commits: "at the end" } satisfies FloorJob);
    await floor.idle(send, id);
  },
  evict: (send, id) => send(`/evict-floor/${id}`, {}),
  read: (send, id) => send(`/floor/${id}`),
  goOn: (send, id, url) =>
    send(`/floor-resume/${id}`, { steps: 1, url, commits: "each step" } satisfies FloorJob),
  idle: async (send, id) => {
    await send(`/floor/${id}?wait=60`);
  },
};

const RESTARTABLE: { readonly [Name in ContenderName]?: Restartable } = { waymark, floor };

function restartableOf(name: ContenderName): Restartable {
  const restartable = RESTARTABLE[name];
  if (restartable === undefined) throw new Error(`"${name}" cannot be restarted`);
  return restartable;
}

/** @param steps how long the history is */
export function restartAfter(steps: number): Workload {
  const name = `restart-${steps}`;
  const contenders: readonly ContenderName[] = ["waymark", "floor"];
  const idOf = (contender: ContenderName) => `${name}-${contender}`;
  const pathOf = (contender: ContenderName) => `/${idOf(contender)}`;
  return {
    name,
    title: `An object with ${steps} steps behind it, evicted`,
    figures: [
      millis("read", "status read, first after the eviction"),
      millis("warm", "status read, in memory"),
      millis("resumed", "event to the next step's fetch"),
    ],
    contenders,
    prepare: async ({ send, origin }) => {
      for (const contender of contenders) {
        const url = origin.url(pathOf(contender));
        await restartableOf(contender).build(send, idOf(contender), { steps, url });
      }
      await wait(SETTLE_MILLIS);
    },
    run: async ({ send, origin }, contender) => {
      const { evict, read, goOn, idle } = restartableOf(contender);
      const id = idOf(contender);
      const path = pathOf(contender);
      await evict(send, id);
      const cold = await timed(() => read(send, id));
      const warm = await timed(() => read(send, id));
      await evict(send, id);
      const visit = origin.visit(path);
      const startedAt = performance.now();
      await goOn(send, id, origin.url(path));
      const resumed = (await visit) - startedAt;
      await idle(send, id);
      await wait(SETTLE_MILLIS);
      return { read: cold, warm, resumed };
    },
  };
}
