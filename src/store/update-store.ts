/**
 * What becomes of the rows of updates, beside what becomes of any row. One that is accepted is `buffered`; it is
 * `open` from its delivery on, with its place in the order, and `done` or `failed` with its reply. One that is
 * refused as it is to be delivered is `failed` without a place, as a refused event is.
 */
import { LIMITS } from "../core/limits.ts";
import type { StepIdentity } from "../core/names.ts";
import type { Encoded } from "../core/payload.ts";
import { UPDATES_AWAITED } from "../core/step.ts";
import { isSplit, type PartStore } from "./part-store.ts";
import type { RowState, StepRow } from "./rows.ts";
import type { Sql } from "./sql.ts";

const COUNT_BUFFERED = `SELECT COUNT(*) AS count FROM step
  WHERE seq IS NULL AND kind = 'update' AND state = 'buffered'`;
const SELECT_ONE = `SELECT state, result, failure FROM step WHERE id = ? AND kind = 'update'`;
const SELECT_BUFFERED = `SELECT id FROM step
  WHERE seq IS NULL AND kind = 'update' AND state = 'buffered'`;
/** `at` stays the moment of the delivery: a replay has its time from there. */
const DELIVER = `UPDATE step SET seq = ?, state = 'open', step = step || '#' || id, started_at = at,
  last_processed_id = NULL, at = ? WHERE id = ?`;
const REPLY = "UPDATE step SET state = ?, result = ?, failure = ? WHERE id = ?";
const REFUSE = "UPDATE step SET state = 'failed', failure = ?, at = ? WHERE id = ?";
const OLD_REFUSED = `id IN (SELECT id FROM step
  WHERE seq IS NULL AND kind = 'update' AND state = 'failed' ORDER BY id DESC LIMIT -1 OFFSET ?)`;
const FORGET_REFUSED = `DELETE FROM step WHERE ${OLD_REFUSED}`;
const INPUTS_OF_OLD_REFUSED = `SELECT input FROM step
  WHERE ${OLD_REFUSED} AND ${isSplit("input")}`;
const CANCEL = `UPDATE step SET state = 'cancelled' WHERE kind = 'update' AND state = 'open'
  AND seq IS NOT NULL`;
const SELECT_REPLIES = `SELECT result FROM step WHERE kind = 'update' AND ${isSplit("result")}
  AND id IN (SELECT value FROM json_each(?))`;
const GIVE_BACK = `UPDATE step SET seq = NULL, state = 'buffered', result = NULL, failure = NULL,
  step = substr(step, 1, instr(step, '#') - 1), last_processed_id = ?, at = started_at,
  started_at = NULL WHERE kind = 'update' AND id IN (SELECT value FROM json_each(?))`;
const FREE = `UPDATE step SET last_processed_id = NULL
  WHERE seq IS NULL AND kind = 'update' AND state = 'buffered' AND last_processed_id IS NOT NULL`;
const IDS_OF = `SELECT id FROM step WHERE kind = 'update'
  AND seq IN (SELECT value FROM json_each(?))`;
const SET_WAIT = "UPDATE step SET state = ?, at = ? WHERE id = ?";

/** How an update stands, with its reply where it has one. */
export type UpdateRow = Pick<StepRow, "state"> & {
  readonly result: Encoded | null;
  /** A failure as JSON. */
  readonly failure: string | null;
};

/** The row of an update that is accepted, or of the wait for one. */
export const updateRow = (
  step: string,
  state: RowState,
  input: Encoded | null,
  at: number,
  sensitive = false,
) =>
  ({
    seq: null,
    step,
    kind: "update",
    state,
    asked: null,
    attempt: 0,
    due: null,
    input,
    result: null,
    failure: null,
    lastProcessedId: null,
    progress: null,
    child: null,
    startedAt: null,
    at,
    sensitive,
  }) as const;

export const waitRow = (at: number) => updateRow(UPDATES_AWAITED, "open", null, at);

/** The steps that a buffered update is to come after. */
export const stepsBefore = (lastProcessedId: string | null): readonly StepIdentity[] =>
  lastProcessedId === null ? [] : JSON.parse(lastProcessedId);

export class UpdateStore {
  readonly #sql: Sql;
  readonly #parts: PartStore;

  constructor(sql: Sql, parts: PartStore) {
    this.#sql = sql;
    this.#parts = parts;
  }

  /** Accepted ones that are not delivered. */
  bufferedIds(): number[] {
    return this.#sql.all<{ id: number }>(SELECT_BUFFERED).map(({ id }) => id);
  }

  get buffered(): number {
    return this.#sql.all<{ count: number }>(COUNT_BUFFERED)[0]?.count ?? 0;
  }

  find(id: number): UpdateRow | undefined {
    const [row] = this.#sql.all<UpdateRow>(SELECT_ONE, id);
    if (row === undefined) return undefined;
    const { state, result, failure } = row;
    return {
      state,
      result: result === null ? null : this.#parts.read(result, "step.result"),
      failure: failure === null ? null : this.#sql.cipher.open(failure, "step.failure"),
    };
  }

  /** Gives it its place in the order of delivery. */
  deliver(id: number, seq: number, at: number): void {
    this.#sql.run(DELIVER, seq, at, id);
  }

  reply(id: number, { state, result, failure }: UpdateRow): void {
    const cell = result === null ? null : this.#parts.write(result, "step.result");
    this.#sql.run(REPLY, state, cell, this.#sealed(failure), id);
  }

  #sealed(failure: string | null): string | null {
    return failure === null ? null : this.#sql.cipher.seal(failure, "step.failure");
  }

  /** Keeps why it was not delivered; of those the newest are kept. */
  refuse(id: number, failure: string, at: number): void {
    this.#sql.run(REFUSE, this.#sealed(failure), at, id);
    if (this.#parts.exists) {
      const old = this.#sql.all<{ input: Encoded }>(INPUTS_OF_OLD_REFUSED, LIMITS.refusedEvents);
      for (const { input } of old) this.#parts.forget([input]);
    }
    this.#sql.run(FORGET_REFUSED, LIMITS.refusedEvents);
  }

  /** The execution ends before these are done. */
  cancelOpen(): void {
    this.#sql.run(CANCEL);
  }

  /**
   * Those that have these places in the order of delivery lose them, and are to be delivered again.
   *
   * @param after steps that they came after, and come after again. They are kept where other rows
   *   say how far a step has come
   */
  giveBack(seqs: readonly number[], after: readonly StepIdentity[]): void {
    const rows = this.#sql.all<{ id: number }>(IDS_OF, JSON.stringify(seqs));
    const ids = JSON.stringify(rows.map(({ id }) => id));
    this.#forgetReplies(ids);
    this.#sql.run(GIVE_BACK, after.length === 0 ? null : JSON.stringify(after), ids);
  }

  /** Steps that they were to come after are of an execution that is gone. */
  freeBuffered(): void {
    this.#sql.run(FREE);
  }

  /** Its reply counts no more: its function comes to another one. */
  reopen(id: number): void {
    this.#forgetReplies(JSON.stringify([id]));
    this.#sql.run(REPLY, "open", null, null, id);
  }

  #forgetReplies(ids: string): void {
    if (!this.#parts.exists) return;
    for (const { result } of this.#sql.all<{ result: Encoded }>(SELECT_REPLIES, ids)) {
      this.#parts.forget([result]);
    }
  }

  /** Whether an execution waits for nothing but updates, in the row that tells so. */
  setWait(id: number, state: "open" | "cancelled", at: number): void {
    this.#sql.run(SET_WAIT, state, at, id);
  }
}
