/** Chains of very short steps with code beside them: what the short cut is for, and what it must not disturb. */
import type { WorkflowContext } from "../../src/core/context.ts";
import type { Program } from "./programs.ts";
import type { Random } from "./random.ts";
import type { Scenario } from "./scenario.ts";
import { sprinkled } from "./sprinkle.ts";

/** A chain of steps that end at once; beside it, after so many promise jobs, code that may ask for a step as well. */
export interface Short {
  readonly kind: "short";
  readonly count: number;
  readonly jobs: number;
  readonly asks: boolean;
  /** How many steps fail before they end. */
  readonly failures: number;
}

const shortOf = (random: Random): Short => ({
  kind: "short",
  count: random.pick([1, 2, 5, 12]),
  jobs: random.pick([0, 1, 3, 10, 17, 25, 60]),
  asks: random.chance(0.4),
  failures: random.pick([0, 0, 0, 1]),
});

export function withShorts(scenario: Scenario, random: Random): Scenario {
  const round = (part: Program, drawn: Program): Program =>
    random.chance(0.5) ? { kind: "seq", parts: [drawn, shortOf(random)] } : part;
  return sprinkled(scenario, random, { one: shortOf, round });
}

/** Runs it, and tells in which order its results came. */
export async function hurry(
  { count, jobs, asks, failures }: Short,
  ctx: WorkflowContext,
  signal: AbortSignal | undefined,
  tell: (line: string) => void,
): Promise<string> {
  const retry = { maxAttempts: 50, firstInterval: 3 }; // what crashes take with them counts as well
  const step = (number: number) =>
    ctx.run(
      "short",
      ({ attempt }) => {
        if (number === 1 && attempt <= failures) throw new Error("not yet");
        return number;
      },
      { retry, signal },
    );
  const beside = async () => {
    for (let job = 0; job < jobs; job++) await undefined;
    const asked = asks ? step(0) : null;
    for (let job = 0; job < jobs; job++) await undefined;
    tell("beside");
    if (asked !== null) tell(`asked ${await asked}`);
  };
  const chain = async () => {
    for (let number = 1; number <= count; number++) tell(`${await step(number)}`);
  };
  await Promise.all([beside(), chain()]);
  return "hurried";
}
