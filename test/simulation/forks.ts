/** Forks in a simulation: which instances are forked, and what must hold of a copy. */
import { isTerminal } from "../../src/core/documents.ts";
import { type Fork, type ForkPoint, forkOf } from "../../src/engine/fork.ts";
import { InstanceStore } from "../../src/store/instance-store.ts";
import type { Cluster } from "../../src/testing/cluster.ts";
import type { InProcessObject } from "../../src/testing/in-process-object.ts";
import type { TraceEvent } from "../../src/testing/trace.ts";
import type { Program } from "./programs.ts";
import type { Random } from "./random.ts";
import { instanceRow } from "./rows.ts";
import type { ClientAct, Scenario } from "./scenario.ts";

/** Drawn apart from all else. Programs that tell others which execution they are fit no other one, and are left out. */
export function withForks(scenario: Scenario, random: Random): Scenario {
  const instances = scenario.instances.map((instance) => {
    if (!random.chance(0.4) || tellsItsExecution(instance.program)) return instance;
    const forks = Array.from({ length: random.pick([1, 1, 2]) }, (): ClientAct => {
      const at = random.pick([1, 10, 60, 900, 6_000, 60_000, 300_000]) + random.below(50);
      return { at, verb: "fork", back: random.chance(0.6) ? random.below(100) / 100 : undefined };
    });
    return { ...instance, acts: [...instance.acts, ...forks].sort((a, b) => a.at - b.at) };
  });
  return { ...scenario, instances };
}

function tellsItsExecution(program: Program): boolean {
  if (["send", "entity", "section"].includes(program.kind)) return true;
  if ("part" in program) return tellsItsExecution(program.part);
  return "parts" in program && program.parts.some(tellsItsExecution);
}

/** Whether an instance is a fork whose source had changed before all was copied. */
export const cameTooLate = (object: InProcessObject): boolean =>
  instanceRow(object)?.error?.includes("FORK_SOURCE_CHANGED") === true;

type Row = Readonly<Record<"id" | "seq" | "inline", number>> & { readonly text: string };

const ROWS = `SELECT id, seq, inline, step || ' ' || kind || CASE WHEN kind = 'update' THEN '' ELSE ' ' || state || ' ' ||
  COALESCE(input, '') || ' ' || COALESCE(result, '') || ' ' || COALESCE(failure, '') END || ' ' || at AS text
  FROM step WHERE seq IS NOT NULL ORDER BY id`;

/** W2: what a fork begins with is what its source had recorded when it was forked: all of it, and no more. */
export class Copies {
  readonly #states = new Map<string, readonly Row[]>();
  /** What was there as a point was given, as long as it is not known whether that counts. */
  readonly #given = new Map<string, readonly Row[]>();
  readonly #whole = new Set<string>();
  /** Texts that are split over rows have other parts elsewhere, and encrypted ones are other texts. */
  readonly #plain: boolean;

  constructor(plain: boolean) {
    this.#plain = plain;
  }

  /** A point is given: again, where a key stands for it. */
  give(source: InProcessObject, point: ForkPoint): void {
    const state = stateOf(source.name, point);
    if (!this.#given.has(state)) this.#given.set(state, source.sql.all<Row>(ROWS));
  }

  /** That point counts: a fork begins there. */
  take(fork: string, source: string, point: ForkPoint): void {
    this.#states.set(fork, this.#given.get(stateOf(source, point)) ?? []);
  }

  see(event: TraceEvent, cluster: Cluster): string[] {
    if (event.kind !== "commit" || this.#whole.has(event.object)) return [];
    const { sql } = cluster.object(event.object);
    const noted = this.#states.get(event.object);
    const row = noted === undefined ? undefined : new InstanceStore(sql).read();
    if (noted === undefined || row === undefined) return [];
    const fork: Fork | null = forkOf(row);
    if (fork === null || fork.order !== null) {
      const runs = !isTerminal(row.status) && row.startedAt !== null && fork !== null;
      return runs ? [`W2: ${event.object} has begun before its history is there`] : [];
    }
    this.#whole.add(event.object);
    const last = noted.at(-1)?.id ?? 0;
    // Behind them come the first steps of its own, where they share the commit.
    const copied = sql.all<Row>(ROWS).filter(({ id, inline }) => id <= last || inline === 0);
    const told = (rows: readonly Row[]) =>
      rows.map(({ id, seq, text }) => `${id} ${seq} ${this.#plain ? text : ""}`).join("\n");
    return told(copied) === told(noted)
      ? []
      : [`W2: ${event.object} has copied ${copied.length} rows of ${noted.length}`];
  }
}

const stateOf = (id: string, { executionId, rewinds, through }: ForkPoint): string =>
  `${id} ${executionId} ${rewinds} ${through}`;
