/**
 * Messages to other instances that are not acknowledged, in the order in which they are sent (W8). They
 * outlive the execution that sends them, and the instance.
 */
import type { StepIdentity } from "../core/names.ts";
import type { Encoded } from "../core/payload.ts";
import { type Cell, PartStore } from "./part-store.ts";
import { createOutboxTable, Tables } from "./schema.ts";
import type { Sql } from "./sql.ts";

const SELECT_PENDING = `SELECT number, target, execution_id AS executionId, step, attempt, due FROM outbox
  WHERE due IS NOT NULL ORDER BY number`;
const SELECT_CONTENT = "SELECT content, payload FROM outbox WHERE number = ?";
const SELECT_TO_ENTITIES = `SELECT target, content FROM outbox
  WHERE due IS NOT NULL AND execution_id = ? AND INSTR(target, '/') > 0 ORDER BY target`;
const INSERT = `INSERT INTO outbox (target, execution_id, step, content, payload, due)
  VALUES (?, ?, ?, ?, ?, ?) RETURNING number`;
const UPDATE_RETRY = "UPDATE outbox SET attempt = ?, due = ? WHERE number = ?";
/** The last number must not be given again: its row stays until there is a greater one. */
const ACKNOWLEDGE = `UPDATE outbox SET due = NULL, content = '', payload = NULL WHERE number = ?1
  AND number = (SELECT MAX(number) FROM outbox)`;
const DELETE_ACKNOWLEDGED = "DELETE FROM outbox WHERE number = ? AND due IS NOT NULL";
const DELETE_ACKNOWLEDGED_LAST = "DELETE FROM outbox WHERE number = ? AND due IS NULL";

/** A message as the outbox knows it, without its content. */
export interface OutgoingRow {
  readonly number: number;
  /** The id of the instance it goes to. */
  readonly target: string;
  /** The execution that sends it. */
  readonly executionId: string;
  /** The step that waits for the answer; null where nobody does. */
  readonly step: StepIdentity | null;
  /** How often it was sent in vain. */
  readonly attempt: number;
  /** When it is to be sent, in milliseconds since 1970. */
  readonly due: number;
}

/** What a message says: its payload, which may be large, apart from the rest. */
export interface OutgoingContent {
  /** As JSON. */
  readonly content: string;
  readonly payload: Encoded | null;
}

export class OutboxStore {
  readonly #sql: Sql;
  readonly #parts: PartStore;
  readonly #tables: Tables;

  constructor(sql: Sql, parts: PartStore = new PartStore(sql), tables = new Tables(sql)) {
    this.#sql = sql;
    this.#parts = parts;
    this.#tables = tables;
  }

  /** Whether the instance has ever sent anything. */
  get exists(): boolean {
    return this.#tables.has("outbox");
  }

  pending(): OutgoingRow[] {
    return this.exists ? this.#sql.all<OutgoingRow>(SELECT_PENDING) : [];
  }

  /**
   * The entities to which a release of this execution is on its way.
   *
   * @throws WaymarkError `KEY_MISSING`, `PAYLOAD_CORRUPT`
   */
  unlocking(executionId: string): string[] {
    if (!this.exists) return [];
    type Row = Pick<OutgoingRow, "target"> & Pick<OutgoingContent, "content">;
    const releases = this.#sql
      .all<Row>(SELECT_TO_ENTITIES, executionId)
      .filter(
        ({ content }) => kindOf(this.#sql.cipher.open(content, "outbox.content")) === "unlock",
      );
    return [...new Set(releases.map(({ target }) => target))];
  }

  content(number: number): OutgoingContent {
    const [row] = this.#sql.all<{ content: string; payload: Cell | null }>(SELECT_CONTENT, number);
    if (row === undefined) return { content: "{}", payload: null };
    const { content, payload } = row;
    return {
      content: this.#sql.cipher.open(content, "outbox.content"),
      payload: payload === null ? null : this.#parts.read(payload, "outbox.payload"),
    };
  }

  /** Keeps a message; returns its number, which is greater than any before. */
  add(row: Omit<OutgoingRow, "number" | "attempt"> & OutgoingContent): number {
    if (!this.exists) createOutboxTable(this.#sql);
    this.#tables.made("outbox");
    const { target, executionId, step, content, due } = row;
    const payload = row.payload === null ? null : this.#parts.write(row.payload, "outbox.payload");
    const [added] = this.#sql.all<{ number: number }>(
      INSERT,
      target,
      executionId,
      step,
      this.#sql.cipher.seal(content, "outbox.content"), // it has failures, and reasons
      payload,
      due,
    );
    const number = added?.number ?? 0;
    this.#sql.run(DELETE_ACKNOWLEDGED_LAST, number - 1);
    return number;
  }

  retry(number: number, attempt: number, due: number): void {
    this.#sql.run(UPDATE_RETRY, attempt, due, number);
  }

  acknowledged(number: number): void {
    if (this.#parts.exists) {
      const [row] = this.#sql.all<{ payload: Cell | null }>(SELECT_CONTENT, number);
      this.#parts.forget([row?.payload ?? null]);
    }
    this.#sql.run(ACKNOWLEDGE, number);
    this.#sql.run(DELETE_ACKNOWLEDGED, number);
  }

  /** The storage was erased. */
  dropped(): void {
    this.#tables.forget();
  }
}

const kindOf = (content: string): string => (JSON.parse(content) as { readonly kind: string }).kind;
