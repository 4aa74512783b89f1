/** What a workload is, and what it leaves behind. One workload per file. */
import type { ContenderName, Send } from "./contender.ts";
import type { Origin } from "./origin.ts";

/** What a workload may use. */
export interface Bench {
  readonly send: Send;
  readonly origin: Origin;
}

/** One thing that is measured. */
export interface Figure {
  readonly key: string;
  readonly title: string;
  readonly unit: "ms" | "1/s";
  readonly better: "lower" | "higher";
}

/** One contender's figures in one round, by key. */
export interface Sample {
  readonly [figure: string]: number;
}

/** One round's samples, by contender. */
export type Round = { readonly [Name in ContenderName]?: Sample };

export interface Workload {
  /** As `--only` takes it. */
  readonly name: string;
  readonly title: string;
  readonly figures: readonly Figure[];
  readonly contenders: readonly ContenderName[];
  /** Once, before the first round. */
  prepare?(bench: Bench): Promise<void>;
  /** @param tag unique to this call: ids begin with it */
  run(bench: Bench, contender: ContenderName, tag: string): Promise<Sample>;
  /** Adds what follows from several contenders together. */
  derive?(round: Round): Round;
}

/** A figure where less is better. */
export const millis = (key: string, title: string): Figure => ({
  key,
  title,
  unit: "ms",
  better: "lower",
});

/** How long something takes, in milliseconds. */
export async function timed(act: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await act();
  return performance.now() - startedAt;
}
