/** One step from the request that creates it to the answer that it is done, one after the other. */
import { CONTENDERS } from "./contender.ts";
import { insideMillis } from "./inside.ts";
import { mean, percentile } from "./statistics.ts";
import { millis, timed, type Workload } from "./workload.ts";

const INSTANCES = 100;
const JOB = { steps: 1 };

export const create: Workload = {
  name: "create",
  title: `Create to complete of one step, ${INSTANCES} one after the other`,
  figures: [
    millis("p50", "over HTTP, p50"),
    millis("p99", "over HTTP, p99"),
    millis("mean", "over HTTP, mean"),
    millis("inside", "from within the Worker, mean"),
  ],
  contenders: ["waymark", "cloudflare", "cloudflareByStatus", "floor"],
  run: async ({ sendTo }, contender, tag) => {
    const send = sendTo(contender);
    const latencies: number[] = [];
    for (let instance = 0; instance < INSTANCES; instance++) {
      const id = `${tag}-${instance}`;
      latencies.push(await timed(() => CONTENDERS[contender].run(send, id, JOB)));
    }
    const driven = { job: JOB, instances: INSTANCES, prefix: `${tag}-inside` };
    return {
      p50: percentile(latencies, 50),
      p99: percentile(latencies, 99),
      mean: mean(latencies),
      inside: await insideMillis(send, contender, driven),
    };
  },
};
