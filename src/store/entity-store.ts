/**
 * Every statement about an entity: its one row, and the operations that wait for their turn. Both tables are
 * made when the first operation comes; before that the object holds nothing.
 */
import type { ParentReference } from "../core/child.ts";
import type { Encoded } from "../core/payload.ts";
import { byteLength } from "../core/stored-text.ts";
import { type Cell, cellBytes, PartStore } from "./part-store.ts";
import { Tables } from "./schema.ts";
import type { Sql } from "./sql.ts";

const CREATE_ENTITY = `CREATE TABLE IF NOT EXISTS entity (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  name TEXT NOT NULL,
  key TEXT NOT NULL,
  sender TEXT NOT NULL,
  state TEXT,
  created_at INTEGER,
  at INTEGER NOT NULL,
  sensitive INTEGER NOT NULL DEFAULT 0,
  lock TEXT
)`;
const CREATE_OPERATION = `CREATE TABLE IF NOT EXISTS operation (
  id INTEGER PRIMARY KEY,
  operation TEXT NOT NULL,
  input TEXT NOT NULL,
  caller TEXT,
  token TEXT NOT NULL,
  idempotency TEXT,
  attempt INTEGER NOT NULL DEFAULT 0,
  due INTEGER,
  at INTEGER NOT NULL
)`;

const SELECT_ENTITY = `SELECT name, key, sender, state IS NOT NULL AS present,
  created_at AS createdAt, at, sensitive, lock FROM entity`;
const SELECT_STATE = "SELECT state FROM entity";
const INSERT_ENTITY =
  "INSERT INTO entity (one, name, key, sender, state, created_at, at) VALUES (1, ?, ?, ?, NULL, NULL, ?)";
const UPDATE_STATE =
  "UPDATE entity SET state = ?, created_at = COALESCE(created_at, ?2), at = ?2, sensitive = MAX(sensitive, ?3) WHERE one = 1";
const DELETE_STATE =
  "UPDATE entity SET state = NULL, created_at = NULL, at = ?, sensitive = 0 WHERE one = 1";
const UPDATE_LOCK = "UPDATE entity SET lock = ? WHERE one = 1";
const UPDATE_AT = "UPDATE entity SET at = ? WHERE one = 1";

const COLUMNS = `id, operation, caller, token, idempotency, attempt, due, at,
  ${cellBytes("input")} AS bytes`;
/** Those that are scheduled have their turn when they are due; of all others the first that came. */
const SELECT_NEXT = `SELECT ${COLUMNS} FROM operation
  WHERE due IS NULL OR due <= ? ORDER BY id LIMIT 1`;
/** While an execution holds the lock, what is its own; another request of it waits for the release. */
const IS_HOLDERS =
  "COALESCE(json_extract(caller, '$.executionId') = ?, 0) AND operation <> '(lock)'";
const SELECT_NEXT_OF = `SELECT ${COLUMNS} FROM operation
  WHERE (due IS NULL OR due <= ?) AND ${IS_HOLDERS} ORDER BY id LIMIT 1`;
const SELECT_DUE_OF = `SELECT MIN(COALESCE(due, at)) AS due FROM operation WHERE ${IS_HOLDERS}`;
const SELECT_WAITING_SINCE = `SELECT MIN(MAX(at, COALESCE(due, at))) AS since FROM operation
  WHERE NOT (${IS_HOLDERS})`;
const SELECT_NAMED = `SELECT ${COLUMNS} FROM operation WHERE operation = ? ORDER BY id`;
const SELECT_INPUT = "SELECT input FROM operation WHERE id = ?";
const SELECT_DUE = "SELECT MIN(COALESCE(due, at)) AS due FROM operation";
const MEASURE = `SELECT COUNT(*) AS count, COALESCE(SUM(${cellBytes("input")}), 0) AS bytes FROM operation`;
const INSERT_OPERATION = `INSERT INTO operation (operation, input, caller, token, idempotency, due, at)
  VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id`;
const MARK = "UPDATE operation SET attempt = ? WHERE id = ?";
const DELETE_OPERATION = "DELETE FROM operation WHERE id = ?";

const KEY = "operation.idempotency";

