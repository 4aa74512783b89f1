/**
 * Texts of any length in cells of a bounded one: a row holds at most 2 MB. A text longer than a cell may be
 * is cut into parts, each in a row of its own, and the cell says which they are.
 *
 * - Whoever writes a cell owns its parts, and forgets them in the commit in which the cell goes: so none is
 *   ever left behind, and none is missed.
 * - The table is made with the first part. Where it is not there, nothing here costs a row or a statement.
 */
import { LIMITS } from "../core/limits.ts";
import type { Encoded } from "../core/payload.ts";
import { byteLength } from "../core/stored-text.ts";
import { codedBytes, isCoded, isCodedCell } from "./cipher.ts";
import { createPartTable, dropPartTable, Tables } from "./schema.ts";
import type { Sql } from "./sql.ts";

/** What a row holds of a text: the text, or what a codec has made of it, or where its parts are. */
export type Cell = string;

/** Encoded texts begin with `[` or `-`, so none is taken for this: `parts:BYTES:FIRST:LAST`. */
const SPLIT = /^parts:\d+:(\d+):(\d+)$/;

/** SQL: whether a column's cell is split. */
export const isSplit = (column: string): string => `${column} GLOB 'parts:*'`;

/**
 * SQL: the bytes in UTF-8 of the text of a column's cell. A number ends where its digits do; `parts:` and `coded:`
 * are of one length.
 */
export const cellBytes = (column: string): string =>
  `CASE WHEN ${isSplit(column)} OR ${isCodedCell(column)} THEN CAST(SUBSTR(${column}, 7) AS INTEGER) ELSE OCTET_LENGTH(${column}) END`;

const INSERT_PART = "INSERT INTO part (text) VALUES (?) RETURNING id";
const SELECT_PARTS = "SELECT text FROM part WHERE id BETWEEN ? AND ? ORDER BY id";
const DELETE_PARTS = "DELETE FROM part WHERE id BETWEEN ? AND ?";

interface Split {
  readonly first: number;
  readonly last: number;
}

export class PartStore {
  readonly #sql: Sql;
  readonly #cellBytes: number;
  readonly #tables: Tables;

  /** @param cellBytes UTF-8 bytes of the longest text that is not split; tests take fewer */
  constructor(sql: Sql, cellBytes: number = LIMITS.cellBytes, tables = new Tables(sql)) {
    this.#sql = sql;
    this.#tables = tables;
    this.#cellBytes = cellBytes;
  }

  /** Whether any text was ever split here. */
  get exists(): boolean {
    return this.#tables.has("part");
  }

  /**
   * Keeps a text; returns what its row is to hold.
   *
   * @param column such as `step.input`: the text is read with the same one
   * @throws WaymarkError `KEY_MISSING`
   */
  write(text: Encoded, column: string): Cell {
    return this.#split(this.#sql.cipher.seal(text, column));
  }

  #split(text: string): Cell {
    if (text.length * 3 <= this.#cellBytes) return text;
    const length = byteLength(text);
    if (length <= this.#cellBytes) return text;
    const bytes = isCoded(text) ? codedBytes(text) : length;
    if (!this.exists) createPartTable(this.#sql);
    this.#tables.made("part");
    // Nothing else is written in between, so their ids follow one another.
    const ids = partsOf(text, 2 * this.#cellBytes).map((part) => this.#insert(part));
    return `parts:${bytes}:${ids.at(0)}:${ids.at(-1)}`;
  }

  #insert(part: string): number {
    return this.#sql.all<{ id: number }>(INSERT_PART, part)[0]?.id ?? 0;
  }

  /**
   * The text of a cell.
   *
   * @throws WaymarkError `KEY_MISSING`, `PAYLOAD_CORRUPT`
   */
  read(cell: Cell, column: string): Encoded {
    return this.#sql.cipher.open(this.#whole(cell), column);
  }

  #whole(cell: Cell): string {
    const split = splitOf(cell);
    if (split === null) return cell;
    const { first, last } = split;
    const rows = this.#sql.all<{ text: string }>(SELECT_PARTS, first, last);
    return rows.map(({ text }) => text).join("");
  }

  /** Removes the parts of cells that are about to go. */
  forget(cells: readonly (Cell | null)[]): void {
    for (const cell of cells) {
      const split = cell === null ? null : splitOf(cell);
      if (split !== null) this.#sql.run(DELETE_PARTS, split.first, split.last);
    }
  }

  /** Removes all parts, with the table: all rows that own any are gone. */
  drop(): void {
    if (this.exists) dropPartTable(this.#sql);
    this.#tables.gone("part");
  }
}

/** The parts of a cell, by their ids; none where it holds its text itself. */
export function partIds(cell: Cell | null): number[] {
  const split = cell === null ? null : splitOf(cell);
  if (split === null) return [];
  return Array.from({ length: split.last - split.first + 1 }, (_, index) => split.first + index);
}

function splitOf(cell: Cell): Split | null {
  if (!cell.startsWith("parts:")) return null;
  const [, first, last] = (SPLIT.exec(cell) ?? []).map(Number);
  return first === undefined || last === undefined ? null : { first, last };
}

/** Cuts a text into pieces of at most so many bytes in UTF-8, never through a character. */
function partsOf(text: string, bytes: number): string[] {
  const encoder = new TextEncoder();
  const room = new Uint8Array(bytes);
  const parts: string[] = [];
  for (let start = 0; start < text.length; ) {
    // As many characters as bytes: were the last one half of a pair, there would be no room for it.
    const { read } = encoder.encodeInto(text.slice(start, start + bytes), room);
    parts.push(text.slice(start, start + read));
    start += read;
  }
  return parts;
}
