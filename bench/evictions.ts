/** A chain whose object loses its memory after every step, and is woken by an event for the next one. */
import type { ContenderName } from "./contender.ts";
import { lapRunnerOf } from "./laps.ts";
import { mean } from "./statistics.ts";
import { millis, type Workload } from "./workload.ts";

const STEPS = 20;
const BUILD_MILLIS = 10_000;
const contenders: readonly ContenderName[] = ["waymark", "cloudflare", "floor"];

export const evictions: Workload = {
  name: "evictions",
  title: `A chain of ${STEPS} steps, with an eviction after every step`,
  figures: [millis("step", "event to the next step's fetch, mean")],
  contenders,
  run: async ({ sendTo, origin }, contender, id) => {
    const { build, evict, wake, idle } = lapRunnerOf(contender);
    const send = sendTo(contender);
    const path = `/${id}`;
    const url = origin.url(path);
    await build(send, id, { steps: 0, url, visit: () => origin.visit(path, BUILD_MILLIS) });
    const latencies: number[] = [];
    for (let step = 0; step < STEPS; step++) {
      await evict(send, id);
      const visit = origin.visit(path);
      const startedAt = performance.now();
      await wake(send, id, url);
      latencies.push((await visit) - startedAt);
      await idle(send, id);
    }
    return { step: mean(latencies) };
  },
};
