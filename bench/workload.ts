/** What a workload is, and what it leaves behind. One workload per file. */
import type { ContenderName, Send } from "./contender.ts";
import type { Origin } from "./origin.ts";
import type { BenchServers } from "./server.ts";

/** What a workload may use. */
export interface Bench {
  /** Speaks to the server on which a contender runs. */
  sendTo(contender: ContenderName): Send;
  readonly origin: Origin;
  readonly servers: BenchServers;
}

/** One thing that is measured. */
export interface Figure {
  readonly key: string;
  readonly title: string;
  readonly unit: "ms" | "1/s" | "x";
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
  /** Those that are set beside all others; Waymark alone if left out. */
  readonly subjects?: readonly ContenderName[];
  /** The most rounds that it is worth, where each takes long. */
  readonly mostRounds?: number;
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

/** How many times as much something is at its end as at its beginning. */
export const growth = (title: string): Figure => ({
  key: "growth",
  title,
  unit: "x",
  better: "lower",
});

/** How long something takes, in milliseconds. */
export async function timed(act: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await act();
  return performance.now() - startedAt;
}
