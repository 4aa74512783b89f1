/**
 * The storage port on node:sqlite, for tests and simulation. Writes gather in one open transaction;
 * `flush` commits it, `rollback` is what a crash does to it. That is how an object's storage behaves
 * between two waits.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { PLAIN } from "./cipher.ts";
import { PutOff } from "./put-off.ts";
import type { Sql, SqlValue } from "./sql.ts";

export class NodeSql implements Sql {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #open = false;
  /** Tables were made or removed since the last flush. */
  #reshaped = false;
  #depth = 0;
  #changes = 0;
  readonly #putOff = new PutOff();
  /** That of the code which is deployed. */
  cipher = PLAIN;

  /** @param path a file, or `":memory:"` */
  constructor(path = ":memory:") {
    this.#database = new DatabaseSync(path);
  }

  all<Row>(statement: string, ...bindings: SqlValue[]): Row[] {
    this.settle();
    this.#begin(statement);
    return this.#prepare(statement).all(...bindings) as Row[];
  }

  run(statement: string, ...bindings: SqlValue[]): void {
    this.settle();
    this.#begin(statement);
    this.#prepare(statement).run(...bindings);
  }

  later(write: () => void): void {
    this.#putOff.later(write);
    this.#changes++;
  }

  settle(): void {
    this.#putOff.settle();
  }

  /** Whether a write is put off. */
  get putsOff(): boolean {
    return this.#putOff.waits;
  }

  transaction<Result>(body: () => Result extends PromiseLike<unknown> ? never : Result): Result {
    this.settle();
    this.#begin("WRITE");
    const savepoint = `level_${++this.#depth}`;
    this.#database.exec(`SAVEPOINT ${savepoint}`);
    try {
      const result = body() as Result;
      this.#database.exec(`RELEASE ${savepoint}`);
      return result;
    } catch (error) {
      this.#database.exec(`ROLLBACK TO ${savepoint}; RELEASE ${savepoint}`);
      this.#changes++;
      throw error;
    } finally {
      this.#depth--;
    }
  }

  /** Grows with each write and each rollback: while it is the same, so are the rows. */
  get changes(): number {
    return this.#changes;
  }

  /** Whether anything is written and not yet committed. */
  get dirty(): boolean {
    return this.#open || this.putsOff;
  }

  /** Commits what was written. */
  flush(): void {
    this.settle();
    if (this.#open) this.#database.exec("COMMIT");
    this.#open = false;
    this.#reshaped = false;
  }

  /** Loses what was written since the last flush. */
  rollback(): void {
    this.#putOff.drop();
    if (this.#open) this.#database.exec("ROLLBACK");
    this.#open = false;
    this.#changes++;
    if (this.#reshaped) this.#statements.clear(); // a rolled back CREATE TABLE leaves them invalid
    this.#reshaped = false;
  }

  /** Removes every table. */
  erase(): void {
    const tables = this.all<{ name: string }>(
      "SELECT name FROM sqlite_master WHERE type = 'table'",
    );
    for (const { name } of tables) this.run(`DROP TABLE "${name}"`);
  }

  close(): void {
    this.rollback();
    this.#database.close();
  }

  #begin(statement: string): void {
    if (statement.startsWith("SELECT")) return;
    this.#changes++;
    this.#reshaped ||= statement.startsWith("CREATE") || statement.startsWith("DROP");
    if (this.#open) return;
    this.#database.exec("BEGIN");
    this.#open = true;
  }

  #prepare(statement: string): StatementSync {
    let prepared = this.#statements.get(statement);
    if (prepared === undefined) {
      prepared = this.#database.prepare(statement);
      this.#statements.set(statement, prepared);
    }
    return prepared;
  }
}
