/** A sleep: how much later than it should the step behind it is seen outside. */
import { setTimeout as wait } from "node:timers/promises";
import type { ContenderName, Send } from "./contender.ts";
import { type NapJob, wokenUrl } from "./job.ts";
import { percentile } from "./statistics.ts";
import { millis, type Workload } from "./workload.ts";

const NAP_MILLIS = 1_000;
const NAPS = 10;
/** So that no two wake in the same moment. */
const APART_MILLIS = 40;

type Nap = (send: Send, id: string, nap: NapJob) => Promise<unknown>;

const NAPPERS: { readonly [Name in ContenderName]?: Nap } = {
  waymark: (send, id, nap) => send("/v1/workflows/Naps/instances", { id, input: nap }),
  cloudflare: (send, id, nap) => send(`/naps/${id}`, nap),
  floor: (send, id, nap) => send(`/floor-nap/${id}`, nap),
};

/** Starts an instance that sleeps between two steps. */
export function nap(contender: ContenderName, ...args: Parameters<Nap>): Promise<unknown> {
  const starts = NAPPERS[contender];
  if (starts === undefined) throw new Error(`"${contender}" does not sleep`);
  return starts(...args);
}

export const sleep: Workload = {
  name: "sleep",
  title: `A sleep of ${NAP_MILLIS} ms between two steps, ${NAPS} instances`,
  figures: [
    millis("late", "from fetch to fetch, less the sleep, p50"),
    millis("latest", "the same, slowest"),
  ],
  contenders: ["waymark", "cloudflare", "floor"],
  run: async ({ sendTo, origin }, contender, tag) => {
    const send = sendTo(contender);
    const naps: Promise<number>[] = [];
    for (let number = 0; number < NAPS; number++) {
      const id = `${tag}-${number}`;
      const url = origin.url(`/${id}`);
      const asleep = origin.visit(`/${id}`);
      const woken = origin.visit(wokenUrl(`/${id}`));
      naps.push(Promise.all([asleep, woken]).then(([from, to]) => to - from - NAP_MILLIS));
      await nap(contender, send, id, { url, millis: NAP_MILLIS });
      await wait(APART_MILLIS);
    }
    const late = await Promise.all(naps);
    return { late: percentile(late, 50), latest: Math.max(...late) };
  },
};
