/**
 * Cells that need not come with their row: what is large of them stays in storage until somebody needs it,
 * and is read as the row has it then.
 */
import { WaymarkError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { Encoded } from "../core/payload.ts";
import type { DistantText, StoredText } from "../core/stored-text.ts";
import { codedBytes } from "./cipher.ts";
import { cellBytes, type PartStore } from "./part-store.ts";
import type { Sql } from "./sql.ts";

/** SQL: a column's cell, or no more than its length where that is large: `far:BYTES`. */
export const atHand = (column: string): string =>
  `CASE WHEN OCTET_LENGTH(${column}) > ${LIMITS.textAtHandBytes}
    THEN 'far:' || ${cellBytes(column)} ELSE ${column} END AS ${column}`;

/** Texts and failures begin with `[`, `-` or `{`. */
const DISTANT = /^(?:far|parts):(\d+)/;

export class DistantCells<Column extends string> {
  readonly #sql: Sql;
  readonly #parts: PartStore;
  readonly #statements: { readonly [Name in Column]: string };
  readonly #columns: readonly Column[];
  readonly #place: (column: Column) => string;

  /**
   * @param place the name under which a column's texts are written and read: see `PartStore.write`
   * @param statements for each column, what reads its cell of the row with that id
   */
  constructor(
    sql: Sql,
    parts: PartStore,
    place: (column: Column) => string,
    statements: { readonly [Name in Column]: string },
  ) {
    this.#place = place;
    this.#sql = sql;
    this.#parts = parts;
    this.#statements = statements;
    this.#columns = Object.keys(statements) as Column[];
  }

  /** The row, with what can be read later in place of what did not come with it. */
  in<Row extends { readonly [Name in Column]: StoredText | null }>(id: number, row: Row): Row {
    for (const column of this.#columns) {
      const text: StoredText | null = row[column];
      if (typeof text !== "string") continue;
      const later = this.#later(id, column, text);
      if (later !== null) Object.assign(row, { [column]: later });
    }
    return row;
  }

  /** A text that is not at hand; null where it is. */
  #later(id: number, column: Column, cell: string): DistantText | null {
    const first = cell.charCodeAt(0);
    // "f", "p", "c": before any regular expression. Encoded texts begin with none of them.
    if (first !== 0x66 && first !== 0x70 && first !== 0x63) return null;
    if (first === 0x63) {
      // It is opened as late as one that is far: where its key is missing, the row can be read all the same.
      const read = () => this.#parts.read(cell, this.#place(column));
      return { bytes: codedBytes(cell), read };
    }
    const bytes = distantBytes(cell);
    return bytes === null ? null : this.of(id, column, bytes);
  }

  of(id: number, column: Column, bytes: number): DistantText {
    return { bytes, read: () => this.#read(id, column) };
  }

  #read(id: number, column: Column): Encoded {
    const [row] = this.#sql.all<{ cell: string | null }>(this.#statements[column], id);
    if (row?.cell != null) return this.#parts.read(row.cell, this.#place(column));
    throw new WaymarkError("PAYLOAD_CORRUPT", `the ${column} of row ${id} is not there any more`);
  }
}

/** The length of a text that did not come with its row; null where it did. */
function distantBytes(cell: string): number | null {
  const [, bytes] = DISTANT.exec(cell) ?? [];
  return bytes === undefined ? null : Number(bytes);
}
