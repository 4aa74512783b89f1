/** The entities of a simulation: what programs ask of them, and what must hold of what they keep. */
import { entity, entityAt, isEntityAddress } from "../../src/core/entity.ts";
import { isWaymarkError } from "../../src/core/errors.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { decode } from "../../src/core/payload.ts";
import { EntityStore } from "../../src/store/entity-store.ts";
import { OutboxStore } from "../../src/store/outbox-store.ts";
import type { Cluster } from "../../src/testing/cluster.ts";
import type { InProcessObject } from "../../src/testing/in-process-object.ts";
import type { TraceEvent } from "../../src/testing/trace.ts";
import { pace } from "./picky.ts";
import type { Program } from "./programs.ts";
import type { Random } from "./random.ts";
import type { Scenario } from "./scenario.ts";
import { sprinkled } from "./sprinkle.ts";

/** Keeps lines, in the order in which it gets them. */
export const ledger = entity("Ledger", {
  initial: (): string[] => [],
  operations: {
    note: (ctx, line: string) => ctx.state.push(line),
    slow: async (ctx, line: string) => {
      await pace.sleep(40);
      return ctx.state.push(line);
    },
    spoil: (ctx, line: string): number => {
      ctx.state.push(line);
      throw new Error("spoilt");
    },
    copy: (ctx, line: string): number => {
      ctx.entity(self(), `${ctx.key}-copy`).signal.note(line);
      return ctx.state.push(line);
    },
  },
});

const self = (): typeof ledger => ledger;

export const OPERATIONS = ["note", "slow", "spoil", "copy"] as const;

/** Drawn apart from all else, so that seeds without entities tell the story that they told before there were any. */
export function withEntities(scenario: Scenario, random: Random): Scenario {
  if (!random.chance(0.3)) return scenario;
  return sprinkled(scenario, random, { one: entityOf, round: (_part, drawn) => drawn });
}

const entityOf = (random: Random): Program => ({
  kind: "entity",
  key: random.pick(["x", "x", "y"]),
  operation: random.pick(OPERATIONS),
  oneWay: random.chance(0.4),
  count: random.pick([1, 1, 2, 3]),
});

const COVERED_MILLIS = 1_002;

/** W3: an operation that waits, and a message that is to be sent, have an alarm. */
export function entityIsCovered(
  event: TraceEvent,
  object: InProcessObject,
  bereft: boolean,
): string[] {
  if (event.kind !== "commit" || object.ringing || bereft) return [];
  if (!isEntityAddress(object.name)) return [];
  const dues = [new EntityStore(object.sql).nextDue()];
  const targets = Map.groupBy(new OutboxStore(object.sql).pending(), ({ target }) => target);
  for (const [first] of targets.values()) dues.push(first?.due ?? null); // the others wait for it
  const first = Math.min(...dues.map((due) => due ?? Number.POSITIVE_INFINITY));
  if (first === Number.POSITIVE_INFINITY) return [];
  const latest = Math.max(first, event.at) + COVERED_MILLIS;
  const { alarm } = object;
  if (alarm !== null && alarm <= latest) return [];
  return [`W3: the alarm of ${object.name} is at ${alarm}, and something is due at ${first}`];
}

/** Whether operations wait. */
export const entityWaits = (object: InProcessObject): boolean =>
  new EntityStore(object.sql).queue().count > 0;

/** Reads an entity, as somebody may at any time: that mends an alarm that was lost. */
export function lookAt(object: InProcessObject): void {
  const { name, key } = entityAt(object.name);
  try {
    object.entity.state(name, key);
  } catch (error) {
    if (!isWaymarkError(error, "ENTITY_NOT_FOUND")) throw error;
  }
}

/** Entities of which an operation may have failed because it was lost time and again: no log need tell of it. */
export class Losses {
  readonly #names = new Set<string>();

  see(event: TraceEvent, { name, sql }: InProcessObject): void {
    if (event.kind !== "commit" || !isEntityAddress(name) || !new EntityStore(sql).exists) return;
    const [row] = sql.all<{ most: number | null }>("SELECT MAX(attempt) AS most FROM operation");
    if ((row?.most ?? 0) >= LIMITS.operationLosses) this.#names.add(name);
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }
}

/** What was acknowledged to a program: a line, and where it was noted. */
export type Noted = readonly [key: string, line: string];

/**
 * W8: each line is there once, those of one sender in their order; what was acknowledged is there, what failed is
 * not, and a copy is where its line is.
 *
 * @param rewound executions that may have sent some lines again
 */
export function ledgersAgree(
  cluster: Cluster,
  noted: readonly Noted[],
  rewound: ReadonlySet<string>,
  losses: Losses,
): string[] {
  const held = new Map<string, readonly string[]>();
  for (const { name, sql } of cluster.objects) {
    if (!name.startsWith("Ledger/")) continue;
    const state = new EntityStore(sql).state();
    held.set(name, state === null ? [] : (decode(state) as readonly string[]));
  }
  const problems: string[] = [];
  for (const [name, lines] of held) {
    problems.push(...once(name, lines, rewound));
    const copies = held.get(`${name}-copy`) ?? [];
    const copied = lines.filter((line) => line.startsWith("copy "));
    const same = JSON.stringify(copied) === JSON.stringify(copies);
    if (!name.endsWith("-copy") && !same && !losses.has(`${name}-copy`)) {
      problems.push(`W8: ${name} has ${copied.join("; ")}, and its copy ${copies.join("; ")}`);
    }
  }
  for (const [key, line] of noted) {
    const name = `Ledger/${key}`;
    if (held.get(name)?.includes(line) || losses.has(name)) continue;
    problems.push(`W8: ${name} has lost ${line}`);
  }
  return problems;
}

function once(name: string, lines: readonly string[], rewound: ReadonlySet<string>): string[] {
  const problems = lines
    .filter((line) => line.startsWith("spoil "))
    .map((line) => `W2: ${name} has kept ${line}`);
  const bySender = Map.groupBy(lines, (line) => line.split(" ")[1] ?? "");
  for (const [sender, sent] of bySender) {
    if (rewound.has(sender)) continue;
    const numbers = sent.map((line) => Number(line.split(" ")[2]));
    const sorted = numbers.every((number, index) => number > (numbers[index - 1] ?? 0));
    if (!sorted) problems.push(`W8: ${name} has of ${sender} the lines ${numbers.join(", ")}`);
  }
  return problems;
}
