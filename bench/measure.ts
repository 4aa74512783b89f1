/**
 * Rounds. In each, every contender runs once, in an order drawn anew, so that what else the machine
 * does falls on all alike; a ratio is taken within its round. The first round warms up and is dropped.
 */
import type { ContenderName } from "./contender.ts";
import { type Summary, shuffled, summarize } from "./statistics.ts";
import type { Bench, Figure, Round, Sample, Workload } from "./workload.ts";

export interface MeasureOptions {
  readonly rounds: number;
  readonly random: () => number;
}

export interface FigureResult extends Figure {
  /** Each contender that has this figure. */
  readonly of: { readonly [Name in ContenderName]?: Summary };
  /** Waymark's figure divided by that of each other one. */
  readonly ratioTo: { readonly [Name in ContenderName]?: Summary };
}

export interface WorkloadResult {
  readonly name: string;
  readonly title: string;
  readonly contenders: readonly ContenderName[];
  readonly figures: readonly FigureResult[];
}

export async function measure(
  workload: Workload,
  bench: Bench,
  { rounds, random }: MeasureOptions,
): Promise<WorkloadResult> {
  const { name, title, contenders } = workload;
  await workload.prepare?.(bench);
  const measured: Round[] = [];
  for (let number = 0; number <= rounds; number++) {
    const round: { [Name in ContenderName]?: Sample } = {};
    for (const contender of shuffled(contenders, random)) {
      round[contender] = await workload.run(bench, contender, `${name}-${number}-${contender}`);
    }
    if (number > 0) measured.push(workload.derive?.(round) ?? round);
  }
  const figures = workload.figures.map((figure) => resultOf(figure, contenders, measured));
  return { name, title, contenders, figures };
}

function resultOf(
  figure: Figure,
  contenders: readonly ContenderName[],
  rounds: readonly Round[],
): FigureResult {
  const of: { [Name in ContenderName]?: Summary } = {};
  const ratioTo: { [Name in ContenderName]?: Summary } = {};
  const valuesOf = (name: ContenderName) =>
    rounds.flatMap((round) => round[name]?.[figure.key] ?? []);
  const ours = valuesOf("waymark");
  for (const name of contenders) {
    const values = valuesOf(name);
    if (values.length === 0) continue;
    of[name] = summarize(values);
    if (name === "waymark" || ours.length !== values.length) continue;
    ratioTo[name] = summarize(values.map((value, round) => (ours[round] ?? NaN) / value));
  }
  return { ...figure, of, ratioTo };
}
