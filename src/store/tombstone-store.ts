/**
 * What is left of a purged instance until nobody sends for it any more: that it was here. Its rows are
 * gone, and its idempotency keys stay without their answers (W8).
 */
import { createTombstoneTable, dropTombstoneTable, Tables } from "./schema.ts";
import type { Sql } from "./sql.ts";

const SELECT_TOMBSTONE = "SELECT execution_id AS executionId, at FROM tombstone";
const INSERT_TOMBSTONE =
  "INSERT OR REPLACE INTO tombstone (one, execution_id, at) VALUES (1, ?, ?)";

export interface Tombstone {
  readonly executionId: string;
  /** When it was purged, in milliseconds since 1970. */
  readonly at: number;
}

export class TombstoneStore {
  readonly #sql: Sql;
  readonly #tables: Tables;

  constructor(sql: Sql, tables = new Tables(sql)) {
    this.#sql = sql;
    this.#tables = tables;
  }

  get #exists(): boolean {
    return this.#tables.has("tombstone");
  }

  read(): Tombstone | undefined {
    return this.#exists ? this.#sql.all<Tombstone>(SELECT_TOMBSTONE)[0] : undefined;
  }

  write({ executionId, at }: Tombstone): void {
    createTombstoneTable(this.#sql);
    this.#tables.made("tombstone");
    this.#sql.run(INSERT_TOMBSTONE, executionId, at);
  }

  /** The id is started again. */
  clear(): void {
    if (!this.#exists) return;
    dropTombstoneTable(this.#sql);
    this.#tables.gone("tombstone");
  }
}
