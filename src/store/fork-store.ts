/**
 * Rows of steps on their way from one instance to another. They are copied as they are, with their ids; texts that are
 * large follow one by one, for a call carries 32 MiB.
 *
 * What is copied has an id below that of the fence: a row that stands behind all that the source had, so that what
 * the new instance is sent meanwhile has its row behind it.
 */
import { FORK } from "../core/step.ts";
import { bytesOf, type StoredText, textOf } from "../core/stored-text.ts";
import { atHand, DistantCells } from "./distant-cells.ts";
import { isSplit, type PartStore } from "./part-store.ts";
import type { Child, StepRow } from "./rows.ts";
import type { Sql } from "./sql.ts";

/** The columns of texts that may be large. */
export type TextColumn = "input" | "result" | "sent" | "failure";

/** A text that goes with its row, or of which only the length does. */
export type CopiedText = string | { readonly bytes: number } | null;

/** A row as it goes to another instance. */
export type CopiedRow = Omit<StepRow, "input" | "result" | "failure"> & {
  readonly [Column in TextColumn]: CopiedText;
};

type Row = Omit<StepRow, TextColumn> & { readonly [Column in TextColumn]: StoredText | null };

const TEXTS = ["input", "result", "sent", "failure"] as const;

const SELECT_ROWS = `SELECT id, seq, step, kind, state, asked, attempt, due, ${TEXTS.map(atHand).join(", ")},
  last_processed_id AS lastProcessedId, progress, child, started_at AS startedAt, at,
  sensitive, inline FROM step WHERE id > ? AND seq <= ? ORDER BY id LIMIT ?`;
const SELECT_END = "SELECT MAX(seq) AS through, MAX(id) AS lastId FROM step";
const INSERT = `INSERT INTO step (id, seq, step, kind, state, asked, attempt, due, input, result, sent,
  failure, last_processed_id, progress, child, started_at, at, sensitive, inline)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;
const FILL = {
  input: "UPDATE step SET input = ? WHERE id = ?",
  result: "UPDATE step SET result = ? WHERE id = ?",
  sent: "UPDATE step SET sent = ? WHERE id = ?",
  failure: "UPDATE step SET failure = ? WHERE id = ?",
} as const;
/** What an event was sent as is moved between columns as it is, and so is sealed as a result in each. */
const PLACES = {
  input: "step.input",
  result: "step.result",
  sent: "step.result",
  failure: "step.failure",
} as const;
const CELLS = {
  input: "SELECT input AS cell FROM step WHERE id = ?",
  result: "SELECT result AS cell FROM step WHERE id = ?",
  sent: "SELECT sent AS cell FROM step WHERE id = ?",
  failure: "SELECT failure AS cell FROM step WHERE id = ?",
} as const;
const SELECT_SPLIT = `SELECT input, result, sent FROM step WHERE id = ?
  AND (${isSplit("input")} OR ${isSplit("result")} OR ${isSplit("sent")})`;
const SELECT_LAST = "SELECT MAX(id) AS id FROM step WHERE id < ?";
const DELETE_ONE = "DELETE FROM step WHERE id = ?";
/** It is open for nobody: what is cancelled owes no turn. */
const PUT_FENCE = `INSERT OR IGNORE INTO step (id, step, kind, state, at)
  VALUES (?, '${FORK}', 'rewind', 'cancelled', ?)`;

export class ForkStore {
  readonly #sql: Sql;
  readonly #parts: PartStore;
  readonly #distant: DistantCells<TextColumn>;

  constructor(sql: Sql, parts: PartStore) {
    this.#sql = sql;
    this.#parts = parts;
    this.#distant = new DistantCells(sql, parts, (column) => PLACES[column], CELLS);
  }

  /** The last place in the order of delivery, and the id of the last row; 0 where there is none. */
  end(): { readonly through: number; readonly lastId: number } {
    type End = { readonly through: number | null; readonly lastId: number | null };
    const [end] = this.#sql.all<End>(SELECT_END);
    return { through: end?.through ?? 0, lastId: end?.lastId ?? 0 };
  }

  /** Rows behind an id that have a place, up to one; only the length of texts of more bytes than that. */
  rows(after: number, through: number, limit: number, textBytes: number): CopiedRow[] {
    return this.#sql.all<Row>(SELECT_ROWS, after, through, limit).map((row) => {
      this.#distant.in(row.id, row);
      const texts = TEXTS.map((column) => [column, copied(row[column], textBytes)]);
      return { ...row, ...Object.fromEntries(texts) } as CopiedRow;
    });
  }

  /** A whole text of a row. */
  text(id: number, column: TextColumn): string {
    return textOf(this.#distant.of(id, column, 0));
  }

  /** Sees to it that what comes meanwhile has its row behind an id. */
  putFence(id: number, at: number): void {
    this.#sql.run(PUT_FENCE, id, at);
  }

  /** Writes a row of another instance; texts that did not come with it are to follow. */
  insert(row: CopiedRow): void {
    this.#sql.run(
      INSERT,
      row.id,
      row.seq,
      row.step,
      row.kind,
      row.state,
      row.asked,
      row.attempt,
      row.due,
      this.#cell(row.input, "input"),
      this.#cell(row.result, "result"),
      this.#cell(row.sent, "sent"),
      this.#cell(row.failure, "failure"),
      row.lastProcessedId,
      row.progress,
      foreign(row),
      row.startedAt,
      row.at,
      row.sensitive,
      row.inline,
    );
  }

  #cell(text: CopiedText, column: TextColumn): string | null {
    return typeof text === "string" ? this.#written(text, column) : null;
  }

  /** A failure is never split: see step-store.ts. */
  #written(text: string, column: TextColumn): string {
    const place = PLACES[column];
    return column === "failure"
      ? this.#sql.cipher.seal(text, place)
      : this.#parts.write(text, place);
  }

  fill(id: number, column: TextColumn, text: string): void {
    this.#sql.run(FILL[column], this.#written(text, column), id);
  }

  /** The last row below a fence; 0 where there is none. */
  lastBelow(fence: number): number {
    return this.#sql.all<{ id: number | null }>(SELECT_LAST, fence)[0]?.id ?? 0;
  }

  delete(id: number): void {
    type Cells = Record<"input" | "result" | "sent", string | null>;
    const split = this.#parts.exists ? this.#sql.all<Cells>(SELECT_SPLIT, id) : [];
    for (const { input, result, sent } of split) this.#parts.forget([input, result, sent]);
    this.#sql.run(DELETE_ONE, id);
  }
}

/** The texts of a row that did not come with it. */
export const missingTexts = (row: CopiedRow): TextColumn[] =>
  TEXTS.filter((column) => row[column] !== null && typeof row[column] !== "string");

function copied(text: StoredText | null, textBytes: number): CopiedText {
  if (text === null) return null;
  const bytes = bytesOf(text);
  return bytes <= textBytes ? textOf(text) : { bytes };
}

/** A lock is not the copy's either: where it is held at the point of the fork, it is asked for again. */
function foreign({ kind, child }: Pick<CopiedRow, "kind" | "child">): string | null {
  if (child === null) return null;
  const released = kind === "lock" ? { released: true } : {};
  return JSON.stringify({ ...(JSON.parse(child) as Child), foreign: true, ...released });
}
