/** Critical sections of a simulation: what programs do in them, and what must hold of what they lock. */

import type { WorkflowContext } from "../../src/core/context.ts";
import { entity, isEntityAddress } from "../../src/core/entity.ts";
import { decode } from "../../src/core/payload.ts";
import { EntityStore } from "../../src/store/entity-store.ts";
import type { Cluster } from "../../src/testing/cluster.ts";
import type { Program } from "./programs.ts";
import type { Random } from "./random.ts";
import type { Scenario } from "./scenario.ts";
import { sprinkled } from "./sprinkle.ts";

interface Tally {
  /** How often it was written by others since each execution has read it. */
  readonly read: Record<string, number>;
  /** Who has written what others had written since it was read. */
  readonly clashes: string[];
}

/** Knows of each write whether anybody has come between it and its read. */
export const tally = entity("Tally", {
  initial: (): Tally => ({ read: {}, clashes: [] }),
  operations: {
    read: (ctx, who: string) => {
      ctx.state.read[who] = 0;
    },
    write: (ctx, who: string) => {
      const { read, clashes } = ctx.state;
      if ((read[who] ?? 0) > 0) clashes.push(who);
      delete read[who];
      for (const other of Object.keys(read)) read[other] = (read[other] ?? 0) + 1;
    },
  },
});

export const TALLY_OPERATIONS = ["read", "write"] as const;

export interface Section {
  readonly kind: "section";
  readonly keys: readonly ("p" | "q")[];
  readonly millis: number;
  readonly timeout: number | null;
  /** Its last write is a signal, which nobody waits for. */
  readonly oneWay: boolean;
  /** It is left to the end of the execution to release it. */
  readonly kept: boolean;
}

/** Drawn apart from all else, so that seeds without sections tell the story that they told before there were any. */
export function withSections(scenario: Scenario, random: Random): Scenario {
  if (!random.chance(0.25)) return scenario;
  const round = (part: Program): Program =>
    random.chance(0.5) ? { kind: "seq", parts: [sectionOf(random), part] } : part;
  return sprinkled(scenario, random, { one: sectionOf, round });
}

const KEYS: readonly [Section["keys"], ...Section["keys"][]] = [
  ["p"],
  ["p", "q"],
  ["q", "p"],
  ["q", "q"],
];

const sectionOf = (random: Random): Section => ({
  kind: "section",
  keys: random.pick(KEYS),
  millis: random.pick([0, 1, 5, 100]),
  timeout: random.pick([null, null, null, 3, 200]),
  oneWay: random.chance(0.5),
  kept: random.chance(0.15),
});

/** Reads, waits, and writes what it has locked. */
export async function enter(
  { keys, millis, timeout, oneWay, kept }: Section,
  ctx: WorkflowContext,
  signal: AbortSignal | undefined,
): Promise<string> {
  const all = keys.map((key) => ctx.entity(tally, key));
  const options = timeout === null ? { signal } : { signal, timeout };
  const lock = await ctx.lock(all, options);
  try {
    for (const one of all) await one.read(ctx.executionId, { signal });
    if (millis > 0) await ctx.sleep(millis, { signal });
    for (const one of all) {
      if (oneWay) void one.signal.write(ctx.executionId);
      else await one.write(ctx.executionId, { signal });
    }
  } finally {
    if (!kept) void lock.release();
  }
  return "entered";
}

/** What a section may come to, and what it may make of what is beside it. */
export const sectionEnds = ({ timeout }: Section): readonly string[] => [
  ...["entered", "LOCK_NESTED", "ENTITY_LOST"],
  ...(timeout === null ? [] : ["LOCK_TIMEOUT"]),
];

/** What the rules of a section refuse to other parts of a program. */
export const REFUSED: Partial<Record<Program["kind"], string>> = {
  child: "LOCK_CHILD",
  start: "LOCK_CHILD",
  entity: "LOCK_ENTITY_FOREIGN",
};

/** Whether a program, or a part of it, has a section. */
export const hasSection = (program: Program): boolean =>
  program.kind === "section" || ("parts" in program && program.parts.some(hasSection));

/**
 * Nobody has come between the read and the write of a section, and nothing is locked when all is over.
 *
 * @param rewound executions that may have read before their lock was released in between
 */
export function sectionsAreWhole(cluster: Cluster, rewound: ReadonlySet<string>): string[] {
  return cluster.objects.flatMap(({ name, sql }) => {
    if (!isEntityAddress(name)) return [];
    const store = new EntityStore(sql);
    const { lock = null } = store.read() ?? {};
    const state = store.state();
    const { clashes } =
      name.startsWith("Tally/") && state !== null ? (decode(state) as Tally) : { clashes: [] };
    return [
      ...clashes
        .filter((who) => !rewound.has(who))
        .map(
          (who) => `lock: ${who} has written to ${name} what others had changed since it read it`,
        ),
      ...(lock === null ? [] : [`lock: ${name} is locked by ${lock.holder.id}, and all is over`]),
    ];
  });
}
