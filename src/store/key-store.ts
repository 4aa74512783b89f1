/** Idempotency keys: which request each stood for, and what it was answered. */
import type { Idempotency } from "../core/documents.ts";
import { WaymarkError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { createKeyTable, Tables } from "./schema.ts";
import type { Sql } from "./sql.ts";

const SELECT_KEY = "SELECT fingerprint, answer FROM idempotency WHERE key = ? AND at > ?";
const COUNT_KEYS = "SELECT COUNT(*) AS count FROM idempotency";
const DELETE_OLD = "DELETE FROM idempotency WHERE at <= ?";
const SELECT_BEGINNING = `SELECT key, answer FROM idempotency
  WHERE substr(answer, 1, length(?1)) = ?1`;
const REPLACE_ANSWER = "UPDATE idempotency SET answer = ? WHERE key = ?";
const ANSWER_ALL = "UPDATE idempotency SET answer = ?";
const INSERT_KEY =
  "INSERT OR REPLACE INTO idempotency (key, fingerprint, answer, at) VALUES (?, ?, ?, ?)";

const COLUMN = "idempotency.answer";
const FINGERPRINT = "idempotency.fingerprint";
/** The update, or the operation, that a key stands for while it is not done: names and numbers. */
const POINTER = /^\{"(?:update|pending)":/;

export class KeyStore {
  readonly #sql: Sql;
  readonly #most: number;
  readonly #tables: Tables;

  /** @param most keys that are kept */
  constructor(sql: Sql, most: number = LIMITS.idempotencyKeys, tables = new Tables(sql)) {
    this.#sql = sql;
    this.#most = most;
    this.#tables = tables;
  }

  get #exists(): boolean {
    return this.#tables.has("idempotency");
  }

  /**
   * The answer given to this request before, as JSON.
   *
   * @throws WaymarkError `IDEMPOTENCY_KEY_REUSED` where the key stood for another request
   */
  find({ key, fingerprint }: Idempotency, now: number): string | undefined {
    if (!this.#exists) return undefined;
    const since = now - LIMITS.idempotencyKeyMillis;
    const [row] = this.#sql.all<{ fingerprint: string; answer: string }>(SELECT_KEY, key, since);
    if (row === undefined) return undefined;
    if (this.#sql.cipher.open(row.fingerprint, FINGERPRINT) === fingerprint)
      return this.#sql.cipher.open(row.answer, COLUMN);
    throw new WaymarkError(
      "IDEMPOTENCY_KEY_REUSED",
      `the Idempotency-Key ${JSON.stringify(key)} was sent before with another request. ` +
        "Use a new key for a new request",
    );
  }

  /**
   * Refuses a request whose answer could not be kept, before it has any effect.
   *
   * @throws WaymarkError `IDEMPOTENCY_KEYS_FULL`
   */
  checkRoom(now: number): void {
    if (!this.#exists || this.#count() < this.#most) return;
    this.#sql.run(DELETE_OLD, now - LIMITS.idempotencyKeyMillis);
    if (this.#count() < this.#most) return;
    throw new WaymarkError(
      "IDEMPOTENCY_KEYS_FULL",
      `the instance keeps ${this.#most} idempotency keys of the last 24 hours; ` +
        "send without a key, or later",
    );
  }

  /**
   * Refuses a request that could not be stored, before it has any effect.
   *
   * @throws WaymarkError `KEY_MISSING`
   */
  checkWritable(): void {
    this.#sql.cipher.check();
  }

  /** Keeps the answer to a request. */
  keep({ key, fingerprint }: Idempotency, answer: string, now: number): void {
    if (!this.#exists) createKeyTable(this.#sql);
    this.#tables.made("idempotency");
    // A digest of what is short can be guessed.
    const sealed = this.#sql.cipher.seal(fingerprint, FINGERPRINT);
    this.#sql.run(INSERT_KEY, key, sealed, this.#sealed(answer), now);
  }

  /** What only says where an answer is, or that there is none, is looked for by how it begins. */
  #sealed(answer: string): string {
    return POINTER.test(answer) ? answer : this.#sql.cipher.seal(answer, COLUMN);
  }

  /** The answers that begin with a text, which must be that of a pointer. */
  beginningWith(text: string): { readonly key: string; readonly answer: string }[] {
    return this.#exists ? this.#sql.all(SELECT_BEGINNING, text) : [];
  }

  /** Replaces the answer of a key. */
  replace(key: string, answer: string): void {
    this.#sql.run(REPLACE_ANSWER, this.#sealed(answer), key);
  }

  /** Replaces all answers by another: what they told of is purged. */
  answerAll(answer: string): void {
    if (this.#exists) this.#sql.run(ANSWER_ALL, answer);
  }

  /** The storage was erased. */
  dropped(): void {
    this.#tables.forget();
  }

  #count(): number {
    return this.#sql.all<{ count: number }>(COUNT_KEYS)[0]?.count ?? 0;
  }
}
