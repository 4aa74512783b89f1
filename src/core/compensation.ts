/**
 * Compensation: what an execution that fails does about the steps it has begun. Each undo is a step of the
 * same execution, asked for by the driver when the workflow's function has thrown, the last begun first.
 *
 * - Whether a step had begun is decided by its row: one with `undo` has a row before its attempt starts.
 *   So a replay decides as the first run did.
 * - An undo's input is not stored: it follows from the row of the step that it undoes.
 * - What fails here ends its own undo only: the others follow, and the end tells of it.
 */
import type { Activity, AnyActivity } from "./activity.ts";
import { WaymarkError } from "./errors.ts";
import { CompensationFailedError, type Failure, toFailure } from "./failure.ts";
import { type StepIdentity, undoIdentity } from "./names.ts";
import { decode, type Encoded } from "./payload.ts";
import type { Completion, StepOutcome, UndoneInput } from "./step.ts";
import { type StoredText, textOf } from "./stored-text.ts";

/** What an undo is told of the step that it undoes. */
export interface UndoneStep<Input = unknown, Output = unknown> {
  /** What the step was called with. */
  readonly input: Input;
  /**
   * What the step returned. Undefined where that is not known: the step failed, was cancelled, or had not
   * ended. Its effect may have happened all the same, so look for it, or undo it by its `idempotencyKey`.
   */
  readonly result: Output | undefined;
  /** The identity of the step. */
  readonly step: StepIdentity;
  /** What the attempts at the step had as `ctx.idempotencyKey`; the undo's own is in its context. */
  readonly idempotencyKey: string;
  /** Why the workflow has failed, or was cancelled. */
  readonly error: Failure;
}

/** An activity that undoes a step of these types; it need not look at all that it is told, or at anything. */
export type UndoActivity<Input = unknown, Output = unknown> =
  | Activity<UndoneStep<Input, Output>, Ignored>
  | Activity<undefined, Ignored>;

// biome-ignore lint/suspicious/noExplicitAny: what an undo returns is only recorded
type Ignored = any;

/** What `ctx.call` takes beside its other options. */
export interface Undoable<Input, Output> {
  /**
   * Undoes the step where the execution fails or is cancelled later, in the reverse order of the calls,
   * with the retries and the timeout of its own definition. A step that has failed, or was not over, is
   * undone as well: its effect may have happened. Where the workflow returns, nothing is undone, and a stage
   * that was passed through is not. A child that was not over is asked to end, and not waited for.
   *
   * @example
   * const cancelFlight = activity("CancelFlight", async ({ input, result }: UndoneStep<Trip, Flight>) =>
   *   airline.cancel(result?.id ?? (await airline.find(input))));
   * const flight = await ctx.call(bookFlight, trip, { undo: cancelFlight });
   */
  readonly undo?: UndoActivity<Input, Output> | undefined;
}

/** A function that compensates; it gets what the workflow has failed with. */
export type Compensation = (error: unknown) => unknown;

/** How a compensation asks for the step that undoes another. */
export type AskUndo = (
  identity: StepIdentity,
  undo: AnyActivity,
  undoes: UndoneInput,
) => Promise<unknown>;

interface UndoEntry {
  readonly step: StepIdentity;
  readonly undo: AnyActivity;
  readonly input: Encoded | null;
  begun: boolean;
  outcome: StepOutcome<StoredText> | null;
}

/** @throws WaymarkError `DEFINITION_INVALID` */
export function checkUndo(undo: AnyActivity | undefined, of: string): void {
  if (undo === undefined || undo?.kind === "activity") return;
  throw new WaymarkError("DEFINITION_INVALID", `the undo of "${of}" is no activity`);
}

/** What an execution would have to undo, in the order of the code. */
export class Compensations {
  readonly #entries: (UndoEntry | Compensation)[] = [];
  readonly #steps = new Map<StepIdentity, UndoEntry>();

  get empty(): boolean {
    return this.#entries.length === 0;
  }

  /** Whether a step has an undo. */
  undoes(step: StepIdentity): boolean {
    return this.#steps.has(step);
  }

  addUndo(step: StepIdentity, undo: AnyActivity, input: Encoded | null, begun: boolean): void {
    const entry = { step, undo, input, begun, outcome: null };
    this.#steps.set(step, entry);
    this.#entries.push(entry);
  }

  addFunction(compensate: Compensation): void {
    this.#entries.push(compensate);
  }

  /** A step has its row, and its attempt starts. */
  begin(step: StepIdentity): void {
    const entry = this.#steps.get(step);
    if (entry !== undefined) entry.begun = true;
  }

  /** What a step has come to, whether or not its code has heard of it. */
  learn({ step, outcome }: Completion): void {
    const entry = this.#steps.get(step);
    if (entry !== undefined) entry.outcome = outcome;
  }

  /**
   * Compensates, one after the other, the last registered first.
   *
   * @returns what the execution fails with: its own error, or one that says what was not undone
   */
  async run(error: unknown, ask: AskUndo): Promise<unknown> {
    const failed: { what: string; error: unknown }[] = [];
    const why = toFailure(error);
    for (let entry = this.#entries.pop(); entry !== undefined; entry = this.#entries.pop()) {
      if (typeof entry !== "function" && !entry.begun) continue;
      try {
        if (typeof entry === "function") await entry(error);
        else await ask(undoIdentity(entry.step), entry.undo, undoneInput(entry, why));
      } catch (thrown) {
        const what = typeof entry === "function" ? FUNCTION : entry.step;
        failed.push({ what, error: thrown });
      }
    }
    return failed.length === 0 ? error : new CompensationFailedError(error, failed);
  }
}

/** What a function that compensates is called where its failure is told of. */
const FUNCTION = "(onCompensate)";

/** The result is read when an attempt begins: it may be large. */
const undoneInput = ({ step, input, outcome }: UndoEntry, error: Failure): UndoneInput => ({
  step,
  read: () => ({
    input: input === null ? undefined : decode(input),
    result: outcome?.ok ? decode(textOf(outcome.result)) : undefined,
    step,
    error,
  }),
});
