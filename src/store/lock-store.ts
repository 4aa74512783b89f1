/** The statements about steps that lock entities. */
import { UNLOCK } from "../core/names.ts";
import type { Encoded } from "../core/payload.ts";
import { LOCKS_AWAITED } from "../core/step.ts";
import type { Cell, PartStore } from "./part-store.ts";
import type { Child, StepSummary } from "./rows.ts";
import type { Sql } from "./sql.ts";

type LockRow = Pick<StepSummary, "id" | "step" | "attempt" | "child">;

/** What was asked for and not given up, with what was released: one look at all rows, however many there are. */
const SELECT_LOCKS = `SELECT id, step, attempt, child FROM step WHERE kind = 'unlock'
  OR (kind = 'lock' AND state IN ('sent', 'arrived', 'done') AND step <> '${LOCKS_AWAITED}'
  AND child IS NOT NULL AND json_extract(child, '$.released') IS NULL)`;
const SELECT_AWAITED = `SELECT id, step, attempt, child FROM step
  WHERE seq IS NULL AND step = '${LOCKS_AWAITED}' AND state = 'sent'`;
const SELECT_LOCK =
  "SELECT id, step, attempt, child, input FROM step WHERE kind = 'lock' AND step = ?";
const DELETE_AWAITED = `DELETE FROM step WHERE seq IS NULL AND step = '${LOCKS_AWAITED}'`;
const RELEASE = `UPDATE step SET child = json_set(child, '$.released', json('true'))
  WHERE kind = 'lock' AND step = ? AND state = 'done'`;
const SET_CHILD = "UPDATE step SET child = ? WHERE id = ?";

export class LockStore {
  readonly #sql: Sql;
  readonly #parts: PartStore;

  constructor(sql: Sql, parts: PartStore) {
    this.#sql = sql;
    this.#parts = parts;
  }

  /** The lock that is held, or asked for: one at most. */
  held(): LockRow[] {
    const rows = this.#sql.all<LockRow>(SELECT_LOCKS);
    const released = new Set(
      rows.map(({ step }) => step).filter((step) => step.startsWith(UNLOCK)),
    );
    return rows.filter(({ step }) => !step.startsWith(UNLOCK) && !released.has(UNLOCK + step));
  }

  find(step: string): (LockRow & { readonly input: Encoded | null }) | undefined {
    const [row] = this.#sql.all<LockRow & { readonly input: Cell | null }>(SELECT_LOCK, step);
    if (row === undefined) return undefined;
    return { ...row, input: row.input === null ? null : this.#parts.read(row.input, "step.input") };
  }

  /** The row that stands for the wait after a rewind. */
  awaited(): LockRow | undefined {
    return this.#sql.all<LockRow>(SELECT_AWAITED)[0];
  }

  /** An end came before that wait was over. */
  forgetAwaited(): void {
    this.#sql.run(DELETE_AWAITED);
  }

  /** It was given back without a step of its own. */
  release(step: string): void {
    this.#sql.run(RELEASE, step);
  }

  setChild(id: number, child: Child): void {
    this.#sql.run(SET_CHILD, JSON.stringify(child), id);
  }
}
