/** Runs one stage outside an engine: a context that keeps its checkpoints and can die at one. */
import type { ActivityContext } from "../../src/core/activity.ts";
import { type ActivityStatus, initialStatus } from "../../src/core/activity-status.ts";
import type { LogFields } from "../../src/core/log.ts";
import type { StageActivity } from "../../src/core/workflow.ts";

/** What a stage's attempt is told, and where it dies. */
export interface AttemptOptions {
  readonly db: D1Database;
  /** `"initialId"` if left out. */
  readonly after?: string;
  /** The checkpoint, counted from 1, at which the attempt dies. */
  readonly dieAt?: number;
  /** Whether that checkpoint is durable before it dies. */
  readonly durable?: boolean;
  readonly runKey?: string;
}

export interface Attempt {
  readonly status: ActivityStatus;
  readonly checkpoints: readonly { readonly id: string; readonly progress: unknown }[];
  readonly logs: readonly ({ readonly message: string } & LogFields)[];
  /** What it threw; a death at a checkpoint is a {@link Died}. */
  readonly error: unknown;
}

export class Died extends Error {}

/** One attempt at a stage. */
export async function attempt(stage: StageActivity, options: AttemptOptions): Promise<Attempt> {
  const checkpoints: { id: string; progress: unknown }[] = [];
  const logs: ({ message: string } & LogFields)[] = [];
  let calls = 0;
  const initial = initialStatus(stage.name, 0);
  let status: ActivityStatus = { ...initial, lastProcessedId: options.after ?? "initialId" };
  const ctx: ActivityContext = {
    env: { DB: options.db },
    get status() {
      return status;
    },
    async checkpoint(id, progress) {
      calls += 1;
      const dies = calls === options.dieAt;
      if (!dies || options.durable === true) {
        status = { ...status, lastProcessedId: String(id), processingStatus: "InProgress" };
        checkpoints.push({ id: String(id), progress });
      }
      if (dies) throw new Died();
    },
    attempt: 1,
    idempotencyKey: options.runKey ?? "run",
    signal: new AbortController().signal,
    log: (message, fields = {}) => void logs.push({ message, ...fields }),
    instanceId: "instance",
    executionId: "execution",
    step: stage.name,
  };
  let error: unknown = null;
  try {
    await stage.run(status, ctx);
  } catch (thrown) {
    error = thrown;
  }
  return { status, checkpoints, logs, error };
}

/** Attempts at a stage, each after the last one's status, until it ends; each dies at `dieAt`. */
export async function attemptUntilDone(
  stage: StageActivity,
  options: AttemptOptions,
): Promise<readonly Attempt[]> {
  const attempts: Attempt[] = [];
  let after = options.after ?? "initialId";
  for (;;) {
    const one = await attempt(stage, { ...options, after });
    attempts.push(one);
    if (!(one.error instanceof Died)) return attempts;
    after = one.status.lastProcessedId;
  }
}
