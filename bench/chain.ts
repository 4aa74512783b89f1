/** A chain of steps that do nothing: the engine's own time and little else. */
import { CONTENDERS } from "./contender.ts";
import { insideMillis } from "./inside.ts";
import { millis, timed, type Workload } from "./workload.ts";

/** @param instances in a sample, one after the other, so that a short chain is no matter of chance */
function chainOf(steps: number, instances: number): Workload {
  return {
    name: steps === 1_000 ? "chain" : `chain-${steps}`,
    title: `A chain of ${steps} steps that do nothing`,
    figures: [
      millis("total", "create to complete"),
      millis("inside", "the same, from within the Worker"),
    ],
    contenders: ["waymark", "waymarkEachCommit", "cloudflare", "floor", "floorInOneCommit"],
    subjects: ["waymark", "waymarkEachCommit"],
    run: async ({ sendTo }, contender, tag) => {
      const send = sendTo(contender);
      const total = await timed(async () => {
        for (let instance = 0; instance < instances; instance++) {
          await CONTENDERS[contender].run(send, `${tag}-${instance}`, { steps });
        }
      });
      const driven = { job: { steps }, instances, prefix: `${tag}-inside` };
      const inside = await insideMillis(send, contender, driven);
      return { total: total / instances, inside };
    },
  };
}

export const chains: readonly Workload[] = [chainOf(10, 20), chainOf(100, 5), chainOf(1_000, 3)];
