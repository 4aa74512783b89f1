/**
 * Which messages of other instances were applied (W8). A sender numbers its messages and sends each until it
 * is acknowledged before it sends the next, so its last number tells of all.
 */
import { LIMITS } from "../core/limits.ts";
import { createInboxTable, hasInbox } from "./schema.ts";
import type { Sql } from "./sql.ts";

const SELECT_LAST = "SELECT number FROM inbox WHERE sender = ?";
const UPSERT = "INSERT OR REPLACE INTO inbox (sender, number, at) VALUES (?, ?, ?)";
const DELETE_OLD = "DELETE FROM inbox WHERE at < ?";
/** How often old senders are forgotten: each time all rows are looked at. */
const SWEEP_MILLIS = 3_600_000;

export class InboxStore {
  readonly #sql: Sql;
  #exists = false;
  #sweptAt = 0;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Whether this message of that execution was applied before. */
  has(sender: string, number: number): boolean {
    this.#exists ||= hasInbox(this.#sql);
    if (!this.#exists) return false;
    const [row] = this.#sql.all<{ number: number }>(SELECT_LAST, sender);
    return row !== undefined && number <= row.number;
  }

  /** Notes that it was applied. */
  note(sender: string, number: number, at: number): void {
    this.#exists ||= hasInbox(this.#sql);
    if (!this.#exists) createInboxTable(this.#sql);
    this.#exists = true;
    if (at - this.#sweptAt > SWEEP_MILLIS) {
      this.#sql.run(DELETE_OLD, at - LIMITS.inboxMillis);
      this.#sweptAt = at;
    }
    this.#sql.run(UPSERT, sender, number, at);
  }

  /** The storage was erased. */
  dropped(): void {
    this.#exists = false;
  }
}
