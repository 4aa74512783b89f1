/** What the tests of secrets share: keys, and a look at all that storage holds. */
import { aesGcmCodec } from "../../src/aes-gcm.ts";
import type { Sql } from "../../src/store/sql.ts";

const key = (byte: number): string => Buffer.alloc(32, byte).toString("base64");

export const FIRST = aesGcmCodec({ keys: { first: key(1) }, current: "first" });
export const BOTH = aesGcmCodec({ keys: { first: key(1), second: key(2) }, current: "second" });
export const SECOND = aesGcmCodec({ keys: { second: key(2) }, current: "second" });

/** Every value of every column of every table, as text. */
export function allCells(
  sql: Pick<Sql, "all">,
): { readonly column: string; readonly text: string }[] {
  const tables = sql.all<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table'");
  return tables
    .filter(({ name }) => !name.startsWith("_cf"))
    .flatMap(({ name }) =>
      sql.all<Record<string, unknown>>(`SELECT * FROM "${name}"`).flatMap((row) =>
        Object.entries(row).map(([column, cell]) => ({
          column: `${name}.${column}`,
          text: String(cell),
        })),
      ),
    );
}

/** The columns in which a text stands in clear. */
export const columnsWith = (sql: Pick<Sql, "all">, secret: string): string[] =>
  allCells(sql)
    .filter(({ text }) => text.includes(secret))
    .map(({ column }) => column);