/** The entity, without what may be large. Times are milliseconds since 1970. */
export interface EntityRow {
  readonly name: string;
  readonly key: string;
  /** Under which its messages are numbered: another one once its storage was erased. */
  readonly sender: string;
  /** Whether it has a state. */
  readonly present: boolean;
  /** When it got its state; null where it has none. */
  readonly createdAt: number | null;
  /** When its state was written, or the last operation of one without has ended. */
  readonly at: number;
  /** Its state is not shown: 1, or 0. */
  readonly sensitive?: number;
  /** Null where nobody holds it. */
  readonly lock: EntityLock | null;
}

/** Who holds an entity. */
export interface EntityLock {
  /** The try of the step that has locked it. */
  readonly holder: ParentReference;
  readonly at: number;
  /** How often the holder was asked whether it still holds it, and when it was last; 0 for never. */
  readonly probes: number;
  readonly probedAt: number;
}

/** An operation that waits for its turn. */
export interface OperationRow {
  readonly id: number;
  readonly operation: string;
  /** The step that waits for its result, or sent it, as JSON. */
  readonly caller: string | null;
  /** Tells it from all others for ever. */
  readonly token: string;
  /** The idempotency key of the request that sent it, as JSON. */
  readonly idempotency: string | null;
  /** Tries that were marked before they began. */
  readonly attempt: number;
  /** When it is to run; null for as soon as may be. */
  readonly due: number | null;
  /** When it came. */
  readonly at: number;
  /** Those of its input. */
  readonly bytes: number;
}

export type NewOperation = Omit<OperationRow, "id" | "attempt" | "bytes"> & {
  readonly input: Encoded;
};

type StoredRow = Omit<EntityRow, "present" | "lock"> & {
  readonly present: number;
  readonly lock: string | null;
};

/** Operations that wait: how many, and the bytes of their inputs. */
interface Queue {
  readonly count: number;
  readonly bytes: number;
}

export class EntityStore {
  readonly #sql: Sql;
  readonly #parts: PartStore;
  readonly #tables: Tables;
  #row: EntityRow | undefined;
  #queue: Queue | undefined;

  constructor(sql: Sql, parts: PartStore = new PartStore(sql), tables = new Tables(sql)) {
    this.#sql = sql;
    this.#parts = parts;
    this.#tables = tables;
  }

  get exists(): boolean {
    return this.#tables.has("entity");
  }

  read(): EntityRow | undefined {
    if (!this.exists) return undefined;
    if (this.#row === undefined) {
      const [row] = this.#sql.all<StoredRow>(SELECT_ENTITY);
      const lock = row?.lock == null ? null : (JSON.parse(row.lock) as EntityLock);
      this.#row = row && { ...row, present: row.present === 1, lock };
    }
    return this.#row;
  }

  create(row: Pick<EntityRow, "name" | "key" | "sender" | "at">): EntityRow {
    this.#sql.run(CREATE_ENTITY);
    this.#sql.run(CREATE_OPERATION);
    this.#tables.made("entity");
    this.#sql.run(INSERT_ENTITY, row.name, row.key, row.sender, row.at);
    this.#row = { ...row, present: false, createdAt: null, lock: null };
    return this.#row;
  }

  /** The state as it is stored; null where there is none. */
  state(): Encoded | null {
    const cell = this.#stateCell();
    return cell === null ? null : this.#parts.read(cell, "entity.state");
  }

