/**
 * An object that lost its memory: how long until its status can be read, and until its next step's
 * effect is seen outside. Waymark replays the whole history before it goes on; the floor reads as many
 * rows and calls that enough; of Cloudflare's engine see laps.ts.
 */
import { setTimeout as wait } from "node:timers/promises";
import type { ContenderName } from "./contender.ts";
import { lapRunnerOf, SETTLE_MILLIS } from "./laps.ts";
import type { Origin } from "./origin.ts";
import { millis, timed, type Workload } from "./workload.ts";

/** The most that a long history may take to come about. */
const BUILD_MILLIS = 120_000;

/**
 * @param steps how long the history is
 * @param mixed whether it is of four kinds of step, which only Waymark and its floor are given
 */
export function restartAfter(steps: number, mixed = false): Workload {
  const name = `restart-${steps}${mixed ? "-mixed" : ""}`;
  const contenders: readonly ContenderName[] = mixed
    ? ["waymark", "floor"]
    : ["waymark", "cloudflare", "floor"];
  const idOf = (contender: ContenderName) => `${name}-${contender}`;
  const pathOf = (contender: ContenderName) => `/${idOf(contender)}`;
  const visitOf = (origin: Origin, path: string) => () => origin.visit(path, BUILD_MILLIS);
  return {
    name,
    title: `An object with ${steps} steps${mixed ? " of four kinds" : ""} behind it, evicted`,
    figures: [
      millis("read", "status read, first after the eviction"),
      millis("warm", "status read, in memory"),
      millis("resumed", "event to the next step's fetch"),
    ],
    contenders,
    prepare: async ({ sendTo, origin }) => {
      for (const contender of contenders) {
        const path = pathOf(contender);
        const history = { steps, mixed, url: origin.url(path), visit: visitOf(origin, path) };
        await lapRunnerOf(contender).build(sendTo(contender), idOf(contender), history);
      }
      await wait(SETTLE_MILLIS);
    },
    run: async ({ sendTo, origin }, contender) => {
      const { evict, read, wake, idle } = lapRunnerOf(contender);
      const send = sendTo(contender);
      const id = idOf(contender);
      const path = pathOf(contender);
      await evict(send, id);
      const cold = await timed(() => read(send, id));
      const warm = await timed(() => read(send, id));
      await evict(send, id);
      const visit = origin.visit(path);
      const startedAt = performance.now();
      await wake(send, id, origin.url(path));
      const resumed = (await visit) - startedAt;
      await idle(send, id);
      await wait(SETTLE_MILLIS);
      return { read: cold, warm, resumed };
    },
  };
}
