/** Whether a late step costs more than an early one: the same stretch of a chain, near its begin and near its end. */
import { CONTENDERS } from "./contender.ts";
import { markUrl } from "./job.ts";
import { mean } from "./statistics.ts";
import { growth, millis, type Workload } from "./workload.ts";

const STRETCH = 200;
const EARLY = 10;
const LATE = 1_000;
const STEPS = LATE + STRETCH + 1;
/** Fetched from, so that the moment of each is seen outside. */
const MARKS = [EARLY, EARLY + STRETCH, LATE, LATE + STRETCH];
/** Instances in a sample, one after the other. */
const INSTANCES = 2;

export const flat: Workload = {
  name: "flat",
  title: `Steps ${EARLY} and following beside steps ${LATE} and following, ${STRETCH} each`,
  figures: [
    millis("early", "a step near the begin"),
    millis("late", "a step near the end"),
    growth("the second : the first"),
  ],
  contenders: ["waymark", "waymarkEachCommit", "cloudflare", "floor"],
  subjects: ["waymark", "waymarkEachCommit"],
  run: async ({ sendTo, origin }, contender, tag) => {
    const send = sendTo(contender);
    const early: number[] = [];
    const late: number[] = [];
    for (let instance = 0; instance < INSTANCES; instance++) {
      const id = `${tag}-${instance}`;
      const visits = MARKS.map((step) => origin.visit(markUrl(`/${id}`, step)));
      const job = { steps: STEPS, url: origin.url(`/${id}`), marks: MARKS };
      await CONTENDERS[contender].run(send, id, job);
      const [a = NaN, b = NaN, c = NaN, d = NaN] = await Promise.all(visits);
      early.push((b - a) / STRETCH);
      late.push((d - c) / STRETCH);
    }
    const sample = { early: mean(early), late: mean(late) };
    return { ...sample, growth: sample.late / sample.early };
  },
};
