/**
 * Every statement about steps and buffered events.
 *
 * W2: a step is durable exactly when its row says so. A short step is written once, by `insert`,
 * when it has ended; one that outlives its turn is inserted open and ended by `end`.
 */
import { LIMITS } from "../core/limits.ts";
import type { StepIdentity } from "../core/names.ts";
import type { Encoded } from "../core/payload.ts";
import { CANCEL_REQUEST } from "../core/step.ts";
import { byteLength, bytesOf, type StoredText } from "../core/stored-text.ts";
import { atHand, DistantCells } from "./distant-cells.ts";
import { DoneRows } from "./done-rows.ts";
import { LockStore } from "./lock-store.ts";
import { cellBytes, isSplit, PartStore } from "./part-store.ts";
import type { NewStepRow, StepRow, StepSummary } from "./rows.ts";
import { createOpenIndex } from "./schema.ts";
import type { Sql } from "./sql.ts";
import { UpdateStore } from "./update-store.ts";

const COLUMNS = `id, seq, step, kind, state, asked, attempt, due,
  ${atHand("input")}, ${atHand("result")}, ${atHand("failure")},
  last_processed_id AS lastProcessedId, progress, child, started_at AS startedAt, at, sensitive, inline`;

const SUMMARY = `id, seq, step, kind, state, asked, attempt, due,
  last_processed_id AS lastProcessedId, progress, child, started_at AS startedAt, at, sensitive, inline`;

/** A request to cancel or an update that is not yet delivered is open, too: a turn is owed to it. */
const SELECT_OPEN = `SELECT ${SUMMARY} FROM step
  WHERE seq IS NULL AND (state IN ('open', 'running', 'sent', 'arrived', 'orphaned') OR kind = 'cancel'
  OR (kind = 'update' AND state = 'buffered')) ORDER BY id`;
const SELECT_CANCEL =
  "SELECT id FROM step WHERE kind = 'cancel' AND step = ? AND (seq IS NULL OR ?)";
const TAKE_CANCEL = "UPDATE step SET seq = ?, state = 'done', at = ? WHERE id = ?";
const SELECT_ENDED = `SELECT ${COLUMNS} FROM step WHERE seq IS NOT NULL ORDER BY seq`;
const SELECT_UNENDED = `SELECT ${COLUMNS} FROM step
  WHERE seq IS NULL AND state <> 'failed' ORDER BY id`;
const SELECT_PAGE = `SELECT ${COLUMNS} FROM step WHERE id > ? ORDER BY id LIMIT ?`;
const SELECT_LAST_SEQ = "SELECT MAX(seq) AS seq FROM step";
const SELECT_LAST = `SELECT ${SUMMARY} FROM step ORDER BY id DESC LIMIT 1`;
const SELECT_LAST_ACTIVITY = `SELECT ${SUMMARY} FROM step WHERE kind = 'activity'
  ORDER BY id DESC LIMIT 1`;
/** The names hold no character that means anything to GLOB: see core/names.ts. */
const SELECT_LAST_OF = `SELECT ${SUMMARY} FROM step WHERE kind = 'activity' AND EXISTS (
  SELECT 1 FROM json_each(?) WHERE step = value OR step GLOB value || '[#:]*')
  ORDER BY id DESC LIMIT 1`;
const MEASURE_BUFFERED = `SELECT COUNT(*) AS count, COALESCE(SUM(${cellBytes("result")}), 0) AS bytes
  FROM step WHERE seq IS NULL AND kind = 'event' AND state = 'buffered'`;
const SELECT_BUFFERED_NAMES = `SELECT DISTINCT step FROM step
  WHERE seq IS NULL AND kind = 'event' AND state = 'buffered'`;

const HIDE_EVENTS = `UPDATE step SET sensitive = 1 WHERE seq IS NULL AND kind = 'event'
  AND state = 'buffered' AND step = ? AND sensitive = 0`;

