/** The command line. */
import { parseArgs } from "node:util";

export interface Options {
  /** Decides inputs, stories, and when the kills come. */
  readonly seed: number;
  readonly instances: number;
  readonly kills: number;
  /** How long the Worker is up between its kills, all together; then all have time to end. */
  readonly seconds: number;
  /** State, logs and evidence stay, also where all is well. */
  readonly keep: boolean;
}

const DEFAULTS = { instances: 280, kills: 22, seconds: 66 } as const;

export const USAGE =
  `npm run chaos -- [--seed N] [--instances ${DEFAULTS.instances}] [--kills ${DEFAULTS.kills}] ` +
  `[--seconds ${DEFAULTS.seconds}] [--keep]`;

/**
 * @param seed where none is given
 * @throws Error that says what is wrong with the arguments
 */
export function parseOptions(args: readonly string[], seed: number): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: "string", default: String(seed) },
      instances: { type: "string", default: String(DEFAULTS.instances) },
      kills: { type: "string", default: String(DEFAULTS.kills) },
      seconds: { type: "string", default: String(DEFAULTS.seconds) },
      keep: { type: "boolean", default: false },
    },
  });
  return {
    seed: wholeNumber("seed", values.seed, 0, 2 ** 32 - 1),
    instances: wholeNumber("instances", values.instances, 1, 5_000),
    kills: wholeNumber("kills", values.kills, 0, 500),
    seconds: wholeNumber("seconds", values.seconds, 1, 3_600),
    keep: values.keep,
  };
}

function wholeNumber(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new Error(`--${name} takes a whole number from ${least} to ${most}`);
}