  #stateCell(): Cell | null {
    if (!this.exists) return null;
    return this.#sql.all<{ state: Cell | null }>(SELECT_STATE)[0]?.state ?? null;
  }

  /** @param sensitive whether it is not shown; it stays so until it is deleted */
  setState(state: Encoded, at: number, sensitive = false): void {
    const cell = this.#parts.write(state, "entity.state"); // first: should it fail, the old one is whole
    this.#forgetState();
    this.#sql.run(UPDATE_STATE, cell, at, sensitive ? 1 : 0);
    this.#row = undefined;
  }

  deleteState(at: number): void {
    this.#forgetState();
    this.#sql.run(DELETE_STATE, at);
    this.#row = undefined;
  }

  #forgetState(): void {
    if (this.#parts.exists) this.#parts.forget([this.#stateCell()]);
  }

  /** Notes when an entity without a state was last used. */
  touch(at: number): void {
    this.#sql.run(UPDATE_AT, at);
    this.#row = undefined;
  }

  /** Somebody holds it from now on, or nobody. */
  setLock(lock: EntityLock | null): void {
    this.#sql.run(UPDATE_LOCK, lock === null ? null : JSON.stringify(lock));
    this.#row = undefined;
  }

  /** What waits. Measured once. */
  queue(): Queue {
    if (!this.exists) return { count: 0, bytes: 0 };
    this.#queue ??= this.#sql.all<Queue>(MEASURE)[0] ?? { count: 0, bytes: 0 };
    return this.#queue;
  }

  /** Keeps an operation until its turn; returns its id. */
  add({ operation, input, caller, token, idempotency, due, at }: NewOperation): number {
    const { count, bytes } = this.queue();
    this.#queue = { count: count + 1, bytes: bytes + byteLength(input) };
    const cell = this.#parts.write(input, "operation.input");
    // It has the digest of a request, and what is short can be guessed from that.
    const key = idempotency === null ? null : this.#sql.cipher.seal(idempotency, KEY);
    const bindings = [operation, cell, caller, token, key, due, at];
    return this.#sql.all<{ id: number }>(INSERT_OPERATION, ...bindings)[0]?.id ?? 0;
  }

  /**
   * The operation whose turn it is: while the entity is locked, one of the holder's.
   *
   * @throws WaymarkError `KEY_MISSING`, `PAYLOAD_CORRUPT`: before any of it is done
   */
  next(now: number): OperationRow | undefined {
    const row = this.#next(now);
    if (row?.idempotency == null) return row;
    return { ...row, idempotency: this.#sql.cipher.open(row.idempotency, KEY) };
  }

  #next(now: number): OperationRow | undefined {
    if (this.queue().count === 0) return undefined;
    const lock = this.read()?.lock ?? null;
    if (lock !== null) {
      return this.#sql.all<OperationRow>(SELECT_NEXT_OF, now, lock.holder.executionId)[0];
    }
    return this.#sql.all<OperationRow>(SELECT_NEXT, now)[0];
  }

  /** When the next operation is due; null where none waits that may run. */
  nextDue(): number | null {
    if (this.queue().count === 0) return null;
    const lock = this.read()?.lock ?? null;
    if (lock !== null) {
      const { executionId } = lock.holder;
      return this.#sql.all<{ due: number | null }>(SELECT_DUE_OF, executionId)[0]?.due ?? null;
    }
    return this.#sql.all<{ due: number | null }>(SELECT_DUE)[0]?.due ?? null;
  }

  /**
   * Since when something waits, or from when it will, that only the lock keeps from its turn; null where nothing
   * does.
   */
  waitingSince(): number | null {
    const lock = this.read()?.lock ?? null;
    if (lock === null || this.queue().count === 0) return null;
    const { executionId } = lock.holder;
    const [row] = this.#sql.all<{ since: number | null }>(SELECT_WAITING_SINCE, executionId);
    return row?.since ?? null;
  }

  /** What stands in the queue under a name, in its order. */
  requests(operation: string): OperationRow[] {
    return this.queue().count === 0 ? [] : this.#sql.all<OperationRow>(SELECT_NAMED, operation);
  }

  input(id: number): Encoded {
    const [row] = this.#sql.all<{ input: Cell }>(SELECT_INPUT, id);
    return this.#parts.read(row?.input ?? "", "operation.input");
  }

  /** Notes that a try begins which may take the object with it. */
  mark(id: number, attempt: number): void {
    this.#sql.run(MARK, attempt, id);
  }

  /** The operation has ended. */
  remove({ id, bytes: freed }: Pick<OperationRow, "id" | "bytes">): void {
    const { count, bytes } = this.queue();
    if (this.#parts.exists) {
      const [row] = this.#sql.all<{ input: Cell }>(SELECT_INPUT, id);
      this.#parts.forget([row?.input ?? null]);
    }
    this.#sql.run(DELETE_OPERATION, id);
    this.#queue = { count: count - 1, bytes: bytes - freed };
  }

  /** Memory is read again. */
  reset(): void {
    this.#row = undefined;
    this.#queue = undefined;
  }

  /** The storage was erased. */
  dropped(): void {
    this.reset();
    this.#tables.forget();
  }
}
