/** Status reads: they must not grow with the history. Made from within the Worker, for what they cost themselves. */
import { CONTENDERS, type ContenderName } from "./contender.ts";
import type { Repeat } from "./job.ts";
import { growth, millis, timed, type Workload } from "./workload.ts";

const SHORT = 10;
const LONG = 1_000;
const READS = 50;

const contenders: readonly ContenderName[] = ["waymark", "cloudflare", "floor"];
const idOf = (contender: ContenderName, steps: number) => `status-${steps}-${contender}`;

const AREAS: { readonly [Name in ContenderName]?: string } = {
  waymark: "/v1/instances",
  cloudflare: "/jobs",
  floor: "/floor",
};

export const status: Workload = {
  name: "status",
  title: `A status read, from within the Worker, ${READS} times`,
  figures: [
    millis("short", `of an instance of ${SHORT} steps`),
    millis("long", `of one of ${LONG} steps`),
    growth("the second : the first"),
  ],
  contenders,
  prepare: async ({ sendTo }) => {
    for (const contender of contenders) {
      for (const steps of [SHORT, LONG]) {
        const id = idOf(contender, steps);
        await CONTENDERS[contender].run(sendTo(contender), id, { steps });
      }
    }
  },
  run: async ({ sendTo }, contender) => {
    const read = async (steps: number) => {
      const path = `${AREAS[contender]}/${idOf(contender, steps)}`;
      const repeat: Repeat = { path, times: READS };
      return (await timed(() => sendTo(contender)("/repeat", repeat))) / READS;
    };
    await read(SHORT); // both find the same warm code
    const short = await read(SHORT);
    const long = await read(LONG);
    return { short, long, growth: long / short };
  },
};
