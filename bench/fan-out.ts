/** Steps that begin together: beside the same number in a chain, how dear is their order? */
import { CONTENDERS } from "./contender.ts";
import { insideMillis } from "./inside.ts";
import { millis, timed, type Workload } from "./workload.ts";

const STEPS = 100;
/** Instances in a sample, one after the other. */
const INSTANCES = 5;

export const fanOut: Workload = {
  name: "fan-out",
  title: `A fan-out of ${STEPS} activities that do nothing`,
  figures: [
    millis("total", "create to complete"),
    millis("inside", "the same, from within the Worker"),
  ],
  contenders: ["waymark", "waymarkInChain", "cloudflare", "floorInOneCommit"],
  run: async ({ sendTo }, contender, tag) => {
    const send = sendTo(contender);
    const job = { steps: STEPS, atOnce: true };
    const total = await timed(async () => {
      for (let instance = 0; instance < INSTANCES; instance++) {
        await CONTENDERS[contender].run(send, `${tag}-${instance}`, job);
      }
    });
    const driven = { job, instances: INSTANCES, prefix: `${tag}-inside` };
    const inside = await insideMillis(send, contender, driven);
    return { total: total / INSTANCES, inside };
  },
};
