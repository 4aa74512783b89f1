/** What one seed stands for: programs, what clients do meanwhile, and how the engine is set. */
import type { TurnBudget } from "../../src/engine/host.ts";
import type { Program } from "./programs.ts";
import type { Random } from "./random.ts";

/** Something a client does. Times are milliseconds after the start of the simulation. */
export interface ClientAct {
  readonly at: number;
  readonly verb:
    | "event a"
    | "event b"
    | "terminate"
    | "cancel"
    | "replace"
    | "restart"
    | "purge"
    | "read"
    | "suspend"
    | "resume"
    | "rewind"
    | "compensate"
    | "update"
    | "fork";
  /** Of a rewind, and of a fork: how far back it goes, from 0 to 1; to what the instance ended with if left out. */
  readonly back?: number | undefined;
}

export interface Scenario {
  readonly instances: readonly {
    readonly id: string;
    readonly program: Program;
    readonly acts: readonly ClientAct[];
    /** Milliseconds after the start of the simulation. */
    readonly startAfter: number;
  }[];
  readonly turn: Partial<TurnBudget>;
}

const MILLIS = [0, 0, 1, 5, 5, 10, 30, 100, 2_000] as const;
/** How deep parts may lie in parts. */
const DEPTH = 3;

export function scenarioOf(random: Random): Scenario {
  const count = random.pick([1, 1, 1, 2, 3]);
  return {
    instances: Array.from({ length: count }, (_, index) => ({
      id: `i${index + 1}`,
      program: random.chance(0.25) ? rounds(random) : composite(random, DEPTH),
      acts: actsOf(random),
      startAfter: random.pick([0, 0, 3, 60_000]),
    })),
    turn: turnOf(random),
  };
}

/** Whether the wait for an event looks at it, where there is one wait for each. */
const PICKY = { a: null, b: "slow" } as const;

/** Of which one wins and the other must leave its event to those who come later. */
const WAITS = (["a", "b"] as const).map(
  (event) => ({ kind: "wait", event, timeout: null, schema: PICKY[event] }) as const,
);

function composite(random: Random, depth: number): Program {
  const kind = random.pick([
    "seq",
    "seq",
    "seq",
    "all",
    "all",
    "settled",
    "race",
    "detach",
    "first",
    "first",
  ]);
  const parts = Array.from({ length: 1 + random.below(4) }, () => programOf(random, depth - 1));
  if (kind === "first" && random.chance(0.4)) parts.push(...WAITS);
  return { kind, parts };
}

function rounds(random: Random): Program {
  const parts = Array.from({ length: 2 + random.below(4) }, () =>
    random.chance(0.25) ? eitherEvent(random) : composite(random, DEPTH - 1),
  );
  return { kind: "rounds", parts, round: 0, seen: [] };
}

/** Where both events are there, both waits take one, and the code hears of the first only. */
function eitherEvent(random: Random): Program {
  const timeout = random.pick([40, 2_000, null]);
  const parts = (["a", "b"] as const).map((event) => ({
    kind: "wait" as const,
    event,
    timeout,
    schema: PICKY[event],
  }));
  return { kind: "race", parts };
}

function programOf(random: Random, depth: number): Program {
  if (depth > 0 && random.chance(0.35)) return composite(random, depth);
  const millis = random.pick(MILLIS);
  const event = random.pick(["a", "b"]);
  switch (random.below(20)) {
    case 0:
    case 1:
    case 2:
    case 3:
      return { kind: "call", millis, failures: random.pick([0, 0, 0, 1, 2]), fatal: false };
    case 4:
      return { kind: "call", millis, failures: 0, fatal: true };
    case 5:
      return { kind: "slow", timeout: random.pick([5, 50]) };
    case 6:
      return recordsOf(1 + random.below(6), random.pick([0, 1, 40]));
    case 7:
      return { kind: "run", millis };
    case 8:
      return { kind: "sleep", millis: random.pick([0, 1, 5, 30, 5_000, 3_600_000]) };
    case 9:
      return {
        kind: "wait",
        event,
        timeout: random.pick([0, 5, 40, 2_000, null]),
        schema: millis < 10 ? null : millis < 100 ? "quick" : "slow", // no draw: old seeds stay as they are
      };
    case 10:
      return { kind: "poison" };
    case 11:
      return { kind: "noise", jobs: 1 + random.below(12) };
    case 12:
    case 13:
      return {
        kind: "cancel",
        step: random.pick(["call", "sleep", "wait", "wait"]),
        millis: random.pick([0, 5, 40, 3_600_000]),
        after: random.pick([0, 1, 5, 30, 2_000, null]),
      };
    case 14:
      return mapOf(random);
    case 15:
      return { kind: "status" };
    case 16:
    case 17:
      return childOf(random, depth);
    case 18:
      return {
        kind: "send",
        to: random.pick(["i1", "i1", "i2"]),
        event,
        count: random.pick([1, 2, 3]),
      };
    default:
      return { kind: "draw" };
  }
}

