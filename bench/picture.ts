/** Which figures the chart of the README shows. */
import type { Chart, ChartLine, Dot } from "./chart.ts";
import { CONTENDERS, type ContenderName } from "./contender.ts";
import type { FigureResult, WorkloadResult } from "./measure.ts";
import { summarize } from "./statistics.ts";
import { digits } from "./table.ts";

interface Shown {
  readonly title: string;
  readonly workload: string;
  readonly figure: string;
  /** Beside Waymark as anyone composes it, and Cloudflare. */
  readonly beside: readonly ContenderName[];
}

const SHOWN: readonly Shown[] = [
  { title: "1 step, create to complete", workload: "create", figure: "p50", beside: ["floor"] },
  chain("10 steps", "chain-10"),
  chain("100 steps", "chain-100"),
  chain("1,000 steps", "chain"),
  { title: "100 steps at once", workload: "fan-out", figure: "total", beside: [] },
  { title: "100 steps that fetch", workload: "fetches", figure: "total", beside: ["floor"] },
  {
    title: "200 × 3 steps, 20 at a time, each",
    workload: "throughput",
    figure: "outside",
    beside: ["floor"],
  },
  { title: "sleep of 1 s, late", workload: "sleep", figure: "late", beside: ["floor"] },
  { title: "event to next step", workload: "event", figure: "woken", beside: ["floor"] },
  { title: "status of 1,000 steps", workload: "status", figure: "long", beside: ["floor"] },
  {
    title: "replay of 10,000 steps",
    workload: "restart-10000",
    figure: "resumed",
    beside: ["floor"],
  },
  { title: "killed, all go on again", workload: "kill", figure: "all", beside: [] },
];

function chain(title: string, workload: string): Shown {
  return { title, workload, figure: "total", beside: ["waymarkEachCommit", "floor"] };
}

const ORDER: readonly ContenderName[] = ["waymark", "waymarkEachCommit", "cloudflare", "floor"];

/** The chart of what was measured. What was not is left out, and what is zero, as after a kill, too. */
export function chartOf(workloads: readonly WorkloadResult[]): Chart {
  return {
    title: "Waymark beside Cloudflare Workflows, both under wrangler dev on one machine",
    unit: "ms",
    noteTitle: "Cloudflare : Waymark",
    series: ORDER.map((name) => CONTENDERS[name].title),
    lines: SHOWN.flatMap((shown) => lineOf(shown, workloads)),
  };
}

function lineOf({ title, workload, figure, beside }: Shown, workloads: readonly WorkloadResult[]) {
  const result = workloads.find(({ name }) => name === workload);
  const measured = result?.figures.find(({ key }) => key === figure);
  if (measured === undefined) return [];
  const wanted = ORDER.filter(
    (name) => name === "waymark" || name === "cloudflare" || beside.includes(name),
  );
  // The first named lies on top.
  const dots = wanted.flatMap((name) => dotOf(measured, name)).reverse();
  const line: ChartLine = { title, dots, note: noteOf(measured) };
  return dots.length === 0 ? [] : [line];
}

/** In milliseconds; a rate is turned into the time for each. */
function dotOf(figure: FigureResult, name: ContenderName): readonly Dot[] {
  const samples = figure.of[name]?.samples.map((value) => timeOf(figure, value));
  if (samples === undefined || samples.some((value) => !(value > 0))) return [];
  const { median, min, max } = summarize(samples);
  return [{ series: CONTENDERS[name].title, median, min, max }];
}

const timeOf = ({ unit }: FigureResult, value: number): number =>
  unit === "1/s" ? 1_000 / value : value;

function noteOf(figure: FigureResult): string {
  const ratio = figure.ratios.find(({ of, to }) => of === "waymark" && to === "cloudflare");
  if (ratio === undefined) return "";
  const { median } = ratio.summary;
  return `${digits(figure.unit === "1/s" ? median : 1 / median)} ×`;
}
