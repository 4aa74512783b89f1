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
  /** A subject's figure divided by that of each other contender. */
  readonly ratios: readonly Ratio[];
}

export interface Ratio {
  readonly of: ContenderName;
  readonly to: ContenderName;
  readonly summary: Summary;
}

export interface WorkloadResult {
  readonly name: string;
  readonly title: string;
  readonly contenders: readonly ContenderName[];
  readonly subjects: readonly ContenderName[];
  readonly figures: readonly FigureResult[];
}

export async function measure(
  workload: Workload,
  bench: Bench,
  { rounds, random }: MeasureOptions,
): Promise<WorkloadResult> {
  const { name, title, contenders, subjects = ["waymark"], mostRounds = rounds } = workload;
  await workload.prepare?.(bench);
  const measured: Round[] = [];
  for (let number = 0; number <= Math.min(rounds, mostRounds); number++) {
    const round: { [Name in ContenderName]?: Sample } = {};
    for (const contender of shuffled(contenders, random)) {
      round[contender] = await workload.run(bench, contender, `${name}-${number}-${contender}`);
    }
    if (number > 0) measured.push(workload.derive?.(round) ?? round);
  }
  const figures = workload.figures.map((figure) =>
    resultOf(figure, { contenders, subjects }, measured),
  );
  return { name, title, contenders, subjects, figures };
}

function resultOf(
  figure: Figure,
  who: {
    readonly contenders: readonly ContenderName[];
    readonly subjects: readonly ContenderName[];
  },
  rounds: readonly Round[],
): FigureResult {
  const of: { [Name in ContenderName]?: Summary } = {};
  const ratios: Ratio[] = [];
  const valuesOf = (name: ContenderName) =>
    rounds.flatMap((round) => round[name]?.[figure.key] ?? []);
  for (const name of who.contenders) {
    const values = valuesOf(name);
    if (values.length > 0) of[name] = summarize(values);
  }
  for (const subject of who.subjects) {
    const ours = valuesOf(subject);
    for (const to of who.contenders) {
      const values = valuesOf(to);
      if (who.subjects.includes(to) || values.length === 0 || values.length !== ours.length)
        continue;
      const summary = summarize(values.map((value, round) => (ours[round] ?? NaN) / value));
      ratios.push({ of: subject, to, summary });
    }
  }
  return { ...figure, of, ratios };
}