function childOf(random: Random, depth: number): Program {
  return {
    kind: random.pick(["child", "child", "start"]),
    part: programOf(random, Math.min(1, depth - 1)),
    fails: random.chance(0.2),
    timeout: random.chance(0.15) ? random.pick([5, 2_000]) : null,
    parentClose: random.pick(["abandon", "cancel", "terminate"]),
  };
}

const recordsOf = (count: number, millis: number): Program => ({
  kind: "records",
  count,
  millis,
  outside: millis === 40,
});

function mapOf(random: Random): Program {
  const count = random.below(7);
  return {
    kind: "map",
    count,
    concurrency: random.pick([1, 2, 3, 100]),
    millis: random.pick([0, 1, 5, 30]),
    fatal: random.chance(0.4) ? random.below(7) : null,
    tolerate: random.pick([null, null, 0, 1]),
  };
}

function actsOf(random: Random): ClientAct[] {
  const count = random.below(6);
  const acts = Array.from({ length: count }, (): ClientAct => {
    const verb = random.pick(["event a", "event a", "event b", "event b", "read", "read"]);
    return { at: random.pick([0, 1, 4, 20, 90, 900, 5_000]) + random.below(3), verb };
  });
  const at = random.pick([0, 2, 30, 400]);
  if (random.chance(0.07)) acts.push({ at, verb: "terminate" });
  if (random.chance(0.1)) acts.push({ at: at + random.below(9), verb: "cancel" });
  if (random.chance(0.07)) acts.push({ at: at * 2, verb: "replace" });
  if (random.chance(0.07)) acts.push({ at: at * 3, verb: "purge" });
  if (random.chance(0.07)) acts.push({ at: at * 4, verb: "restart" });
  for (let times = random.pick([0, 0, 0, 1, 2]); times > 0; times--) {
    const from = random.pick([0, 1, 3, 25, 200, 3_000]) + random.below(9);
    acts.push({ at: from, verb: "suspend" });
    const length = random.pick([0, 2, 30, 1_000, 60_000]);
    if (random.chance(0.8)) acts.push({ at: from + length, verb: "resume" });
  }
  return acts.sort((a, b) => a.at - b.at);
}

/** Drawn apart from all else, so that seeds without a rewind tell the story that they told before there were any. */
export function withRewinds(scenario: Scenario, random: Random): Scenario {
  const instances = scenario.instances.map((instance) => {
    if (!random.chance(0.35)) return instance;
    const rewinds = Array.from({ length: random.pick([1, 1, 2, 3]) }, (): ClientAct => {
      const at = random.pick([40, 900, 6_000, 60_000, 300_000]) + random.below(50);
      return { at, verb: "rewind", back: random.chance(0.5) ? random.below(100) / 100 : undefined };
    });
    return { ...instance, acts: [...instance.acts, ...rewinds].sort((a, b) => a.at - b.at) };
  });
  return { ...scenario, instances };
}

/** Drawn apart from all else as well: what is undone where it fails, or is told to end. */
export function withSagas(scenario: Scenario, random: Random): Scenario {
  const instances = scenario.instances.map((instance) => {
    const { program, acts } = instance;
    if (program.kind === "rounds" || !random.chance(0.2)) return instance;
    const saga = { kind: "saga", parts: [program], fails: random.chance(0.4) } as const;
    const at = random.pick([1, 7, 20, 60, 400]) + random.below(9);
    const ends: ClientAct[] = random.chance(0.7)
      ? [{ at, verb: random.pick(["cancel", "compensate"]) }]
      : [];
    if (random.chance(0.7)) ends.push({ at: at + 100_000, verb: "rewind" });
    const all = [...acts, ...ends].sort((a, b) => a.at - b.at);
    return { ...instance, program: saga, acts: all };
  });
  return { ...scenario, instances };
}

/** Drawn apart from all else, too. */
export function withUpdates(scenario: Scenario, random: Random): Scenario {
  const instances = scenario.instances.map((instance) => {
    if (!random.chance(0.4)) return instance;
    const updates = Array.from({ length: 1 + random.below(5) }, (): ClientAct => {
      const at = random.pick([0, 1, 5, 30, 400, 3_000, 60_000]) + random.below(9);
      return { at, verb: "update" };
    });
    return { ...instance, acts: [...instance.acts, ...updates].sort((a, b) => a.at - b.at) };
  });
  return { ...scenario, instances };
}

function turnOf(random: Random): Partial<TurnBudget> {
  if (random.chance(0.4)) return {};
  return {
    steps: random.pick([1, 1, 2, 5, 1_000]),
    checkpoints: random.pick([1, 2, 300]),
    millis: random.pick([20, 200, 300_000]),
  };
}
