/** Many short instances at a time. */
import { CONTENDERS, runJobs } from "./contender.ts";
import type { Drive } from "./job.ts";
import { type Figure, timed, type Workload } from "./workload.ts";

const INSTANCES = 200;
const STEPS = 3;
const CONCURRENCY = 20;

const rate = (key: string, title: string): Figure => ({
  key,
  title,
  unit: "1/s",
  better: "higher",
});

export const throughput: Workload = {
  name: "throughput",
  title: `${INSTANCES} instances of ${STEPS} steps, ${CONCURRENCY} at a time`,
  figures: [
    rate("inside", "instances completed, from within the Worker"),
    rate("outside", "instances completed, over HTTP"),
  ],
  contenders: ["waymark", "cloudflare", "floor"],
  run: async ({ sendTo }, contender, tag) => {
    const send = sendTo(contender);
    const job = { steps: STEPS };
    const ids = Array.from({ length: INSTANCES }, (_, index) => `${tag}-${index}`);
    const jobs = { ids, job, concurrency: CONCURRENCY };
    const outside = await timed(() => runJobs(CONTENDERS[contender], send, jobs));
    const inside = { job, instances: INSTANCES, concurrency: CONCURRENCY, prefix: `${tag}-inside` };
    const drive: Drive = { contender, ...inside };
    return {
      outside: (INSTANCES * 1_000) / outside,
      inside: (INSTANCES * 1_000) / (await timed(() => send("/drive", drive))),
    };
  },
};
