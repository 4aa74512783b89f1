/** An event to an instance that waits in memory: how long until the step behind the wait is seen outside. */
import { setTimeout as wait } from "node:timers/promises";
import type { ContenderName } from "./contender.ts";
import { lapRunnerOf } from "./laps.ts";
import { percentile } from "./statistics.ts";
import { millis, type Workload } from "./workload.ts";

const EVENTS = 20;
const BUILD_MILLIS = 10_000;
/** So long an instance has been waiting when its event comes. */
const QUIET_MILLIS = 15;

const idOf = (contender: ContenderName) => `event-${contender}`;
const contenders: readonly ContenderName[] = ["waymark", "cloudflare", "floor"];

export const event: Workload = {
  name: "event",
  title: `An event to a waiting instance, ${EVENTS} times`,
  figures: [millis("woken", "event to the next step's fetch, p50")],
  contenders,
  prepare: async ({ sendTo, origin }) => {
    for (const contender of contenders) {
      const path = `/${idOf(contender)}`;
      const visit = () => origin.visit(path, BUILD_MILLIS);
      const history = { steps: 0, url: origin.url(path), visit };
      await lapRunnerOf(contender).build(sendTo(contender), idOf(contender), history);
    }
  },
  run: async ({ sendTo, origin }, contender) => {
    const { event, idle } = lapRunnerOf(contender);
    const send = sendTo(contender);
    const id = idOf(contender);
    const path = `/${id}`;
    const latencies: number[] = [];
    for (let number = 0; number < EVENTS; number++) {
      await wait(QUIET_MILLIS);
      const visit = origin.visit(path);
      const startedAt = performance.now();
      await event(send, id, origin.url(path));
      latencies.push((await visit) - startedAt);
      await idle(send, id);
    }
    return { woken: percentile(latencies, 50) };
  },
};
