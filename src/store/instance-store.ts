/** Every statement about the instance row. */
import type { InstanceStatus } from "../core/documents.ts";
import type { Encoded } from "../core/payload.ts";
import type { InstanceRow } from "./rows.ts";
import { createInstanceTables, dropInstanceTables, hasInstance } from "./schema.ts";
import type { Sql } from "./sql.ts";

const SELECT_INSTANCE = `SELECT id, execution_id AS executionId, workflow, version, status, input,
  output, error, tags, parent, due, suspensions, held_at AS heldAt, custom_status AS customStatus, created_at AS createdAt,
  started_at AS startedAt, updated_at AS updatedAt, completed_at AS completedAt, round FROM instance`;

const REPLACE_INSTANCE = `INSERT OR REPLACE INTO instance (one, id, execution_id, workflow, version,
  status, input, output, error, tags, parent, due, suspensions, held_at, custom_status,
  created_at, started_at, updated_at, completed_at) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;

const SET_RUNNING = `UPDATE instance SET status = 'Running', error = NULL, due = NULL,
  started_at = COALESCE(started_at, ?), updated_at = ?`;

const SET_SUSPENDED = `UPDATE instance SET status = 'Suspended', error = ?, due = ?,
  suspensions = ?, updated_at = ?`;

const SET_HELD = `UPDATE instance SET status = 'Suspended', error = ?, held_at = ?, updated_at = ?`;

const SET_RELEASED = `UPDATE instance SET status = ?, error = NULL, held_at = NULL, due = ?,
  suspensions = 0, updated_at = ?`;

const SET_LOOKING = "UPDATE instance SET due = ?, suspensions = 0, updated_at = ?";

const SET_PARENT = "UPDATE instance SET parent = ?";

const SET_CUSTOM_STATUS = "UPDATE instance SET custom_status = ?";

const SET_ENDED = `UPDATE instance SET status = ?, output = ?, error = ?, due = NULL, held_at = NULL,
  updated_at = ?, completed_at = ?`;

const SET_CONTINUED = `UPDATE instance SET execution_id = ?, version = ?, status = 'Running', input = ?,
  output = NULL, error = NULL, due = ?, suspensions = 0, started_at = ?, updated_at = ?, round = round + 1`;

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

  /** Writes a new execution, in its first round; steps of one before it are the caller's to remove. */
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
      row.parent,
      row.due,
      row.suspensions,
      row.heldAt,
      row.customStatus,
      row.createdAt,
      row.startedAt,
      row.updatedAt,
      row.completedAt,
    );
  }

  /** Removes it with all its steps. */
  drop(): void {
    dropInstanceTables(this.#sql);
    this.#exists = false;
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

  /** A person suspends it; when it would have started is kept. */
  setHeld(held: { readonly error: string; readonly at: number }): void {
    this.#sql.run(SET_HELD, held.error, held.at, held.at);
  }

  /** A person lets it go on. */
  setReleased(released: Pick<InstanceRow, "status" | "due"> & { readonly at: number }): void {
    this.#sql.run(SET_RELEASED, released.status, released.due, released.at);
  }

  /** It looks again at once, as if it had never been suspended before. */
  setLooking(at: number): void {
    this.#sql.run(SET_LOOKING, at, at);
  }

  /** Another try of its parent's step waits for its end. */
  setParent(parent: string): void {
    this.#sql.run(SET_PARENT, parent);
  }

  setCustomStatus(status: Encoded): void {
    this.#sql.run(SET_CUSTOM_STATUS, status);
  }

  setEnded(end: InstanceEnd): void {
    this.#sql.run(SET_ENDED, end.status, end.output, end.error, end.at, end.at);
  }
}
