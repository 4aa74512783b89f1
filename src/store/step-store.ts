/**
 * Every statement about steps and buffered events.
 *
 * W2: a step is durable exactly when its row says so. A short step is written once, by `insert`,
 * when it has ended; one that outlives its turn is inserted open and ended by `end`.
 */
import type { StepIdentity } from "../core/names.ts";
import type { Encoded } from "../core/payload.ts";
import type { NewStepRow, StepRow } from "./rows.ts";
import { createOpenIndex } from "./schema.ts";
import type { Sql } from "./sql.ts";

const COLUMNS = `id, seq, step, kind, state, asked, attempt, due, input, result, failure,
  last_processed_id AS lastProcessedId, progress, started_at AS startedAt, at`;

const SELECT_ENDED = `SELECT ${COLUMNS} FROM step WHERE seq IS NOT NULL ORDER BY seq`;
const SELECT_UNENDED = `SELECT ${COLUMNS} FROM step WHERE seq IS NULL ORDER BY id`;
const SELECT_PAGE = `SELECT ${COLUMNS} FROM step WHERE id > ? ORDER BY id LIMIT ?`;
const SELECT_LAST = `SELECT ${COLUMNS} FROM step ORDER BY id DESC LIMIT 1`;
const SELECT_LAST_ACTIVITY = `SELECT ${COLUMNS} FROM step WHERE kind = 'activity'
  ORDER BY id DESC LIMIT 1`;
const COUNT_BUFFERED = `SELECT COUNT(*) AS count FROM step
  WHERE seq IS NULL AND kind = 'event' AND state = 'buffered'`;

const INSERT = `INSERT INTO step (seq, step, kind, state, asked, attempt, due, input, result, failure,
  last_processed_id, progress, started_at, at)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`;

const UPDATE_END = `UPDATE step SET seq = ?, state = ?, attempt = ?, due = NULL, result = ?,
  failure = ?, last_processed_id = ?, at = ? WHERE id = ?`;
const UPDATE_ATTEMPT = `UPDATE step SET state = ?, attempt = ?, due = ?,
  failure = COALESCE(?, failure), at = ? WHERE id = ?`;
const UPDATE_CHECKPOINT = `UPDATE step SET state = 'open', attempt = ?, due = NULL,
  last_processed_id = ?, progress = ?, at = ? WHERE id = ?`;
const TAKE_EVENT = `UPDATE step SET seq = ?, step = ?, state = 'done', asked = ?, input = ?, at = ?
  WHERE id = ?`;
const CANCEL_OPEN = `UPDATE step SET state = 'cancelled', due = NULL, at = ?
  WHERE seq IS NULL AND state <> 'buffered'`;
const SET_STATE = "UPDATE step SET state = ?, at = ? WHERE id = ?";
const DELETE_ONE = "DELETE FROM step WHERE id = ?";
const DELETE_ALL = "DELETE FROM step";

/** The end of a step that has a row. */
export interface StepEnd {
  readonly id: number;
  readonly seq: number;
  readonly state: "done" | "failed";
  readonly attempt: number;
  readonly result: Encoded | null;
  readonly failure: string | null;
  readonly lastProcessedId: string | null;
  readonly at: number;
}

export class StepStore {
  readonly #sql: Sql;
  #indexed = false;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Steps that have ended, in the order of delivery. */
  ended(): StepRow[] {
    return this.#sql.all<StepRow>(SELECT_ENDED);
  }

  /** Open, cancelled and orphaned steps and buffered events, oldest first. */
  unended(): StepRow[] {
    return this.#sql.all<StepRow>(SELECT_UNENDED);
  }

  /** Rows after an id, oldest first. */
  page(after: number, limit: number): StepRow[] {
    return this.#sql.all<StepRow>(SELECT_PAGE, after, limit);
  }

  last(): StepRow | undefined {
    return this.#sql.all<StepRow>(SELECT_LAST)[0];
  }

  /** The activity whose row came last. */
  lastActivity(): StepRow | undefined {
    return this.#sql.all<StepRow>(SELECT_LAST_ACTIVITY)[0];
  }

  bufferedEvents(): number {
    return this.#sql.all<{ count: number }>(COUNT_BUFFERED)[0]?.count ?? 0;
  }

  /** Writes a new row and returns its id. */
  insert(row: NewStepRow): number {
    if (row.seq === null && !this.#indexed) {
      createOpenIndex(this.#sql);
      this.#indexed = true;
    }
    const [inserted] = this.#sql.all<{ id: number }>(
      INSERT,
      row.seq,
      row.step,
      row.kind,
      row.state,
      row.asked,
      row.attempt,
      row.due,
      row.input,
      row.result,
      row.failure,
      row.lastProcessedId,
      row.progress,
      row.startedAt,
      row.at,
    );
    return inserted?.id ?? 0;
  }

  end(step: StepEnd): void {
    const { id, seq, state, attempt, result, failure, lastProcessedId, at } = step;
    this.#sql.run(UPDATE_END, seq, state, attempt, result, failure, lastProcessedId, at, id);
  }

  /** Notes an attempt: `running` as a careful turn's mark, `open` with a due for the next one. */
  setAttempt(
    id: number,
    attempt: Pick<StepRow, "state" | "attempt" | "due" | "failure" | "at">,
  ): void {
    const { state, attempt: count, due, failure, at } = attempt;
    this.#sql.run(UPDATE_ATTEMPT, state, count, due, failure, at, id);
  }

  /** Notes how far an attempt came; it is then no longer marked. */
  setCheckpoint(
    id: number,
    checkpoint: { attempt: number; lastProcessedId: string; progress: Encoded | null; at: number },
  ): void {
    const { attempt, lastProcessedId, progress, at } = checkpoint;
    this.#sql.run(UPDATE_CHECKPOINT, attempt, lastProcessedId, progress, at, id);
  }

  /** Turns a buffered event into the ended wait of a step that has no row of its own. */
  takeEvent(
    id: number,
    wait: { seq: number; step: StepIdentity; asked: number; input: Encoded | null; at: number },
  ): void {
    this.#sql.run(TAKE_EVENT, wait.seq, wait.step, wait.asked, wait.input, wait.at, id);
  }

  setState(id: number, state: "open" | "orphaned", at: number): void {
    this.#sql.run(SET_STATE, state, at, id);
  }

  /** Ends what is still open, because its instance has ended. */
  cancelOpen(at: number): void {
    this.#sql.run(CANCEL_OPEN, at);
  }

  delete(id: number): void {
    this.#sql.run(DELETE_ONE, id);
  }

  deleteAll(): void {
    this.#sql.run(DELETE_ALL);
  }
}
