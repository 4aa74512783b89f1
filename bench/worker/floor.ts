/**
 * The floor: what the platform itself takes. A bare object that does the necessary writes and nothing
 * else: no input stored, no status, no retry, no replay. It is driven as an instance is: the call that
 * creates it sets the alarm and answers, and the alarm does the work.
 */
import { DurableObject } from "cloudflare:workers";
import {
  type FloorJob,
  type FloorState,
  type Job,
  markUrl,
  type NapJob,
  wokenUrl,
} from "../job.ts";

const TABLE = "CREATE TABLE IF NOT EXISTS step (id INTEGER PRIMARY KEY, result TEXT)";
const INSERT = "INSERT INTO step (result) VALUES (?)";
const SELECT_ALL = "SELECT id, result FROM step ORDER BY id";
const SELECT_LAST = "SELECT MAX(id) AS steps FROM step";

export class Floor extends DurableObject {
  #job: FloorJob = { steps: 0, commits: "never" };
  readonly #ended = Promise.withResolvers<void>();
  #rowsWritten = 0;
  #nap: NapJob | undefined;

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

  /** A step, an alarm, and another step, each step with a commit. */
  nap(nap: NapJob): FloorState {
    this.#nap = nap;
    return this.start({ steps: 0, commits: "never" });
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
    if (this.#nap !== undefined) return this.#fallAsleep(this.#nap);
    const { steps, commits } = this.#job;
    if (commits !== "never") this.#write(TABLE);
    for (let step = 0; step < steps; step++) {
      const result = await work(this.#job, step);
      if (commits !== "never") this.#write(INSERT, result);
      if (commits === "each step") await this.ctx.storage.sync();
    }
    if (commits === "at the end") await this.ctx.storage.sync();
    this.#ended.resolve();
  }

  async #fallAsleep(nap: NapJob): Promise<void> {
    this.#nap = undefined;
    this.#job = { steps: 1, url: wokenUrl(nap.url), commits: "each step" };
    this.#write(TABLE);
    this.#write(INSERT, await work({ steps: 1, url: nap.url }, 0));
    void this.ctx.storage.setAlarm(Date.now() + nap.millis);
  }

  #write(statement: string, ...bindings: string[]): void {
    this.#rowsWritten += this.ctx.storage.sql.exec(statement, ...bindings).rowsWritten;
  }
}

async function work({ url, millis, marks }: Job, step: number): Promise<string> {
  if (marks !== undefined && url !== undefined) {
    return marks.includes(step) ? (await fetch(markUrl(url, step))).text() : "null";
  }
  if (millis !== undefined) await scheduler.wait(millis);
  return url === undefined ? "null" : (await fetch(url)).text();
}
