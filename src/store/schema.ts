/**
 * The tables of one instance. Few, and made when first needed, because each new object pays for
 * each table: two rows a table, one an index (see docs/performance.md).
 */
import type { Sql } from "./sql.ts";

const INSTANCE_TABLE = `CREATE TABLE IF NOT EXISTS instance (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  id TEXT NOT NULL,
  execution_id TEXT NOT NULL,
  workflow TEXT NOT NULL,
  version TEXT NOT NULL,
  status TEXT NOT NULL,
  input TEXT NOT NULL,
  output TEXT,
  error TEXT,
  tags TEXT NOT NULL,
  parent TEXT,
  due INTEGER,
  suspensions INTEGER NOT NULL DEFAULT 0,
  held_at INTEGER,
  custom_status TEXT,
  created_at INTEGER NOT NULL,
  started_at INTEGER,
  updated_at INTEGER NOT NULL,
  completed_at INTEGER,
  round INTEGER NOT NULL DEFAULT 1,
  rewind TEXT,
  rewinds INTEGER NOT NULL DEFAULT 0,
  fork TEXT,
  sensitive INTEGER NOT NULL DEFAULT 0,
  compensating INTEGER NOT NULL DEFAULT 0
)`;

/**
 * `inline` is 1 where the step took the short cut of design section 3 (c). `sent` is a taken
 * event's payload as it was sent, where the schema of its wait has made another value of it.
 */
const STEP_TABLE = `CREATE TABLE IF NOT EXISTS step (
  id INTEGER PRIMARY KEY,
  seq INTEGER,
  step TEXT NOT NULL,
  kind TEXT NOT NULL,
  state TEXT NOT NULL,
  asked INTEGER,
  inline INTEGER NOT NULL DEFAULT 0,
  attempt INTEGER NOT NULL DEFAULT 0,
  due INTEGER,
  input TEXT,
  result TEXT,
  sent TEXT,
  failure TEXT,
  last_processed_id TEXT,
  progress TEXT,
  child TEXT,
  started_at INTEGER,
  at INTEGER NOT NULL,
  sensitive INTEGER NOT NULL DEFAULT 0
)`;

/** Finds open rows without reading the finished ones; a short step never enters it. */
const OPEN_INDEX = "CREATE INDEX IF NOT EXISTS step_open ON step (id) WHERE seq IS NULL";

const KEY_TABLE = `CREATE TABLE IF NOT EXISTS idempotency (
  key TEXT PRIMARY KEY,
  fingerprint TEXT NOT NULL,
  answer TEXT NOT NULL,
  at INTEGER NOT NULL
) WITHOUT ROWID`;

/** Pieces of texts that are longer than a cell: see part-store.ts. */
const PART_TABLE = `CREATE TABLE IF NOT EXISTS part (
  id INTEGER PRIMARY KEY,
  text TEXT NOT NULL
)`;

const TOMBSTONE_TABLE = `CREATE TABLE IF NOT EXISTS tombstone (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  execution_id TEXT NOT NULL,
  at INTEGER NOT NULL
)`;

/**
 * Messages to other instances. One without a due is acknowledged: the last one stays, so that numbers only
 * grow. `step` is the identity of the step that waits for the answer.
 */
const OUTBOX_TABLE = `CREATE TABLE IF NOT EXISTS outbox (
  number INTEGER PRIMARY KEY,
  target TEXT NOT NULL,
  execution_id TEXT NOT NULL,
  step TEXT,
  content TEXT NOT NULL,
  payload TEXT,
  attempt INTEGER NOT NULL DEFAULT 0,
  due INTEGER
)`;

/**
 * The last message of each sender, which is an execution of another instance. `refusal` is a failure as JSON,
 * where the message was refused.
 */
const INBOX_TABLE = `CREATE TABLE IF NOT EXISTS inbox (
  sender TEXT PRIMARY KEY,
  number INTEGER NOT NULL,
  refusal TEXT,
  at INTEGER NOT NULL
) WITHOUT ROWID`;

/** A table that not every object has. */
export type TableName =
  | "instance"
  | "part"
  | "idempotency"
  | "tombstone"
  | "outbox"
  | "inbox"
  | "entity";

/**
 * Which tables an object has. Looked up once for all of its stores, which say what they make and drop: each look
 * is a statement, and a new object makes dozens of them otherwise. Looking must not create one.
 */
export class Tables {
  readonly #sql: Sql;
  #names: Set<string> | undefined;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  has(name: TableName): boolean {
    this.#names ??= new Set(this.#sql.all<{ name: string }>(SELECT_TABLES).map(({ name }) => name));
    return this.#names.has(name);
  }

  made(name: TableName): void {
    this.#names?.add(name);
  }

  gone(name: TableName): void {
    this.#names?.delete(name);
  }

  /** The storage was erased. */
  forget(): void {
    this.#names = undefined;
  }
}

const SELECT_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'";

export function createInstanceTables(sql: Sql): void {
  sql.run(INSTANCE_TABLE);
  sql.run(STEP_TABLE);
}

export function createOpenIndex(sql: Sql): void {
  sql.run(OPEN_INDEX);
}

export function createKeyTable(sql: Sql): void {
  sql.run(KEY_TABLE);
}

export function createOutboxTable(sql: Sql): void {
  sql.run(OUTBOX_TABLE);
}

export function createInboxTable(sql: Sql): void {
  sql.run(INBOX_TABLE);
}

export function createPartTable(sql: Sql): void {
  sql.run(PART_TABLE);
}

export function createTombstoneTable(sql: Sql): void {
  sql.run(TOMBSTONE_TABLE);
}

export function dropInstanceTables(sql: Sql): void {
  sql.run("DROP TABLE step");
  sql.run("DROP TABLE instance");
}

export function dropPartTable(sql: Sql): void {
  sql.run("DROP TABLE part");
}

export function dropTombstoneTable(sql: Sql): void {
  sql.run("DROP TABLE tombstone");
}
