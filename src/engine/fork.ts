/**
 * Where an execution comes from that was forked: what its row says of it, and what follows for a replay. A fork is
 * a copy of what another execution has recorded, which is then rewound: see fork-copy.ts.
 */
import type { Idempotency, InstanceStatus } from "../core/documents.ts";
import { recorderOf, type Seed } from "../core/history.ts";
import type { StepIdentity } from "../core/names.ts";
import type { InstanceRow, StepRow } from "../store/rows.ts";
import type { NewExecution } from "./new-instance.ts";

/** The state of the source that is copied: what it records later, or after a rewind, is no part of it. */
export interface CopiedState {
  readonly executionId: string;
  /** How often its instance was rewound by then. */
  readonly rewinds: number;
  /** The last place in the order of delivery; 0 where nothing has ended. */
  readonly through: number;
}

/** All that a fork needs to know of its source to begin with, but the input. */
export interface ForkPoint extends CopiedState {
  readonly workflow: string;
  readonly version: string;
  readonly tags: { readonly [name: string]: string };
  /** The first `now` of its code; null where that has not run. */
  readonly startedAt: number | null;
  /** Whose draws those of its history are. */
  readonly seeds: readonly Seed[];
  /** The id of its last row: rows keep theirs, and what comes to the fork meanwhile is behind them. */
  readonly lastId: number;
  /** The step to go back to; null for what it has ended with, or for nothing. */
  readonly to: StepIdentity | null;
  /** How it stood. */
  readonly from: { readonly status: InstanceStatus; readonly error: string | null };
  /** Whether what it is given and comes to is not shown. */
  readonly sensitive: boolean;
}

/** A request to fork, with what its source has said. */
export interface ForkCommand extends Pick<NewExecution, "id" | "version" | "input"> {
  readonly source: string;
  readonly point: ForkPoint;
  readonly reason: string | null;
  readonly idempotency?: Idempotency | undefined;
}

/** What is still to be copied, and what for. */
export interface ForkOrder extends CopiedState, Pick<ForkPoint, "lastId"> {
  /** The rewind that follows, as the row keeps one: `InstanceStore.sealRewind`. */
  readonly rewind: string;
}

/** What the row of an instance that was forked keeps of that, as JSON. */
export interface Fork {
  readonly source: {
    readonly id: string;
    readonly executionId: string;
    readonly step: StepIdentity | null;
  };
  /** The execution that was made; those after it, of a `continueAsNew`, draw by themselves. */
  readonly executionId: string;
  readonly startedAt: number | null;
  readonly seeds: readonly Seed[];
  /** Null once all is copied. */
  readonly order: ForkOrder | null;
}

export const forkOf = ({ fork }: Pick<InstanceRow, "fork">): Fork | null =>
  fork === null ? null : (JSON.parse(fork) as Fork);

/** Whether its history is not all there yet. */
export const isCopying = (row: Pick<InstanceRow, "fork">): boolean => forkOf(row)?.order != null;

/** What a replay begins with, and draws from. */
export interface Origin {
  /** The first `now` of the code, in milliseconds since 1970. */
  readonly startedAt: number;
  readonly seeds: readonly Seed[];
}

type OriginRow = Pick<InstanceRow, "fork" | "executionId" | "startedAt" | "createdAt">;

/** Where the code of an execution begins: that of a fork where its source's did. */
export function originOf(row: OriginRow): Origin {
  const own = row.startedAt ?? row.createdAt;
  const fork = forkOf(row);
  if (fork === null || fork.executionId !== row.executionId) return { startedAt: own, seeds: [] };
  return { startedAt: fork.startedAt ?? own, seeds: fork.seeds };
}

/** The seeds of what has been recorded of an execution so far, its own among them. */
export function seedsThrough(row: OriginRow, through: number): readonly Seed[] {
  const { seeds } = originOf(row);
  const covered = seeds.at(-1)?.through ?? 0;
  return through > covered ? [...seeds, { executionId: row.executionId, through }] : seeds;
}

/** The steps that were copied, and the executions that have done them: their keys are those of then. */
export function copiedSteps(
  ended: readonly Pick<StepRow, "seq" | "step">[],
  seeds: readonly Seed[],
): ReadonlyMap<StepIdentity, string> {
  const through = seeds.at(-1)?.through ?? 0;
  const copied = ended.filter(({ seq }) => seq !== null && seq <= through);
  return new Map(copied.map(({ seq, step }) => [step, recorderOf(seeds, seq ?? 0, "")]));
}