const INSERT = `INSERT INTO step (seq, step, kind, state, asked, attempt, due, input, result, failure,
  last_processed_id, progress, child, started_at, at, sensitive, inline)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`;

const UPDATE_END = `UPDATE step SET seq = ?, state = ?, attempt = ?, due = NULL, result = ?,
  failure = ?, last_processed_id = ?, at = ?, sensitive = MAX(sensitive, ?) WHERE id = ?`;
const UPDATE_ATTEMPT = `UPDATE step SET state = ?, attempt = ?, due = ?,
  failure = COALESCE(?, failure), at = ? WHERE id = ?`;
/** Only a checkpoint that got further takes a careful turn's mark away. */
const UPDATE_CHECKPOINT = `UPDATE step SET
  state = CASE WHEN last_processed_id IS NOT ?2 THEN 'open' ELSE state END,
  attempt = ?1, due = NULL, last_processed_id = ?2, progress = ?3, at = ?4 WHERE id = ?5`;
const TAKE_EVENT = `UPDATE step SET seq = ?, step = ?, state = 'done', asked = ?, input = ?,
  started_at = ?, at = ?, sensitive = MAX(sensitive, ?) WHERE id = ?`;
/** What a schema has made of an event takes the place of what was sent. */
const SET_MADE = "UPDATE step SET sent = result, result = ? WHERE id = ?";
/** A refused event has no `seq`, for nobody gets it; no other row is failed without one. */
const REFUSE_EVENT =
  "UPDATE step SET state = 'failed', failure = ?, at = ?, sensitive = MAX(sensitive, ?) WHERE id = ?";
const FORGET_REFUSED = `DELETE FROM step WHERE id IN (SELECT id FROM step
  WHERE seq IS NULL AND state = 'failed' ORDER BY id DESC LIMIT -1 OFFSET ?)`;
/**
 * What is cancelled keeps its due, which tells a step that waited for its next attempt from one in the middle
 * of it: changed code may open it again.
 */
const CANCEL_OPEN = `UPDATE step SET state = 'cancelled', at = ?
  WHERE seq IS NULL AND state NOT IN ('buffered', 'failed', 'cancelled')`;
const CANCEL_ONE = "UPDATE step SET state = 'cancelled', at = ? WHERE id = ?";
/** The rows of events keep their id, and with it their place in the order. */
const GIVE_BACK = `UPDATE step SET seq = NULL, state = 'buffered', step = event.name, asked = NULL,
  input = NULL, result = COALESCE(sent, result), sent = NULL, started_at = NULL FROM (SELECT json_extract(value, '$.seq') AS seq,
  json_extract(value, '$.name') AS name FROM json_each(?)) AS event WHERE step.seq = event.seq`;
const SET_STATE = "UPDATE step SET state = ?, at = ? WHERE id = ?";
const UNMARK = "UPDATE step SET state = 'open', at = ? WHERE seq IS NULL AND state = 'running'";
/** An event that nobody took, or that was refused, bears a name which may be that of a step. */
const SELECT_ONE = `SELECT ${SUMMARY} FROM step WHERE seq IS NULL AND step = ?
  AND state NOT IN ('buffered', 'failed', 'cancelled')`;
const SELECT_CHILDREN =
  "SELECT step, kind, state, child FROM step WHERE child IS NOT NULL AND kind NOT IN ('entity', 'lock') ORDER BY id";
/** The failure of the try before goes: it tells a step that waits for its next one from one under way. */
const UPDATE_SENT = `UPDATE step SET state = 'sent', attempt = ?, due = ?, failure = NULL, child = ?, at = ?
  WHERE id = ?`;
const UPDATE_ARRIVED =
  "UPDATE step SET state = 'arrived', due = NULL, result = ?, failure = ?, at = ? WHERE id = ?";
const NOTE_UNSENT =
  "UPDATE step SET failure = ? WHERE step = ? AND kind IN ('send', 'start') AND state = 'cancelled'";
