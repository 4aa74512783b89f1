/** Every statement about the instance row. */
import type { InstanceStatus } from "../core/documents.ts";
import { isUnreadable, type WaymarkError } from "../core/errors.ts";
import { encodeFailure, engineFailure } from "../core/failure.ts";
import { type Encoded, encode } from "../core/payload.ts";
import { textOf } from "../core/stored-text.ts";
import { isCoded } from "./cipher.ts";
import { atHand, DistantCells } from "./distant-cells.ts";
import { PartStore } from "./part-store.ts";
import type { InstanceRow } from "./rows.ts";
import { createInstanceTables, dropInstanceTables, Tables } from "./schema.ts";
import type { Sql } from "./sql.ts";

const SELECT_INSTANCE = `SELECT id, execution_id AS executionId, workflow, version, status,
  ${atHand("input")}, ${atHand("output")}, error, tags, parent, due, suspensions, held_at AS heldAt,
  custom_status AS customStatus, created_at AS createdAt, started_at AS startedAt,
  updated_at AS updatedAt, completed_at AS completedAt, round, rewind, rewinds, fork, sensitive,
  compensating FROM instance`;

const REPLACE_INSTANCE = `INSERT OR REPLACE INTO instance (one, id, execution_id, workflow, version,
  status, input, output, error, tags, parent, due, suspensions, held_at, custom_status,
  created_at, started_at, updated_at, completed_at, fork, sensitive)
  VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;

const SET_RUNNING = `UPDATE instance SET status = 'Running', error = NULL, due = NULL,
  started_at = COALESCE(started_at, ?), updated_at = ?`;

const SET_SUSPENDED = `UPDATE instance SET status = 'Suspended', error = ?, due = ?,
  suspensions = ?, updated_at = ?`;

const SET_HELD = `UPDATE instance SET status = 'Suspended', error = ?, held_at = ?, updated_at = ?`;

const SET_RELEASED = `UPDATE instance SET status = ?, error = NULL, held_at = NULL, due = ?,
  suspensions = 0, updated_at = ?`;

const SET_LOOKING = "UPDATE instance SET due = ?, suspensions = 0, updated_at = ?";

const SET_COMPENSATING = "UPDATE instance SET compensating = 1";

const SET_PARENT = "UPDATE instance SET parent = ?";

const SET_CUSTOM_STATUS = "UPDATE instance SET custom_status = ?";

/** One that has not begun keeps when it was to: a rewind may ask. */
const SET_ENDED = `UPDATE instance SET status = ?, output = ?, error = ?,
  due = CASE WHEN started_at IS NULL AND round = 1 AND suspensions = 0 THEN due END, held_at = NULL,
  updated_at = ?, completed_at = ?`;

const SET_REWINDING = `UPDATE instance SET status = ?, output = NULL, error = NULL, due = ?,
  suspensions = 0, updated_at = ?, completed_at = NULL, rewind = ?, compensating = 0`;

/** What its code set as a status may be of a part that is undone: the replay sets it again. */
const SET_REWOUND =
  "UPDATE instance SET rewind = NULL, rewinds = rewinds + 1, custom_status = NULL";

const SET_COPIED = `UPDATE instance SET status = ?, error = NULL, due = ?, suspensions = 0, started_at = ?,
  updated_at = ?, rewind = ?, fork = ?`;

const SET_CONTINUED = `UPDATE instance SET execution_id = ?, version = ?, status = 'Running', input = ?,
  output = NULL, error = NULL, due = ?, suspensions = 0, started_at = ?, updated_at = ?, round = round + 1,
  sensitive = MAX(sensitive, ?)`;

const SELECT_CELLS = "SELECT input, output FROM instance";

/** What another execution of the instance begins with; all else of its row stays. */
export type NextExecution = Pick<
  InstanceRow,
  "executionId" | "version" | "due" | "startedAt" | "updatedAt" | "sensitive"
> & { readonly input: Encoded };

/** How an instance ended. */
export interface InstanceEnd {
  readonly status: Extract<InstanceStatus, "Completed" | "Failed" | "Terminated">;
  readonly output: Encoded | null;
  readonly error: string | null;
  readonly at: number;
}

const unreadableFailure = (error: WaymarkError): string => encodeFailure(engineFailure(error));
const unreadablePayload = ({ code }: WaymarkError): Encoded =>
  encode({ $unreadable: code }, "a custom status");

export class InstanceStore {
  readonly #sql: Sql;
  readonly #parts: PartStore;
  readonly #distant: DistantCells<"input" | "output">;
  readonly #tables: Tables;

  constructor(sql: Sql, parts: PartStore = new PartStore(sql), tables = new Tables(sql)) {
    this.#sql = sql;
    this.#tables = tables;
    this.#parts = parts;
    this.#distant = new DistantCells(sql, parts, (column) => `instance.${column}`, {
      input: "SELECT input AS cell FROM instance WHERE one = ?",
      output: "SELECT output AS cell FROM instance WHERE one = ?",
    });
  }

  /** Whether this object holds an instance. */
  get exists(): boolean {
    return this.#tables.has("instance");
  }

  /** The row; what is large of it is read when it is needed, as it is then. */
  read(): InstanceRow | undefined {
    const row = this.exists ? this.#sql.all<InstanceRow>(SELECT_INSTANCE)[0] : undefined;
    return row === undefined ? undefined : this.#opened(this.#distant.in(1, row));
  }

  /** What people are shown in any case is opened with the row; what cannot be says so in its place. */
  #opened(row: InstanceRow): InstanceRow {
    const { error, customStatus } = row;
    const coded = (text: string | null): text is string => text !== null && isCoded(text);
    if (!coded(error) && !coded(customStatus)) return row;
    return {
      ...row,
      error: coded(error) ? this.#try(error, "error", unreadableFailure) : error,
      customStatus: coded(customStatus)
        ? this.#try(customStatus, "custom_status", unreadablePayload)
        : customStatus,
    };
  }

  #try(text: string, column: string, otherwise: (error: WaymarkError) => string): string {
    try {
      return this.#sql.cipher.open(text, `instance.${column}`);
    } catch (error) {
      if (isUnreadable(error)) return otherwise(error);
      throw error;
    }
  }

  /**
   * What it has ended with, or is suspended for, to be told to others: as it is, or not at all.
   *
   * @throws WaymarkError `KEY_MISSING`, `PAYLOAD_CORRUPT`
   */
  error(): string | null {
    const [row] = this.#sql.all<{ error: string | null }>("SELECT error FROM instance");
    const error = row?.error ?? null;
    return error === null ? null : this.#sql.cipher.open(error, "instance.error");
  }

  /**
   * What a row keeps of a rewind, as JSON.
   *
   * @throws WaymarkError `KEY_MISSING`, `PAYLOAD_CORRUPT`
   */
  openRewind(rewind: string): string {
    return this.#sql.cipher.open(rewind, "instance.rewind");
  }

  /**
   * What is to be done as a rewind, as JSON, as a row is to keep it.
   *
   * @throws WaymarkError `KEY_MISSING`
   */
  sealRewind(rewind: string): string {
    return this.#sealed(rewind, "rewind");
  }

  #sealed<Text extends string | null>(text: Text, column: string): Text | string {
    return text === null ? text : this.#sql.cipher.seal(text, `instance.${column}`);
  }

  /** Writes a new execution, in its first round; steps of one before it are the caller's to remove. */
  write(row: InstanceRow): void {
    const input = textOf(row.input); // it may be of the row that goes
    const output = row.output === null ? null : textOf(row.output);
    if (!this.exists) createInstanceTables(this.#sql);
    this.#tables.made("instance");
    this.#forget();
    this.#sql.run(
      REPLACE_INSTANCE,
      row.id,
      row.executionId,
      row.workflow,
      row.version,
      row.status,
      this.#parts.write(input, "instance.input"),
      output === null ? null : this.#parts.write(output, "instance.output"),
      this.#sealed(row.error, "error"),
      row.tags,
      row.parent,
      row.due,
      row.suspensions,
      row.heldAt,
      this.#sealed(row.customStatus, "custom_status"),
      row.createdAt,
      row.startedAt,
      row.updatedAt,
      row.completedAt,
      row.fork,
      row.sensitive ?? 0,
    );
  }

  /**
   * Removes it with all its steps, whose parts are the caller's to forget where a message has some too.
   *
   * @param withParts whether nothing else has any
   */
  drop(withParts: boolean): void {
    if (!withParts) this.#forget();
    dropInstanceTables(this.#sql);
    if (withParts) this.#parts.drop();
    this.#tables.gone("instance");
  }

  setRunning(at: number): void {
    this.#sql.run(SET_RUNNING, at, at);
  }

  /** What it has begun is being undone, and nothing that comes to it reaches its code. */
  setCompensating(): void {
    this.#sql.run(SET_COMPENSATING);
  }

  setSuspended(suspension: {
    readonly error: string;
    readonly inClear?: boolean;
    readonly due: number;
    readonly suspensions: number;
    readonly at: number;
  }): void {
    const { error, due, suspensions, at } = suspension;
    // What cannot be read is told in clear: it has nothing of a payload in it, and there may be no key to seal it with.
    const stored = suspension.inClear ? error : this.#sealed(error, "error");
    this.#sql.run(SET_SUSPENDED, stored, due, suspensions, at);
  }

  /** Lets another execution take the place of the present one. */
  setContinued(next: NextExecution): void {
    const { executionId, version, due, startedAt, updatedAt, sensitive = 0 } = next;
    this.#forget();
    const input = this.#parts.write(next.input, "instance.input");
    this.#sql.run(SET_CONTINUED, executionId, version, input, due, startedAt, updatedAt, sensitive);
  }

  /** A person suspends it; when it would have started is kept. */
  setHeld(held: { readonly error: string; readonly at: number }): void {
    this.#sql.run(SET_HELD, this.#sealed(held.error, "error"), held.at, held.at);
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
    this.#sql.run(SET_CUSTOM_STATUS, this.#sealed(status, "custom_status"));
  }

  setEnded(end: InstanceEnd): void {
    const output = end.output === null ? null : this.#parts.write(end.output, "instance.output");
    const error = this.#sealed(end.error, "error");
    this.#sql.run(SET_ENDED, end.status, output, error, end.at, end.at);
  }

  /** It is to go on from an earlier point of its execution. */
  setRewinding(
    rewinding: Pick<InstanceRow, "status" | "due" | "updatedAt"> & { readonly rewind: string },
  ): void {
    const { status, due, updatedAt, rewind } = rewinding;
    if (this.#parts.exists) {
      const [row] = this.#sql.all<{ output: string | null }>(SELECT_CELLS);
      this.#parts.forget([row?.output ?? null]);
    }
    this.#sql.run(SET_REWINDING, status, due, updatedAt, this.#sealed(rewind, "rewind"));
  }

  /**
   * All that it was forked from is copied: it is rewound next, or begins where nothing was.
   *
   * @param copied its `rewind` as {@link sealRewind} has made it
   */
  setCopied(
    copied: Pick<InstanceRow, "status" | "startedAt" | "rewind" | "fork"> & { readonly at: number },
  ): void {
    const { status, startedAt, rewind, fork, at } = copied;
    this.#sql.run(SET_COPIED, status, at, startedAt, at, rewind, fork);
  }

  /** Its steps are as the rewind wants them. */
  setRewound(): void {
    this.#sql.run(SET_REWOUND);
  }

  /** Both texts of the row are about to be written anew. */
  #forget(): void {
    if (!this.#parts.exists) return;
    const [row] = this.#sql.all<{ input: string; output: string | null }>(SELECT_CELLS);
    if (row !== undefined) this.#parts.forget([row.input, row.output]);
  }
}
