/**
 * What the bench must show: each a figure, a comparison and a bound, as data. The median of the rounds
 * decides; a ratio is taken within its round.
 */
import type { ContenderName } from "./contender.ts";
import type { FileResult } from "./files.ts";
import type { WorkloadResult } from "./measure.ts";
import { type Summary, summarize } from "./statistics.ts";

/** One figure of one contender. */
interface Ref {
  readonly workload: string;
  readonly figure: string;
  readonly of: ContenderName;
}

export interface Target {
  readonly title: string;
  /** Left out for what is counted in files. */
  readonly value?: Ref;
  /** The value is divided by this contender's; left out where the value itself is bound. */
  readonly to?: ContenderName;
  /** Stands in Waymark's place to tell how much of the bound the platform itself leaves. */
  readonly floor?: ContenderName;
  /** Taken off the value before it is divided: what is not asked to be in proportion. */
  readonly lessMillis?: number;
  /** Rows per step of this contender, in its file. */
  readonly rowsOf?: ContenderName;
  readonly bound: { readonly most: number } | { readonly least: number };
  readonly unit: "x" | "ms" | "rows";
}

export interface Verdict {
  readonly target: Target;
  /** Undefined where it was not measured. */
  readonly measured: Summary | undefined;
  /** What the floor comes to in the same rounds. */
  readonly floor: Summary | undefined;
  readonly met: boolean | undefined;
}

const ref = (workload: string, figure: string, of: ContenderName): Ref => ({
  workload,
  figure,
  of,
});

export const TARGETS: readonly Target[] = [
  {
    title: "one step, its time : Cloudflare's",
    value: ref("create", "p50", "waymark"),
    to: "cloudflare",
    floor: "floor",
    bound: { most: 0.8 },
    unit: "x",
  },
  {
    title: "1,000 steps with a commit each, times faster than Cloudflare",
    value: ref("chain", "total", "cloudflare"),
    to: "waymarkEachCommit",
    floor: "floor",
    bound: { least: 6 },
    unit: "x",
  },
  {
    title: "1,000 steps, times faster than Cloudflare",
    value: ref("chain", "total", "cloudflare"),
    to: "waymark",
    floor: "floorInOneCommit",
    bound: { least: 50 },
    unit: "x",
  },
  {
    title: "100 steps that fetch, engine time : Cloudflare's",
    value: ref("fetches", "own", "waymark"),
    to: "cloudflare",
    floor: "floor",
    bound: { most: 0.25 },
    unit: "x",
  },
  {
    title: "fan-out of 100, times faster than Cloudflare",
    value: ref("fan-out", "total", "cloudflare"),
    to: "waymark",
    floor: "floorInOneCommit",
    bound: { least: 20 },
    unit: "x",
  },
  {
    title: "200 instances of 3 steps, rate : Cloudflare's",
    value: ref("throughput", "outside", "waymark"),
    to: "cloudflare",
    floor: "floor",
    bound: { least: 1.7 },
    unit: "x",
  },
  {
    title: "rows written by a short step (Cloudflare: 11)",
    rowsOf: "waymark",
    bound: { most: 1 },
    unit: "rows",
  },
  {
    title: "1,000 steps with a commit each, time : the floor's",
    value: ref("chain", "total", "waymarkEachCommit"),
    to: "floor",
    bound: { most: 1.5 },
    unit: "x",
  },
  {
    title: "1,000 steps less 5 ms, time : the one-commit floor's",
    value: ref("chain", "total", "waymark"),
    to: "floorInOneCommit",
    lessMillis: 5,
    bound: { most: 4 },
    unit: "x",
  },
  {
    title: "200 instances of 3 steps, rate : the floor's",
    value: ref("throughput", "outside", "waymark"),
    to: "floor",
    bound: { least: 0.7 },
    unit: "x",
  },
  {
    title: "steps 1,000 and following : steps 10 and following",
    value: ref("flat", "growth", "waymark"),
    bound: { most: 1.3 },
    unit: "x",
  },
  {
    title: "the same, with a commit each",
    value: ref("flat", "growth", "waymarkEachCommit"),
    bound: { most: 1.3 },
    unit: "x",
  },
  {
    // A quarter is what two equal reads may differ by on a busy machine.
    title: "status read at 1,000 steps : at 10",
    value: ref("status", "growth", "waymark"),
    bound: { most: 1.25 },
    unit: "x",
  },
  {
    title: "a sleep of 1 s, late",
    value: ref("sleep", "late", "waymark"),
    bound: { most: 10 },
    unit: "ms",
  },
  {
    title: "after a kill, server up to the last instance's next step",
    value: ref("kill", "all", "waymark"),
    bound: { most: 500 },
    unit: "ms",
  },
];

/** Holds what was measured against the targets. */
export function judge(
  targets: readonly Target[],
  report: { readonly workloads: readonly WorkloadResult[]; readonly files: readonly FileResult[] },
): readonly Verdict[] {
  return targets.map((target) => {
    const measured = measuredOf(target, report);
    const floor = target.floor && measuredOf(onFloor(target, target.floor), report);
    return { target, measured, floor, met: measured && isMet(target.bound, measured.median) };
  });
}

/** The same comparison, with the floor in Waymark's place. */
function onFloor(target: Target, floor: ContenderName): Target {
  const { value, to } = target;
  if (to !== undefined && isWaymark(to)) return { ...target, to: floor };
  return value === undefined ? target : { ...target, value: { ...value, of: floor } };
}

const isWaymark = (name: ContenderName): boolean => name.startsWith("waymark");

const isMet = (bound: Target["bound"], value: number): boolean =>
  "most" in bound ? value <= bound.most : value >= bound.least;

function measuredOf(
  { value, to, lessMillis = 0, rowsOf }: Target,
  report: { readonly workloads: readonly WorkloadResult[]; readonly files: readonly FileResult[] },
): Summary | undefined {
  if (value === undefined) {
    const file = report.files.find(({ contender }) => contender === rowsOf);
    return file && summarize([file.rowsPerStep]);
  }
  const own = samplesOf(report.workloads, value);
  if (own === undefined) return undefined;
  if (to === undefined) return summarize(own);
  const others = samplesOf(report.workloads, { ...value, of: to });
  if (others === undefined || others.length !== own.length) return undefined;
  return summarize(own.map((sample, round) => (sample - lessMillis) / (others[round] ?? NaN)));
}

function samplesOf(workloads: readonly WorkloadResult[], { workload, figure, of }: Ref) {
  const result = workloads.find(({ name }) => name === workload);
  return result?.figures.find(({ key }) => key === figure)?.of[of]?.samples;
}
