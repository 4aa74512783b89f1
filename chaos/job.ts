/** What the run and its Worker agree on. */

/** Records that each stage of `Stages` goes through. */
export const STAGE_RECORDS = 25;

/** The stages of `Stages`, in order. */
export const STAGE_NAMES = ["StageOne", "StageTwo", "StageThree"] as const;

/** Of a hundred requests of a stage so many fail. */
export const STAGE_FLAKY = 8;

export interface ChainInput {
  readonly steps: number;
  readonly flaky: number;
}

export interface FanOutInput {
  readonly items: number;
  readonly concurrency: number;
  readonly flaky: number;
}

export interface RetriesInput {
  readonly steps: number;
  readonly flaky: number;
}

export interface TimersInput {
  /** Milliseconds between one effect and the next. */
  readonly sleeps: readonly number[];
}

export interface RoundsInput {
  readonly round: number;
  readonly rounds: number;
  readonly flaky: number;
  /** Of the rounds before. */
  readonly receipts: readonly string[];
}
