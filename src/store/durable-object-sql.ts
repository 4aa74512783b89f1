/** The storage port on a Durable Object's SQLite. */
import { type Cipher, PLAIN } from "./cipher.ts";
import { PutOff } from "./put-off.ts";
import type { Sql, SqlValue } from "./sql.ts";

/** What this adapter needs of `ctx.storage`. */
interface ObjectStorage {
  readonly sql: {
    exec(
      statement: string,
      ...bindings: SqlValue[]
    ): { toArray(): unknown[]; readonly rowsWritten: number };
  };
  transactionSync<Result>(body: () => Result): Result;
}

export class DurableObjectSql implements Sql {
  readonly #storage: ObjectStorage;
  /** Rows written since this object came to memory: the unit of the platform's bill. */
  rowsWritten = 0;

  readonly cipher: Cipher;
  readonly #putOff = new PutOff();

  constructor(storage: ObjectStorage, cipher: Cipher = PLAIN) {
    this.#storage = storage;
    this.cipher = cipher;
  }

  all<Row>(statement: string, ...bindings: SqlValue[]): Row[] {
    this.#putOff.settle();
    const cursor = this.#storage.sql.exec(statement, ...bindings);
    const rows = cursor.toArray() as Row[];
    this.rowsWritten += cursor.rowsWritten;
    return rows;
  }

  run(statement: string, ...bindings: SqlValue[]): void {
    this.#putOff.settle();
    this.rowsWritten += this.#storage.sql.exec(statement, ...bindings).rowsWritten;
  }

  later(write: () => void): void {
    this.#putOff.later(write);
  }

  settle(): void {
    this.#putOff.settle();
  }

  transaction<Result>(body: () => Result extends PromiseLike<unknown> ? never : Result): Result {
    this.#putOff.settle();
    return this.#storage.transactionSync(body) as Result;
  }
}
