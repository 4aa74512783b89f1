/** A chain of steps that do nothing, with a commit per step: the engine's own time and little else. */
import { CONTENDERS, runJob } from "./contender.ts";
import { millis, timed, type Workload } from "./workload.ts";

const STEPS = 1_000;

export const chain: Workload = {
  name: "chain",
  title: `A chain of ${STEPS} activities that do nothing, each with a commit`,
  figures: [millis("total", "create to complete")],
  contenders: ["waymark", "floor", "floorInOneCommit"],
  run: async ({ send }, contender, tag) => ({
    total: await timed(() => runJob(CONTENDERS[contender], send, tag, { steps: STEPS })),
  }),
};
