/**
 * The floor: what the platform itself takes. A bare object that does the necessary writes and nothing
 * else: no input stored, no status, no retry, no replay. It is driven as an instance is: the call that
 * brings a job sets the alarm, by which it would go on after a crash, begins to work, and answers.
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
  #working: Promise<void> = Promise.resolve();
  #rowsWritten = 0;
  /** What it does when it wakes up; undefined where it does not sleep. */
  #woken: FloorJob | undefined;

  /** Takes a job, and answers before it is done. */
  start(job: FloorJob): FloorState {
    this.#begin(() => this.#run(job));
    return { steps: 0, rowsWritten: 0 };
  }

  /** Takes a job, and answers when it is done. */
  run(job: FloorJob): Promise<FloorState> {
    this.#begin(() => this.#run(job));
    return this.ended();
  }

  /** What must follow a restart: reads every step that is stored, then goes on with the job. */
  resume(job: FloorJob): FloorState {
    const rows = this.ctx.storage.sql.exec(SELECT_ALL).toArray();
    this.start(job);
    return { steps: rows.length, rowsWritten: 0 };
  }

  /** A step, an alarm, and another step, each step with a commit. */
  nap(nap: NapJob): FloorState {
    this.#begin(() => this.#fallAsleep(nap));
    return { steps: 0, rowsWritten: 0 };
  }

  /** The state once the job is done. */
  async ended(): Promise<FloorState> {
    await this.#working;
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
    const woken = this.#woken;
    this.#woken = undefined;
    if (woken !== undefined) this.#working = this.#run(woken);
    await this.#working; // or it only covers what was begun before it
  }

  /** The alarm covers the work. Of one that is struck off in the same commit nothing is written. */
  #begin(work: () => Promise<void>): void {
    void this.ctx.storage.setAlarm(Date.now());
    this.#working = work();
  }

  async #run(job: FloorJob): Promise<void> {
    this.#job = job;
    const { steps, commits } = job;
    if (commits !== "never") this.#write(TABLE);
    for (let step = 0; step < steps; step++) {
      const result = await work(job, step);
      if (commits !== "never") this.#write(INSERT, result);
      if (commits === "each step") await this.ctx.storage.sync();
    }
    void this.ctx.storage.deleteAlarm();
    if (commits === "at the end") await this.ctx.storage.sync();
  }

  async #fallAsleep({ url, millis }: NapJob): Promise<void> {
    this.#write(TABLE);
    this.#write(INSERT, await work({ steps: 1, url }, 0));
    this.#woken = { steps: 1, url: wokenUrl(url), commits: "each step" };
    void this.ctx.storage.setAlarm(Date.now() + millis);
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
