/** The command line. */
import { parseArgs } from "node:util";

export interface Options {
  readonly rounds: number;
  /** Names of workloads; all where it is empty. */
  readonly only: readonly string[];
  /** Decides the order of contenders in each round. */
  readonly seed: number;
  /** Where the chart goes; nowhere if undefined. */
  readonly svg: string | undefined;
  /** Whether a target that is missed is a failure. */
  readonly check: boolean;
}

const DEFAULT_ROUNDS = 5;
const MOST_ROUNDS = 1_000;

export const USAGE = `node bench/run.ts [--rounds ${DEFAULT_ROUNDS}] [--only chain,create] [--seed 1] [--svg docs/bench.svg] [--check]`;

/** @throws Error that says what is wrong with the arguments */
export function parseOptions(args: readonly string[], names: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: "string", default: String(DEFAULT_ROUNDS) },
      only: { type: "string", default: "" },
      seed: { type: "string", default: "1" },
      svg: { type: "string" },
      check: { type: "boolean", default: false },
    },
  });
  const only = values.only.split(",").filter((name) => name !== "");
  const unknown = only.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new Error(`no workload "${unknown}": ${names.join(", ")}`);
  return {
    rounds: wholeNumber("rounds", values.rounds, 1, MOST_ROUNDS),
    only,
    seed: wholeNumber("seed", values.seed, 0, 2 ** 32 - 1),
    svg: values.svg,
    check: values.check,
  };
}

function wholeNumber(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new Error(`--${name} takes a whole number from ${least} to ${most}`);
}
