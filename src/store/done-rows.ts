/**
 * Rows of steps that ended well in their first turn, and have nothing else to tell: most rows are of that kind. Those that end
 * together may be written together: a statement costs more than what it writes.
 */
import { isCoded } from "./cipher.ts";
import type { NewStepRow } from "./rows.ts";
import type { Sql, SqlValue } from "./sql.ts";

const INSERT = `INSERT INTO step (seq, step, kind, state, asked, inline, attempt, input, result, started_at, at)
  VALUES (?, ?, ?, 'done', ?, ?, ?, ?, ?, ?, ?)`;

/** Several of them that follow each other, as an array of arrays: each costs a seventh of a statement of its own. */
const INSERT_SEVERAL = `INSERT INTO step (seq, step, kind, state, asked, inline, attempt, input, result, started_at, at)
  SELECT ? + key, value->>0, ?, 'done', value->>1, ?, ?, value->>2, value->>3, value->>4, value->>5
  FROM json_each(?)`;

/**
 * What may wait to be written together: rows, characters of their texts, and those of one row. JSON takes twice the room for
 * some, and what is bound may be no longer than a row: see `LIMITS.cellBytes`.
 */
const MOST = { rows: 512, length: 262_144, rowLength: 65_536 } as const;

/** Rows that wait for each other. They follow each other in the order of delivery, and are alike in the rest. */
interface Gathered {
  readonly seq: number;
  readonly kind: string;
  readonly inline: number;
  readonly attempt: number;
  /** Of each: step, asked, input, result, startedAt, at. */
  readonly rows: SqlValue[][];
  length: number;
}

export class DoneRows {
  readonly #sql: Sql;
  #gathers = false;
  #gathered: Gathered | null = null;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /**
   * Rows that are inserted in there wait for each other: they are written in one statement, in their order, with
   * {@link settle} or before any other statement.
   */
  gather<Value>(run: () => Value): Value {
    this.#gathers = true;
    try {
      return run();
    } finally {
      this.#gathers = false;
    }
  }

  /** Writes the rows that wait for each other. */
  settle(): void {
    if (this.puttingOff) this.#sql.settle();
  }

  /** Whether rows wait to be written. */
  get puttingOff(): boolean {
    return this.#gathered !== null;
  }

  /**
   * @param input as it is stored
   * @param result as it is stored
   */
  insert(row: NewStepRow, input: string | null, result: string | null): void {
    const { seq, step, kind, asked, attempt, startedAt, at } = row;
    const inline = row.inline ? 1 : 0;
    const length = step.length + (input?.length ?? 0) + (result?.length ?? 0);
    // JSON carries the text of a step as it is; what a codec makes may be any.
    const coded = isCoded(input ?? "") || isCoded(result ?? "");
    if (!this.#gathers || seq === null || length > MOST.rowLength || coded) {
      const end = [attempt, input, result, startedAt, at] as const;
      this.#sql.run(INSERT, seq, step, kind, asked, inline, ...end);
      return;
    }
    const gathered = this.#gatheredBefore(seq, kind, inline, attempt);
    gathered.rows.push([step, asked, input, result, startedAt, at]);
    gathered.length += length;
    if (gathered.rows.length >= MOST.rows || gathered.length > MOST.length) this.settle();
  }

  /** Those that a row may wait for; of others it is the first, and they are written before it. */
  #gatheredBefore(seq: number, kind: string, inline: number, attempt: number): Gathered {
    const before = this.#gathered;
    const follows =
      before !== null &&
      before.seq + before.rows.length === seq &&
      before.kind === kind &&
      before.inline === inline &&
      before.attempt === attempt;
    if (follows) return before;
    this.#sql.later(() => this.#insertGathered());
    this.#gathered = { seq, kind, inline, attempt, rows: [], length: 0 };
    return this.#gathered;
  }

  #insertGathered(): void {
    if (this.#gathered === null) return;
    const { seq, kind, inline, attempt, rows } = this.#gathered;
    this.#gathered = null;
    const [first, second] = rows;
    if (second !== undefined) {
      this.#sql.run(INSERT_SEVERAL, seq, kind, inline, attempt, JSON.stringify(rows));
    } else if (first !== undefined) {
      const [step = null, asked = null, ...end] = first;
      this.#sql.run(INSERT, seq, step, kind, asked, inline, attempt, ...end);
    }
  }
}
