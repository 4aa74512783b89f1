/**
 * The floor: what the platform itself takes. A bare object that does the necessary writes and nothing
 * else: no input stored, no status, no retry, no replay. It is driven as an instance is: the call that
 * creates it sets the alarm and answers, and the alarm does the work.
 */
import { DurableObject } from "cloudflare:workers";
import type { FloorJob, FloorState } from "../job.ts";

const TABLE = "CREATE TABLE IF NOT EXISTS step (id INTEGER PRIMARY KEY, result TEXT)";
const INSERT = "INSERT INTO step (result) VALUES (?)";
const SELECT_ALL = "SELECT id, result FROM step ORDER BY id";
const SELECT_LAST = "SELECT MAX(id) AS steps FROM step";

export class Floor extends DurableObject {
  #job: FloorJob = { steps: 0, commits: "never" };
  readonly #ended = Promise.withResolvers<void>();
  #rowsWritten = 0;

  /** Takes a job, and answers before it is done. */
  start(job: FloorJob): FloorState {
    this.#job = job;
    void this.ctx.storage.setAlarm(Date.now());
    return { steps: 0, rowsWritten: 0 };
  }

  /** What must follow a restart: reads every step that is stored, then goes on with the job. */
  resume(job: FloorJob): FloorState {
    const rows = this.ctx.storage.sql.exec(SELECT_ALL).toArray();
    this.start(job);
    return { steps: rows.length, rowsWritten: 0 };
  }

  /** The state once the job is done. */
  async ended(): Promise<FloorState> {
    await this.#ended.promise;
    return { steps: this.#job.steps, rowsWritten: this.#rowsWritten };
  }

  /** The least that a status read can be: one row. */
  read(): FloorState {
    const [row] = this.ctx.storage.sql.exec<{ steps: number }>(SELECT_LAST).toArray();
    return { steps: row?.steps ?? 0, rowsWritten: this.#rowsWritten };
  }

  /** Loses its memory, as an eviction does. */
  evict(): void {
    this.ctx.abort("evicted by the bench");
  }

  override async alarm(): Promise<void> {
    const { steps, commits } = this.#job;
    if (commits !== "never") this.#write(TABLE);
    for (let step = 0; step < steps; step++) {
      const result = await work(this.#job);
      if (commits !== "never") this.#write(INSERT, result);
      if (commits === "each step") await this.ctx.storage.sync();
    }
    if (commits === "at the end") await this.ctx.storage.sync();
    this.#ended.resolve();
  }

  #write(statement: string, ...bindings: string[]): void {
    this.#rowsWritten += this.ctx.storage.sql.exec(statement, ...bindings).rowsWritten;
  }
}

async function work({ url, millis }: FloorJob): Promise<string> {
  if (url !== undefined) return (await fetch(url)).text();
  if (millis !== undefined) await scheduler.wait(millis);
  return "null";
}
