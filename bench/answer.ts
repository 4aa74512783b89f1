/** Creating an instance is answered before its activity has ended. */
import { CONTENDERS } from "./contender.ts";
import { percentile } from "./statistics.ts";
import { millis, timed, type Workload } from "./workload.ts";

const MILLIS = 500;
const INSTANCES = 20;

export const answer: Workload = {
  name: "answer",
  title: `Creating an instance whose one activity takes ${MILLIS} ms, ${INSTANCES} times`,
  figures: [
    millis("p50", "answer to POST, p50"),
    millis("slowest", "answer to POST, slowest"),
    millis("total", "create to complete"),
  ],
  contenders: ["waymark", "floor"],
  run: async ({ sendTo }, name, tag) => {
    const send = sendTo(name);
    const contender = CONTENDERS[name];
    const job = { steps: 1, millis: MILLIS };
    const answers: number[] = [];
    for (let instance = 1; instance < INSTANCES; instance++) {
      answers.push(await timed(() => contender.start(send, `${tag}-${instance}`, job)));
    }
    const startedAt = performance.now();
    answers.push(await timed(() => contender.start(send, tag, job)));
    await contender.ended(send, tag);
    return {
      p50: percentile(answers, 50),
      slowest: Math.max(...answers),
      total: performance.now() - startedAt,
    };
  },
};
