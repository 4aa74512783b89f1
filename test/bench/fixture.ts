/** Results of workloads as `measure` makes them, without measuring. */
import type { ContenderName } from "../../bench/contender.ts";
import { measure, type WorkloadResult } from "../../bench/measure.ts";
import type { Bench, Figure, Sample } from "../../bench/workload.ts";

/** What each contender shows, round by round; the first round is the one that warms up. */
export type Shown = { readonly [Name in ContenderName]?: readonly Sample[] };

const NOTHING: Bench = {
  sendTo: () => () => Promise.reject(new Error("nothing is sent")),
  origin: { url: (path) => path, visit: () => Promise.resolve(0), close: () => {} },
  get servers(): never {
    throw new Error("there is no server");
  },
};

export async function measured(
  name: string,
  figures: readonly Figure[],
  shown: Shown,
  subjects?: readonly ContenderName[],
): Promise<WorkloadResult> {
  const contenders = Object.keys(shown) as ContenderName[];
  const rounds = Math.max(...contenders.map((contender) => shown[contender]?.length ?? 0)) - 1;
  const workload = {
    name,
    title: name,
    figures,
    contenders,
    ...(subjects && { subjects }),
    run: async (_bench: Bench, contender: ContenderName, tag: string) =>
      shown[contender]?.[Number(tag.split("-").at(-2))] ?? {},
  };
  return measure(workload, NOTHING, { rounds, random: () => 0.5 });
}
