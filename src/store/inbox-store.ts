/**
 * Which messages of other instances were answered for good (W8): applied, or refused. A sender numbers its
 * messages and sends each until it is answered before it sends the next, so its last number tells of all.
 */
import { LIMITS } from "../core/limits.ts";
import { createInboxTable, Tables } from "./schema.ts";
import type { Sql } from "./sql.ts";

const SELECT_LAST = "SELECT number, refusal FROM inbox WHERE sender = ?";
const UPSERT = "INSERT OR REPLACE INTO inbox (sender, number, refusal, at) VALUES (?, ?, ?, ?)";
const DELETE_OLD = "DELETE FROM inbox WHERE at < ?";
/** How often old senders are forgotten: each time all rows are looked at. */
const SWEEP_MILLIS = 3_600_000;

/** What became of a message. */
export interface Noted {
  /** Why it was refused, as JSON; null where it was applied. */
  readonly refusal: string | null;
}

export class InboxStore {
  readonly #sql: Sql;
  readonly #tables: Tables;
  #sweptAt = 0;

  constructor(sql: Sql, tables = new Tables(sql)) {
    this.#sql = sql;
    this.#tables = tables;
  }

  get #exists(): boolean {
    return this.#tables.has("inbox");
  }

  /** What became of this message of that execution, if it came before; of one before the last nobody asks. */
  find(sender: string, number: number): Noted | undefined {
    if (!this.#exists) return undefined;
    const [row] = this.#sql.all<Noted & { number: number }>(SELECT_LAST, sender);
    if (row === undefined || number > row.number) return undefined;
    if (number < row.number || row.refusal === null) return { refusal: null };
    return { refusal: this.#sql.cipher.open(row.refusal, "inbox.refusal") };
  }

  /** Notes what became of it. */
  note(sender: string, number: number, { refusal }: Noted, at: number): void {
    if (!this.#exists) createInboxTable(this.#sql);
    this.#tables.made("inbox");
    if (at - this.#sweptAt > SWEEP_MILLIS) {
      this.#sql.run(DELETE_OLD, at - LIMITS.inboxMillis);
      this.#sweptAt = at;
    }
    const sealed = refusal === null ? null : this.#sql.cipher.seal(refusal, "inbox.refusal");
    this.#sql.run(UPSERT, sender, number, sealed, at);
  }

  /** The storage was erased. */
  dropped(): void {
    this.#tables.forget();
  }
}
