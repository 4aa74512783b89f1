/**
 * The short cut of very short steps (rule c). A step that is the only open one, and whose result is there within a fixed
 * number of promise jobs after its ask, is recorded and delivered then and there: neither a drain nor a commit lies
 * between it and the next one. Its row says so, and a replay delivers it in the same round after its ask.
 */
import type { Ask } from "./step.ts";

/**
 * Promise jobs, each queued by the one before, between a step's ask and its delivery. The number is part of the
 * history's format: a replay with another one would deliver in another round.
 */
export const SHORT_CUT_ROUNDS = 16;

/** Runs steps in the burst of promise jobs in which they were asked for. Neither may throw nor wait. */
export interface ShortCut {
  /** Starts the step, in the round after its ask. Returns whether it has. */
  begin(ask: Ask): boolean;
  /**
   * In the last round of each step that has begun: records what it came to, where that is there.
   *
   * @param waits whether the code still waits for it, and for nothing else; else nothing is to be recorded
   * @returns whether the code is to have it at once
   */
  record(ask: Ask, waits: boolean): boolean;
}

const settled = Promise.resolve();

/**
 * Counts rounds.
 *
 * @param first runs in the first one; what it returns says whether to go on
 * @param last runs in the last one
 */
export function inRounds(first: () => boolean, last: () => void): void {
  let left = SHORT_CUT_ROUNDS;
  const next = (): void => {
    if (left-- === SHORT_CUT_ROUNDS && !first()) return;
    if (left > 0) settled.then(next);
    else last();
  };
  settled.then(next);
}
