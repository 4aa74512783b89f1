/** Every statement about the instance row. */
import type { InstanceStatus } from "../core/documents.ts";
import type { Encoded } from "../core/payload.ts";
import type { InstanceRow } from "./rows.ts";
import { createInstanceTables, hasInstance } from "./schema.ts";
import type { Sql } from "./sql.ts";

const SELECT_INSTANCE = `SELECT id, execution_id AS executionId, workflow, version, status, input,
  output, error, tags, due, suspensions, created_at AS createdAt, started_at AS startedAt,
  updated_at AS updatedAt, completed_at AS completedAt FROM instance`;

const REPLACE_INSTANCE = `INSERT OR REPLACE INTO instance (one, id, execution_id, workflow, version,
  status, input, output, error, tags, due, suspensions, created_at, started_at, updated_at,
  completed_at) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;

const SET_RUNNING = `UPDATE instance SET status = 'Running', error = NULL, due = NULL,
  started_at = COALESCE(started_at, ?), updated_at = ?`;

const SET_SUSPENDED = `UPDATE instance SET status = 'Suspended', error = ?, due = ?,
  suspensions = ?, updated_at = ?`;

const SET_ENDED = `UPDATE instance SET status = ?, output = ?, error = ?, due = NULL,
  updated_at = ?, completed_at = ?`;

const SET_CONTINUED = `UPDATE instance SET execution_id = ?, version = ?, status = 'Running', input = ?,
  output = NULL, error = NULL, due = ?, suspensions = 0, started_at = ?, updated_at = ?`;

/** What another execution of the instance begins with; all else of its row stays. */
export type NextExecution = Pick<
  InstanceRow,
  "executionId" | "version" | "input" | "due" | "startedAt" | "updatedAt"
>;

/** How an instance ended. */
export interface InstanceEnd {
  readonly status: Extract<InstanceStatus, "Completed" | "Failed" | "Terminated">;
  readonly output: Encoded | null;
  readonly error: string | null;
  readonly at: number;
}

export class InstanceStore {
  readonly #sql: Sql;
  #exists = false;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Whether this object holds an instance. */
  get exists(): boolean {
    this.#exists ||= hasInstance(this.#sql);
    return this.#exists;
  }

  read(): InstanceRow | undefined {
    return this.exists ? this.#sql.all<InstanceRow>(SELECT_INSTANCE)[0] : undefined;
  }

  /** Writes a new execution; steps of one before it are the caller's to remove. */
  write(row: InstanceRow): void {
    if (!this.exists) createInstanceTables(this.#sql);
    this.#sql.run(
      REPLACE_INSTANCE,
      row.id,
      row.executionId,
      row.workflow,
      row.version,
      row.status,
      row.input,
      row.output,
      row.error,
      row.tags,
      row.due,
      row.suspensions,
      row.createdAt,
      row.startedAt,
      row.updatedAt,
      row.completedAt,
    );
  }

  setRunning(at: number): void {
    this.#sql.run(SET_RUNNING, at, at);
  }

  setSuspended(suspension: {
    readonly error: string;
    readonly due: number;
    readonly suspensions: number;
    readonly at: number;
  }): void {
    const { error, due, suspensions, at } = suspension;
    this.#sql.run(SET_SUSPENDED, error, due, suspensions, at);
  }

  /** Lets another execution take the place of the present one. */
  setContinued(next: NextExecution): void {
    const { executionId, version, input, due, startedAt, updatedAt } = next;
    this.#sql.run(SET_CONTINUED, executionId, version, input, due, startedAt, updatedAt);
  }

  setEnded(end: InstanceEnd): void {
    this.#sql.run(SET_ENDED, end.status, end.output, end.error, end.at, end.at);
  }
}
