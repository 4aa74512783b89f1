/**
 * The storage port: synchronous, tiny, two adapters. What is written between two waits is one
 * commit in both: an object's output gate sees to it there, the in-process host's flush here.
 */

import type { Cipher } from "./cipher.ts";

export type SqlValue = string | number | null;

export interface Sql {
  /** What payloads are in these tables; a store asks it for every one. */
  readonly cipher: Cipher;
  /** Runs one statement and returns its rows. */
  all<Row>(statement: string, ...bindings: SqlValue[]): Row[];
  /** Runs one statement for its effect. */
  run(statement: string, ...bindings: SqlValue[]): void;
  /**
   * Puts a write off until the next statement, whichever that is, or until {@link settle}. Whoever does so sees to it that
   * one of them comes before the next wait: a commit does not look for what was put off.
   */
  later(write: () => void): void;
  /** Runs what was put off. */
  settle(): void;
  /** All of it or nothing. The body cannot be async: no I/O is awaited in a transaction (W9). */
  transaction<Result>(body: () => Result extends PromiseLike<unknown> ? never : Result): Result;
}
