/** Steps that fetch: what the engine adds to work that takes time of its own. */
import { CONTENDERS, type ContenderName } from "./contender.ts";
import { mean } from "./statistics.ts";
import { millis, type Round, type Sample, timed, type Workload } from "./workload.ts";

const STEPS = 100;
/** Instances in a sample, one after the other. */
const INSTANCES = 3;

export const fetches: Workload = {
  name: "fetches",
  title: `${STEPS} activities that fetch from a local server, each with a commit`,
  figures: [
    millis("total", "create to complete"),
    millis("own", "the same, less the fetches alone"),
  ],
  contenders: ["waymark", "cloudflare", "floor", "floorWithoutWrites"],
  run: async ({ sendTo, origin }, contender, tag) => {
    const send = sendTo(contender);
    const job = { steps: STEPS, url: origin.url("/rate") };
    const totals: number[] = [];
    for (let instance = 0; instance < INSTANCES; instance++) {
      const id = `${tag}-${instance}`;
      totals.push(await timed(() => CONTENDERS[contender].run(send, id, job)));
    }
    return { total: mean(totals) };
  },
  derive: (round) => {
    const alone = round.floorWithoutWrites?.total ?? NaN;
    const withOwn = (sample: Sample = {}): Sample => ({
      ...sample,
      own: (sample.total ?? NaN) - alone,
    });
    const names: readonly ContenderName[] = ["waymark", "cloudflare", "floor"];
    const derived: Round = Object.fromEntries(names.map((name) => [name, withOwn(round[name])]));
    return { ...round, ...derived };
  },
};