/** What is waited for no more: a rewind of the execution may ask. */
const SELECT_UNANSWERED = `SELECT id FROM step WHERE seq IS NULL AND step = ? AND kind = 'entity'
  AND state IN ('cancelled', 'orphaned') AND result IS NULL AND failure IS NULL AND attempt = ?
  AND COALESCE(json_extract(child, '$.redo'), 0) = ?`;
const KEEP_LATE = "UPDATE step SET result = ?, failure = ? WHERE id = ?";
const DELETE_ONE = "DELETE FROM step WHERE id = ?";
const DELETE_STEPS = "DELETE FROM step WHERE state <> 'buffered'";
const DELETE_ALL = "DELETE FROM step";

const SELECT_SPLIT = `SELECT input, result, sent FROM step
  WHERE (${isSplit("input")} OR ${isSplit("result")} OR ${isSplit("sent")})`;
const SPLIT_OF_ONE = `${SELECT_SPLIT} AND id = ?`;
const SPLIT_OF_STEPS = `${SELECT_SPLIT} AND state <> 'buffered'`;
const RESULT_OF_ONE = `SELECT NULL AS input, result, NULL AS sent FROM step
  WHERE ${isSplit("result")} AND id = ?`;
/** What events leave behind that are given back: what their waits had asked, and what a schema has made of them. */
const GIVEN_UP = `SELECT input, CASE WHEN sent IS NOT NULL THEN result END AS result, NULL AS sent FROM step
  WHERE (${isSplit("input")} OR (${isSplit("result")} AND sent IS NOT NULL))
  AND seq IN (SELECT json_extract(value, '$.seq') FROM json_each(?))`;
const SPLIT_OF_OLD_REFUSED = `${SELECT_SPLIT} AND id IN (SELECT id FROM step
  WHERE seq IS NULL AND state = 'failed' ORDER BY id DESC LIMIT -1 OFFSET ?)`;

const CELLS = {
  input: "SELECT input AS cell FROM step WHERE id = ?",
  result: "SELECT result AS cell FROM step WHERE id = ?",
  failure: "SELECT failure AS cell FROM step WHERE id = ?",
} as const;

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
  readonly sensitive?: boolean;
}

/** A wait that an event has ended, with what its code gets of it. */
export type EndedWait = Pick<NewStepRow, "input" | "startedAt" | "at" | "sensitive"> & {
  /** What its schema has made of the payload, where that is another value. */
  readonly made: Encoded | null;
  readonly seq: number;
  readonly step: StepIdentity;
  readonly asked: number;
};

/** Events that nobody has taken: how many, and the bytes of their payloads. */
export interface Buffered {
  readonly count: number;
  readonly bytes: number;
}

const BUFFERED_ROW = {
  seq: null,
  kind: "event",
  state: "buffered",
  asked: null,
  attempt: 0,
  due: null,
  input: null,
  failure: null,
  lastProcessedId: null,
  progress: null,
  child: null,
  startedAt: null,
} as const;

/** Memory may hold it, whatever characters it is of. */
const isShort = (text: string): boolean => text.length * 3 <= LIMITS.textAtHandBytes;

/** It has nothing to tell but what {@link DoneRows} writes. */
const isPlain = (row: NewStepRow): boolean =>
  row.state === "done" &&
  row.failure === null &&
  row.lastProcessedId === null &&
  row.child === null &&
  !row.sensitive &&
  isShort(row.result ?? "");

export class StepStore {
  readonly #sql: Sql;
  readonly #parts: PartStore;
  readonly #distant: DistantCells<keyof typeof CELLS>;
  readonly updates: UpdateStore;
  readonly locks: LockStore;
  readonly done: DoneRows;
  #indexed = false;
  #buffered: Buffered | undefined;

  constructor(sql: Sql, parts: PartStore = new PartStore(sql)) {
    this.#sql = sql;
    this.#parts = parts;
    this.#distant = new DistantCells(sql, parts, (column) => `step.${column}`, CELLS);
    this.updates = new UpdateStore(sql, parts);
    this.locks = new LockStore(sql, parts);
    this.done = new DoneRows(sql);
  }

