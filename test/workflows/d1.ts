/**
 * A D1 database on node:sqlite, as far as the record migration uses one, with the migrations applied.
 * It keeps D1's limits, so that what passes here is not refused there.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { fileURLToPath } from "node:url";

const MIGRATIONS = join(dirname(fileURLToPath(import.meta.url)), "../../migrations");
const BOUND_PARAMETERS = 100;
const STATEMENT_BYTES = 100_000;
const VALUE_BYTES = 1_000_000;

export interface TestDatabase {
  readonly sqlite: DatabaseSync;
  readonly d1: D1Database;
  /** Queries asked so far, each statement of a batch counted. */
  readonly queries: () => number;
}

export function createDatabase(): TestDatabase {
  const sqlite = new DatabaseSync(":memory:");
  for (const file of readdirSync(MIGRATIONS).sort()) {
    sqlite.exec(readFileSync(join(MIGRATIONS, file), "utf8"));
  }
  let queries = 0;
  const statement = (sql: string, values: readonly SQLInputValue[]) => {
    const all = () => {
      queries += 1;
      checkLimits(sql, values);
      const results = sqlite.prepare(sql).all(...values);
      return { success: true, meta: {}, results };
    };
    return {
      bind: (...bound: SQLInputValue[]) => statement(sql, bound),
      all: async () => all(),
      run: async () => all(),
      first: async () => all().results[0] ?? null,
      now: all,
    };
  };
  const batch = async (statements: readonly ReturnType<typeof statement>[]) => {
    sqlite.exec("BEGIN");
    try {
      const results = statements.map(({ now }) => now());
      sqlite.exec("COMMIT");
      return results;
    } catch (error) {
      sqlite.exec("ROLLBACK");
      throw error;
    }
  };
  const d1 = { prepare: (sql: string) => statement(sql, []), batch } as unknown as D1Database;
  return { sqlite, d1, queries: () => queries };
}

function checkLimits(sql: string, values: readonly SQLInputValue[]): void {
  if (values.length > BOUND_PARAMETERS) throw new Error("too many bound parameters for D1");
  if (Buffer.byteLength(sql) > STATEMENT_BYTES) throw new Error("the statement is too long for D1");
  for (const value of values) {
    if (typeof value === "string" && Buffer.byteLength(value) > VALUE_BYTES) {
      throw new Error("the value is too large for D1");
    }
  }
}
