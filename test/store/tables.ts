/** What the store's tests share: rows to write, and which tables and indexes there are. */
import type { NewStepRow } from "../../src/store/rows.ts";
import type { Sql } from "../../src/store/sql.ts";

/** The names of all tables and indexes that were made by a statement. */
export function tablesOf(sql: Sql): string[] {
  const query = "SELECT name FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name";
  return sql.all<{ name: string }>(query).map((row) => row.name);
}

/** A row of a step, as it is first written. */
export function stepRow(row: Partial<NewStepRow> = {}): NewStepRow {
  return {
    seq: null,
    step: "A",
    kind: "activity",
    state: "open",
    asked: 1,
    attempt: 0,
    due: null,
    input: "[1]",
    result: null,
    failure: null,
    lastProcessedId: null,
    progress: null,
    child: null,
    startedAt: null,
    at: 10,
    ...row,
  };
}

/** The parts of split texts, where any text was ever split. */
export function partsOf(sql: Sql): { readonly id: number; readonly text: string }[] {
  if (!tablesOf(sql).includes("part")) return [];
  return sql.all("SELECT id, text FROM part ORDER BY id");
}

/** Storage over another one, in which some of its calls are others. */
export const portOver = (sql: Sql, own: Partial<Sql>): Sql => ({
  cipher: sql.cipher,
  all: sql.all.bind(sql),
  run: sql.run.bind(sql),
  later: sql.later.bind(sql),
  settle: sql.settle.bind(sql),
  transaction: sql.transaction.bind(sql),
  ...own,
});