  /** Steps that have ended, in the order of delivery. */
  ended(): StepRow[] {
    return this.#rows(SELECT_ENDED);
  }

  /** Open, cancelled and orphaned steps and buffered events, oldest first; not refused events. */
  unended(): StepRow[] {
    return this.#rows(SELECT_UNENDED);
  }

  /** Rows after an id, oldest first. */
  page(after: number, limit: number): StepRow[] {
    return this.#rows(SELECT_PAGE, after, limit);
  }

  #rows(statement: string, ...bindings: number[]): StepRow[] {
    const rows = this.#sql.all<StepRow>(statement, ...bindings);
    for (const row of rows) this.#distant.in(row.id, row);
    return rows;
  }

  /** A text that a row has, as memory is to keep it: a large one is read again when it is needed. */
  kept(id: number | null, text: Encoded, column: "input" | "result" = "result"): StoredText {
    if (id === null || isShort(text)) return text;
    const bytes = byteLength(text);
    return bytes <= LIMITS.textAtHandBytes ? text : this.#distant.of(id, column, bytes);
  }

  /** The place in the order of delivery that was given out last; null before the first. */
  lastSeq(): number | null {
    return this.#sql.all<{ seq: number | null }>(SELECT_LAST_SEQ)[0]?.seq ?? null;
  }

  last(): StepSummary | undefined {
    return this.#sql.all<StepSummary>(SELECT_LAST)[0];
  }

  /** The activity whose row came last. */
  lastActivity(): StepSummary | undefined {
    return this.#sql.all<StepSummary>(SELECT_LAST_ACTIVITY)[0];
  }

  /** The activity of one of these names whose row came last. */
  lastOf(names: readonly string[]): StepSummary | undefined {
    return this.#sql.all<StepSummary>(SELECT_LAST_OF, JSON.stringify(names))[0];
  }

  /** Steps that have not ended, the orphaned among them, without their payloads. */
  open(): StepSummary[] {
    return this.#sql.all<StepSummary>(SELECT_OPEN);
  }

  /** What events are kept. Measured once. */
  buffered(): Buffered {
    this.#buffered ??= this.#sql.all<Buffered>(MEASURE_BUFFERED)[0] ?? { count: 0, bytes: 0 };
    return this.#buffered;
  }

  /** The names of the events that are kept, each once. */
  bufferedNames(): string[] {
    return this.#sql.all<{ step: string }>(SELECT_BUFFERED_NAMES).map(({ step }) => step);
  }

  /** Keeps an event until a step waits for it; returns its id. */
  bufferEvent(name: string, payload: Encoded, at: number, sensitive = false): number {
    const { count, bytes } = this.buffered();
    this.#buffered = { count: count + 1, bytes: bytes + byteLength(payload) };
    return this.insert({ ...BUFFERED_ROW, step: name, result: payload, at, sensitive });
  }

  /** Events of that name which nobody has taken are sensitive: a wait for one has said so. */
  hideEvents(name: string): void {
    this.#sql.run(HIDE_EVENTS, name);
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
      this.#cell(row.input, "input"),
      this.#cell(row.result, "result"),
      this.#sealed(row.failure),
      row.lastProcessedId,
      row.progress,
      row.child,
      row.startedAt,
      row.at,
      row.sensitive ? 1 : 0,
      row.inline ? 1 : 0,
    );
    return inserted?.id ?? 0;
  }

  /** Writes the row of a step that has just ended; returns its id, which nobody needs where all of it is short. */
  insertEnded(row: NewStepRow): number | null {
    if (!isPlain(row)) return this.insert(row);
    this.done.insert(row, this.#cell(row.input, "input"), this.#cell(row.result, "result"));
    return null;
  }

  /** What an event was sent as is moved between columns, and sealed as a result in each. */
  #cell(text: Encoded | null, column: "input" | "result"): string | null {
    return text === null ? null : this.#parts.write(text, `step.${column}`);
  }

  #sealed(failure: string | null): string | null {
    return failure === null ? null : this.#sql.cipher.seal(failure, "step.failure");
  }

  end(step: StepEnd): void {
    const { id, seq, state, attempt, failure, lastProcessedId, at } = step;
    this.#forget(RESULT_OF_ONE, id); // an answer that had arrived
    const result = this.#cell(step.result, "result");
    const sealed = this.#sealed(failure);
    const sensitive = step.sensitive ? 1 : 0;
    this.#sql.run(
      UPDATE_END,
      seq,
      state,
      attempt,
      result,
      sealed,
      lastProcessedId,
      at,
      sensitive,
      id,
    );
  }

  /** Notes an attempt: `running` as a careful turn's mark, `open` with a due for the next one. */
  setAttempt(
    id: number,
    attempt: Pick<NewStepRow, "state" | "attempt" | "due" | "failure" | "at">,
  ): void {
    const { state, attempt: count, due, failure, at } = attempt;
    this.#sql.run(UPDATE_ATTEMPT, state, count, due, this.#sealed(failure), at, id);
  }

  /** Notes how far an attempt came; if that is further than before, it is no longer marked. */
  setCheckpoint(
    id: number,
    checkpoint: Pick<StepRow, "attempt" | "lastProcessedId" | "progress" | "at">,
  ): void {
    const { attempt, lastProcessedId, progress, at } = checkpoint;
    this.#sql.run(UPDATE_CHECKPOINT, attempt, lastProcessedId, progress, at, id);
  }

  /**
   * Keeps a request to cancel the execution; null where there was one before.
   *
   * @param heard whether one that has reached the code counts, too
   * @param step what it is called: one that terminates has a name of its own
   */
  requestCancel(reason: Encoded, at: number, heard: boolean, step = CANCEL_REQUEST): number | null {
    if (this.#sql.all(SELECT_CANCEL, step, heard ? 1 : 0).length > 0) return null;
    return this.insert({
      ...BUFFERED_ROW,
      kind: "cancel",
      step,
      result: reason,
      at,
    });
  }

  /** Gives a request to cancel its place in the order of delivery. */
  takeCancel(id: number, seq: number, at: number): void {
    this.#sql.run(TAKE_CANCEL, seq, at, id);
  }

  /** Turns a buffered event's row into that of the ended wait: ids are never used twice. */
  takeEvent(event: { id: number; payload: StoredText }, wait: EndedWait): void {
    const { seq, step, asked, input, startedAt, at, made } = wait;
    this.#leaves(event.payload);
    const cell = this.#cell(input, "input");
    const sensitive = wait.sensitive ? 1 : 0;
    this.#sql.run(TAKE_EVENT, seq, step, asked, cell, startedAt, at, sensitive, event.id);
    if (made !== null) this.#sql.run(SET_MADE, this.#cell(made, "result"), event.id);
  }

  /** Keeps a buffered event as one that did not fit; of those the newest are kept. */
  refuseEvent(
    event: { id: number; payload: StoredText },
    failure: string,
    at: number,
    sensitive = false,
  ): void {
    this.#leaves(event.payload);
    this.#sql.run(REFUSE_EVENT, this.#sealed(failure), at, sensitive ? 1 : 0, event.id);
    this.#forget(SPLIT_OF_OLD_REFUSED, LIMITS.refusedEvents);
    this.#sql.run(FORGET_REFUSED, LIMITS.refusedEvents);
  }

  /** An event is buffered no more. */
  #leaves(payload: StoredText): void {
    const { count, bytes } = this.buffered();
    this.#buffered = { count: count - 1, bytes: bytes - bytesOf(payload) };
  }

  /** Buffers events again whose waits were ended by them, though nobody got them. */
  giveBack(events: readonly { readonly seq: number; readonly name: string }[]): void {
    this.#buffered = undefined;
    const given = JSON.stringify(events);
    this.#forget(GIVEN_UP, given);
    this.#sql.run(GIVE_BACK, given);
  }

  /** Notes that a message of the step is on its way. */
  setSent(id: number, sent: Pick<StepRow, "attempt" | "due" | "child" | "at">): void {
    this.#sql.run(UPDATE_SENT, sent.attempt, sent.due, sent.child, sent.at, id);
  }

  /** The open row of a step; undefined where it has ended or has none. */
  find(step: StepIdentity): StepSummary | undefined {
    return this.#sql.all<StepSummary>(SELECT_ONE, step)[0];
  }

  /** Keeps an answer, or a child's result, until a turn gives it its place. */
  setArrived(id: number, arrived: Pick<NewStepRow, "result" | "failure" | "at">): void {
    const { result, failure, at } = arrived;
    this.#forget(RESULT_OF_ONE, id); // one before it, where changed code has begun the step again
    this.#sql.run(UPDATE_ARRIVED, this.#cell(result, "result"), this.#sealed(failure), at, id);
  }

  /** Keeps why an event was not sent, or a child not started, that its execution has not waited for. */
  noteUnsent(step: StepIdentity, failure: string): void {
    this.#sql.run(NOTE_UNSENT, this.#sealed(failure), step);
  }

  /** Keeps an entity's answer to a call that was cancelled, or ended with its execution: a rewind may open it again. */
  keepLate(
    step: StepIdentity,
    { redo, attempt }: { readonly redo: number; readonly attempt: number },
    { result, failure }: Pick<NewStepRow, "result" | "failure">,
  ): boolean {
    const [row] = this.#sql.all<{ id: number }>(SELECT_UNANSWERED, step, attempt, redo);
    if (row === undefined) return false;
    this.#sql.run(KEEP_LATE, this.#cell(result, "result"), this.#sealed(failure), row.id);
    return true;
  }

  /** The children of this execution, those that were only started too. */
  children(): (Pick<StepRow, "step" | "kind" | "state"> & { readonly child: string })[] {
    return this.#sql.all(SELECT_CHILDREN);
  }

  setState(id: number, state: "open" | "orphaned" | "sent" | "arrived", at: number): void {
    this.#sql.run(SET_STATE, state, at, id);
  }

  /** Ends one that the code has cancelled: its due counts no more. */
  cancel(id: number, at: number): void {
    this.#sql.run(CANCEL_ONE, at, id);
  }

  /** Takes the marks of attempts away that were stopped, and so are not lost. */
  unmark(at: number): void {
    this.#sql.run(UNMARK, at);
  }

  /** Ends what is still open, because its instance has ended. */
  cancelOpen(at: number): void {
    this.#sql.run(CANCEL_OPEN, at);
  }

  delete(id: number): void {
    this.#forget(SPLIT_OF_ONE, id);
    this.#sql.run(DELETE_ONE, id);
  }

  /** Removes the steps of an execution; events that nobody has taken stay, in their order. */
  deleteSteps(): void {
    this.#forget(SPLIT_OF_STEPS);
    this.#sql.run(DELETE_STEPS);
  }

  deleteAll(): void {
    this.#buffered = undefined;
    this.#forget(SELECT_SPLIT);
    this.#sql.run(DELETE_ALL);
  }

  /** The rows are about to go with their table, and parts of others stay. */
  forgetParts(): void {
    this.#forget(SELECT_SPLIT);
  }

  /** The parts of rows that are about to go. */
  #forget(statement: string, ...bindings: (number | string)[]): void {
    if (!this.#parts.exists) return;
    type Cells = Record<"input" | "result" | "sent", string | null>;
    for (const { input, result, sent } of this.#sql.all<Cells>(statement, ...bindings)) {
      this.#parts.forget([input, result, sent]);
    }
  }

  /** Its table is gone with the instance. */
  dropped(): void {
    this.#buffered = undefined;
    this.#indexed = false;
  }
}
