/** Activities: registered functions that do I/O, run at least once, and are retried. */
import type { ActivityStatus } from "./activity-status.ts";
import { type Duration, durationMillis } from "./duration.ts";
import { WaymarkError } from "./errors.ts";
import type { LogFields } from "./log.ts";
import { checkName } from "./names.ts";
import { checkRetry, type Retry } from "./retry.ts";
import type { SensitiveOption } from "./sensitive.ts";

declare global {
  /** The Worker's bindings. `wrangler types` writes them; here they are only named. */
  namespace Cloudflare {
    interface Env {}
  }
}

/** What an activity gets beside its input. */
export interface ActivityContext {
  /** The Worker's bindings: D1, R2, secrets. */
  readonly env: Cloudflare.Env;
  /** How far this activity came, over all attempts: the last checkpoint's `lastProcessedId`. */
  readonly status: ActivityStatus;
  /**
   * Notes how far the activity came. It is durable when it returns. It is also where a long activity
   * may be stopped when the turn has used its budget: then it never returns, and the activity runs
   * again from this checkpoint, which is not counted as a failure.
   *
   * @param lastProcessedId the last record that is done
   * @param progress anything small for people to watch, such as `{ done, total }`
   * @throws WaymarkError `PAYLOAD_UNSUPPORTED`, `PAYLOAD_TOO_LARGE`
   */
  checkpoint(lastProcessedId: string | number, progress?: unknown): Promise<void>;
  /** Which attempt this is, from 1. */
  readonly attempt: number;
  /**
   * The same text over all attempts and replays of this step, another in the next execution. Hand it
   * to services that know idempotency keys, so that a repeated attempt has its effect once.
   */
  readonly idempotencyKey: string;
  /** Aborts when the attempt is over before it ends: timeout, pre-emption, terminate. */
  readonly signal: AbortSignal;
  /** Logs one flat JSON object with the step's names in it. */
  log(message: string, fields?: LogFields): void;
  readonly instanceId: string;
  readonly executionId: string;
  /** The identity of the step in its execution. */
  readonly step: string;
}

export interface ActivityOptions extends SensitiveOption {
  /**
   * How a failed attempt is repeated: a policy, see `RetryPolicy` for the defaults, or a function that
   * decides, see `RetryHandler`.
   */
  readonly retry?: Retry;
  /** How long one attempt may take; a later outcome is ignored. None if left out. */
  readonly timeout?: Duration;
  /**
   * Where it runs: `"object"`, beside its workflow, if left out; `"worker"` in the stateless entrypoint,
   * with an isolate, CPU and memory of its own, for what is heavy. Checkpoints, retries and `signal`
   * are the same there. List it in `createWaymark({ activities })` as well.
   */
  readonly where?: "object" | "worker";
}

/** What an activity's function looks like. */
export type ActivityFunction<Input, Output> = (
  input: Input,
  ctx: ActivityContext,
) => Output | Promise<Output>;

/** A defined activity. Make one with {@link activity}. */
export interface Activity<Input = unknown, Output = unknown> {
  readonly kind: "activity";
  readonly name: string;
  readonly options: ActivityOptions;
  readonly run: ActivityFunction<Input, Output>;
}

/** An activity of any types, as registries hold it. */
// biome-ignore lint/suspicious/noExplicitAny: a function's input is contravariant; only `any` takes all
export type AnyActivity = Activity<any, any>;

/**
 * Defines an activity.
 *
 * @param name unique in the Worker; it identifies the step in stored histories, so keep it
 * @param options retries and timeout
 * @param run does the work; it may run more than once, so make it idempotent
 * @throws WaymarkError `NAME_INVALID`, `DEFINITION_INVALID`, `DURATION_INVALID`
 * @example
 * const charge = activity("Charge", { retry: { maxAttempts: 3 } }, async (order: Order, ctx) =>
 *   pay(order, { idempotencyKey: ctx.idempotencyKey }));
 */
export function activity<Input = undefined, Output = unknown>(
  name: string,
  options: ActivityOptions,
  run: ActivityFunction<Input, Output>,
): Activity<Input, Output>;
export function activity<Input = undefined, Output = unknown>(
  name: string,
  run: ActivityFunction<Input, Output>,
): Activity<Input, Output>;
export function activity<Input, Output>(
  name: string,
  second: ActivityOptions | ActivityFunction<Input, Output>,
  third?: ActivityFunction<Input, Output>,
): Activity<Input, Output> {
  const [options, run] =
    typeof second === "function"
      ? [{}, second]
      : [second, third as ActivityFunction<Input, Output>];
  checkName(name, "an activity");
  checkRetry(options.retry ?? {}, `activity "${name}"`);
  if (options.timeout !== undefined) durationMillis(options.timeout);
  const { where = "object" } = options;
  if (where !== "object" && where !== "worker") {
    throw new WaymarkError(
      "DEFINITION_INVALID",
      `activity "${name}": where must be "object" or "worker"`,
    );
  }
  return { kind: "activity", name, options, run };
}
