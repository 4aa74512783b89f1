/** What a rewind does to the rows of steps, beside what any end of a step does. */
import type { StepIdentity } from "../core/names.ts";
import { type Encoded, encode } from "../core/payload.ts";
import { REWIND } from "../core/step.ts";
import { isSplit, type PartStore } from "./part-store.ts";
import type { Child } from "./rows.ts";
import type { Sql } from "./sql.ts";

const SELECT_ENDED = `SELECT id FROM step WHERE step = ? AND seq IS NOT NULL AND kind <> 'rewind'`;
const SELECT_FAILED = `SELECT id FROM step WHERE state = 'failed' AND seq IS NOT NULL
  AND kind NOT IN ('event', 'update') LIMIT 1`;
const DELETE_UNHEARD_CANCEL =
  "DELETE FROM step WHERE kind = 'cancel' AND seq IS NULL RETURNING result";
/** The first request stands. */
const DELETE_SECOND_CANCEL = `DELETE FROM step WHERE kind = 'cancel' AND seq IS NULL
  AND step IN (SELECT step FROM step WHERE kind = 'cancel' AND seq IS NOT NULL) RETURNING result`;
const DELETE_MARK = "DELETE FROM step WHERE kind = 'rewind'";
/** The code's time never goes back: what comes after the mark has its time at the least, also without it. */
const KEEP_TIME = `UPDATE step SET at = mark.at FROM (SELECT seq, at FROM step WHERE kind = 'rewind') AS mark
  WHERE step.seq > mark.seq AND step.at < mark.at`;
const INSERT_MARK = `INSERT INTO step (seq, step, kind, state, attempt, input, result, at)
  VALUES (?, '${REWIND}', 'rewind', 'done', ?, ?, ?, ?)`;
const SELECT_MARK_CELLS = "SELECT input, result FROM step WHERE kind = 'rewind'";
/**
 * How far an attempt came stays: it is where the next one begins. The short cut of the time before counts no more:
 * a step that has a row is delivered after a drain.
 */
const REOPEN = `UPDATE step SET seq = NULL, state = 'open', attempt = 0, due = ?, result = NULL,
  failure = NULL, child = ?, started_at = NULL, at = ?, inline = 0 WHERE id = ?`;
const SELECT_SPLIT_RESULT = `SELECT result FROM step WHERE id = ? AND ${isSplit("result")}`;
const SET_DUE = "UPDATE step SET due = ?, at = ? WHERE id = ?";
/** Its due was its child's timeout, which begins with its next try. */
const BEGIN_AGAIN = `UPDATE step SET attempt = 0, due = NULL, result = NULL, failure = NULL, child = ?,
  started_at = NULL WHERE id = ?`;

/** A step that is to be done again from its row. */
export interface ReopenedStep {
  readonly id: number;
  readonly due: number | null;
  readonly child: Child | null;
}

/** The last rewind of an execution, as its history keeps it. */
export interface RewindMark {
  /** Its place in the order of delivery. */
  readonly seq: number;
  /** How many rewinds there were, this one included. */
  readonly count: number;
  readonly to: StepIdentity | null;
  readonly reason: string | null;
  /** How often each step was done anew because of a rewind, where it was. */
  readonly redone: ReadonlyMap<StepIdentity, number>;
  readonly at: number;
}

export class RewindStore {
  readonly #sql: Sql;
  readonly #parts: PartStore;

  constructor(sql: Sql, parts: PartStore) {
    this.#sql = sql;
    this.#parts = parts;
  }

  /** Whether a step, or a request to cancel, has its place in the order of delivery. */
  hasEnded(step: StepIdentity): boolean {
    return this.#sql.all(SELECT_ENDED, step).length > 0;
  }

  /** Whether a step has failed for good; a wait that timed out is none. */
  hasFailed(): boolean {
    return this.#sql.all(SELECT_FAILED).length > 0;
  }

  /** Forgets a request to cancel that has not reached the code. */
  forgetUnheardCancel(): void {
    this.#forget(this.#sql.all(DELETE_UNHEARD_CANCEL));
  }

  /** Forgets a request to cancel that came while one before it was still to be judged, and stays. */
  forgetSecondCancel(): void {
    this.#forget(this.#sql.all(DELETE_SECOND_CANCEL));
  }

  reopen({ id, due, child }: ReopenedStep, at: number): void {
    this.#forget(this.#sql.all(SELECT_SPLIT_RESULT, id));
    this.#sql.run(REOPEN, due, childText(child), at, id);
  }

  setDue(id: number, due: number, at: number): void {
    this.#sql.run(SET_DUE, due, at, id);
  }

  /** Lets an interrupted step whose child is to go on have its first try anew. */
  beginAgain(id: number, child: Child): void {
    this.#forget(this.#sql.all(SELECT_SPLIT_RESULT, id));
    this.#sql.run(BEGIN_AGAIN, childText(child), id);
  }

  /** Notes the rewind, in the place of the one before. */
  mark({ seq, count, to, reason, redone, at }: RewindMark): void {
    this.#forget(this.#sql.all(SELECT_MARK_CELLS));
    this.#sql.run(KEEP_TIME);
    this.#sql.run(DELETE_MARK);
    const input = this.#parts.write(encode({ to, reason }, "a rewind"), "step.input");
    const result = this.#parts.write(encode(redone, "the steps of a rewind"), "step.result");
    this.#sql.run(INSERT_MARK, seq, count, input, result, at);
  }

  #forget(rows: { readonly input?: Encoded; readonly result: Encoded }[]): void {
    if (!this.#parts.exists) return;
    for (const { input = null, result } of rows) this.#parts.forget([input, result]);
  }
}

const childText = (child: Child | null): string | null =>
  child === null ? null : JSON.stringify(child);
