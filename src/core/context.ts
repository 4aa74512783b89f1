/** The workflow's context: everything its code may do that a replay can repeat. */

import { type Activity, type ActivityContext, type AnyActivity, activity } from "./activity.ts";
import { decideStage } from "./activity-status.ts";
import type { Driver } from "./driver.ts";
import { type Duration, durationMillis } from "./duration.ts";
import { WaymarkError } from "./errors.ts";
import { CancelledError } from "./failure.ts";
import { LIMITS } from "./limits.ts";
import type { LogFields } from "./log.ts";
import { type CallItem, type MapMethod, mapMethod } from "./map.ts";
import { checkName } from "./names.ts";
import { decode, type Encoded, encode } from "./payload.ts";
import { type Branches, type RaceOptions, type RaceResult, race } from "./race.ts";
import { checkRetryPolicy, mergeRetryPolicies, type RetryPolicy } from "./retry.ts";

export interface StepOptions {
  /** Identifies the step beside its name; give one in loops over data. Unique per name. */
  readonly key?: string;
  /**
   * Cancels the step when it aborts: its promise rejects with {@link CancelledError}, what runs for it is
   * told by its own signal, and it keeps nothing due. Abort it from the workflow's own code, because of a
   * step's result; one that a clock aborts, such as `AbortSignal.timeout`, would not do so on a replay.
   */
  readonly signal?: AbortSignal | undefined;
}

export interface CallOptions extends StepOptions {
  /** Overrides the activity's own policy, field by field. */
  readonly retry?: RetryPolicy;
  /** Overrides the activity's own timeout per attempt. */
  readonly timeout?: Duration;
}

export interface WaitOptions extends StepOptions {
  /** How long to wait; without it, for ever. */
  readonly timeout?: Duration;
}

/** The arguments of a call: the input may be left out where the activity takes none. */
export type CallArguments<Input> = undefined extends Input
  ? [input?: Input, options?: CallOptions]
  : [input: Input, options?: CallOptions];

export interface ContinueOptions {
  /** `latest` moves on to the newest registered version; without it the version stays. */
  readonly version?: "latest";
}

/** The arguments of `continueAsNew`; what another version takes is not known here. */
export type ContinueArguments<Input> =
  | (undefined extends Input ? [input?: Input] : [input: Input])
  | [input: unknown, options: { readonly version: "latest" }];

/** What a workflow gets beside its input. */
export interface WorkflowContext<Input = unknown> {
  readonly instanceId: string;
  readonly executionId: string;
  /** The version of the workflow this instance started with. */
  readonly version: string;
  /** The time, as recorded: the same on replay. */
  readonly now: Date;
  /** Whether the code runs again over what is already recorded. */
  readonly replaying: boolean;
  /**
   * Runs an activity and returns its result. A declared stage follows the stage rule.
   *
   * @throws ActivityFailedError when it failed for good
   * @throws WaymarkError `PAYLOAD_UNSUPPORTED`, `PAYLOAD_TOO_LARGE`, `STEP_KEY_REUSED`, `STAGE_ORDER`
   * @example const receipt = await ctx.call(charge, order, { key: order.id });
   */
  call<Input, Output>(
    activity: Activity<Input, Output>,
    ...args: CallArguments<Input>
  ): Promise<Output>;
  /**
   * Runs a function as a step of its own, with the retries of an activity.
   *
   * @throws ActivityFailedError when it failed for good
   * @example const rate = await ctx.run("exchange rate", () => fetchRate("EUR"));
   */
  run<Output>(
    name: string,
    fn: (ctx: ActivityContext) => Output | Promise<Output>,
    options?: CallOptions,
  ): Promise<Output>;
  /** Waits. The instance costs nothing meanwhile. */
  sleep(duration: Duration, options?: StepOptions): Promise<void>;
  /** Waits until a moment; one in the past is over at once. */
  sleepUntil(moment: Date, options?: StepOptions): Promise<void>;
  /**
   * Waits for an event sent to this instance by name. Events that came earlier are kept in order,
   * and each is delivered once.
   *
   * @throws WaymarkError `EVENT_TIMEOUT`
   * @example const answer = await ctx.waitForEvent<Answer>("approval", { timeout: "2 days" });
   */
  waitForEvent<Payload = unknown>(name: string, options?: WaitOptions): Promise<Payload>;
  /**
   * Resolves with the branch that settles first, by its name, and rejects where that one rejects. The
   * others are cancelled: hand the signal each branch gets on to its steps.
   *
   * @throws WaymarkError `DEFINITION_INVALID` where there is no branch
   * @example
   * const first = await ctx.race({
   *   answer: (signal) => ctx.waitForEvent<Answer>("approval", { signal }),
   *   late: (signal) => ctx.sleep("2 days", { signal }),
   * });
   * if (first.winner === "answer") await ctx.call(publish, first.value);
   */
  race<Raced extends Branches>(branches: Raced, options?: RaceOptions): Promise<RaceResult<Raced>>;
  /**
   * Calls an activity for each item, so many at a time, and returns the results in the order of the
   * items. At the first failure it cancels the other calls and rejects with it; with `tolerate` so many
   * failures are allowed, and each item comes to an entry as in `Promise.allSettled`.
   *
   * In place of the activity a function may make the call; it hands on the step's key and signal.
   *
   * @throws WaymarkError `DEFINITION_INVALID`, `STEP_KEY_REUSED`
   * @example
   * const receipts = await ctx.map(orders, charge, { concurrency: 10, key: (order) => order.id });
   * @example
   * const entries = await ctx.map(ids, (id, step) => ctx.call(load, { id }, step), { tolerate: 5 });
   */
  readonly map: MapMethod;
  /**
   * Ends this execution and begins the next one of the same instance with a new input: for lives
   * without an end, whose history would grow for ever. Events that the code has not got are kept for
   * the next execution, in their order; steps that have ended are removed, and those still open are
   * cancelled. It takes effect at the call, and its promise never settles: nothing after it runs, no
   * `catch` and no `finally`. An input that cannot be stored fails the instance.
   *
   * @example
   * const monitor = workflow("Monitor", async (ctx, rounds: number) => {
   *   await ctx.call(check);
   *   await ctx.sleep("1 hour");
   *   return ctx.continueAsNew(rounds + 1);
   * });
   */
  continueAsNew(...args: ContinueArguments<Input>): Promise<never>;
  /** A number from 0 up to 1: the same on replay. Not for secrets. */
  random(): number;
  /** A version 4 UUID: the same on replay. Not for secrets. */
  uuid(): string;
  /**
   * Shows a value as the instance's `customStatus`, from the next commit on. The one set last stays, also
   * after the end. Set it when something changes: each change costs a row.
   *
   * @throws WaymarkError `PAYLOAD_TOO_LARGE` above 16 KB, `PAYLOAD_UNSUPPORTED`
   * @example ctx.setStatus({ waitingFor: "the manager", since: ctx.now });
   */
  setStatus(value: unknown): void;
  /** Logs one flat JSON object; silent on replay. */
  log(message: string, fields?: LogFields): void;
}

/** Who the workflow is; fixed for an execution. */
export interface ContextIdentity {
  readonly instanceId: string;
  readonly executionId: string;
  readonly version: string;
  readonly stages: readonly string[];
}

/** The context of one execution, on its driver. */
export function createContext(driver: Driver, identity: ContextIdentity): WorkflowContext {
  const { instanceId, executionId, version, stages } = identity;
  const callItem: CallItem = (definition, item, options) =>
    step(() => callActivity(driver, stages, definition, item, options));
  return {
    instanceId,
    executionId,
    version,
    get now() {
      return new Date(driver.now);
    },
    get replaying() {
      return driver.replaying;
    },
    call: <Input, Output>(definition: Activity<Input, Output>, ...args: CallArguments<Input>) =>
      step<Output>(() => callActivity(driver, stages, definition, args[0], args[1] ?? {})),
    run: (name, fn, options = {}) => step(() => runInline(driver, name, fn, options)),
    sleep: (duration, options = {}) =>
      step(() => {
        const millis = durationMillis(duration);
        const input = encode(millis, "a duration");
        return askTimer(driver, "sleep", driver.now + millis, input, options);
      }),
    sleepUntil: (moment, options = {}) =>
      step(() => {
        const due = checkMoment(moment, driver.now);
        return askTimer(driver, "sleepUntil", due, encode(moment, "a moment"), options);
      }),
    waitForEvent: (name, options = {}) => step(() => askEvent(driver, name, options)),
    race: (branches, options) => step(() => unheard(race(branches, options))),
    map: mapMethod(callItem),
    continueAsNew: (input?: unknown, options?: ContinueOptions) =>
      continueAsNew(driver, input, options),
    random: () => driver.random(),
    uuid: () => driver.uuid(),
    setStatus: (value) => driver.setCustomStatus(encodeStatus(value)),
    log: (message, fields = {}) => driver.log(message, fields),
  };
}

/**
 * A step's promise as its caller sees it. What is wrong with the call itself becomes a rejection,
 * which, like a step's own, may go unheard. The result is what the driver decoded: its type is the
 * definition's promise, which the codec keeps.
 */
function step<Output>(ask: () => Promise<unknown>): Promise<Output> {
  try {
    return ask() as Promise<Output>;
  } catch (error) {
    return unheard(Promise.reject(error));
  }
}

/** A promise whose rejection may go unheard, as that of a race's loser does. */
function unheard<Output>(promise: Promise<Output>): Promise<Output> {
  promise.catch(() => {});
  return promise;
}

function callActivity(
  driver: Driver,
  stages: readonly string[],
  definition: AnyActivity,
  value: unknown,
  options: CallOptions,
): Promise<unknown> {
  const { name } = definition;
  const input = encode(value, `the input of "${name}"`);
  const staged = stages.includes(name) ? decideStage(stages, name, value, driver.now) : null;
  if (staged?.kind === "pass") {
    if (options.signal?.aborted) throw new CancelledError(name);
    const { processingStage, processingStatus } = staged.status;
    driver.log("stage passed through", { step: name, processingStage, processingStatus });
    return Promise.resolve(decode(input));
  }
  const retry = mergeRetryPolicies(definition.options.retry, options.retry);
  checkRetryPolicy(retry, `the call of "${name}"`);
  const timeout = options.timeout ?? definition.options.timeout;
  if (timeout !== undefined) durationMillis(timeout);
  const stageStatus = staged?.status ?? null;
  const request = { kind: "activity", activity: definition, retry, timeout, stageStatus } as const;
  return driver.ask({ name, key: options.key, input, request, signal: options.signal });
}

function runInline(
  driver: Driver,
  name: string,
  fn: (ctx: ActivityContext) => unknown,
  options: CallOptions,
): Promise<unknown> {
  const inline = activity<undefined, unknown>(name, options, (_input, ctx) => fn(ctx));
  const { retry = {}, timeout, key, signal } = options;
  const request = { kind: "run", activity: inline, retry, timeout, stageStatus: null } as const;
  return driver.ask({ name, key, input: null, request, signal });
}

function askTimer(
  driver: Driver,
  name: string,
  due: number,
  input: string,
  options: StepOptions,
): Promise<unknown> {
  const { key, signal } = options;
  return driver.ask({ name, key, input, signal, request: { kind: "timer", due } });
}

function checkMoment(moment: Date, now: number): number {
  const at = moment instanceof Date ? moment.getTime() : Number.NaN;
  if (Number.isFinite(at) && at <= now + LIMITS.timerMillis) return at;
  throw new WaymarkError("DURATION_INVALID", "sleepUntil takes a Date at most 100 years ahead");
}

function encodeStatus(value: unknown): Encoded {
  const text = encode(value, "the custom status");
  const bytes = new TextEncoder().encode(text).length;
  if (bytes <= LIMITS.customStatusBytes) return text;
  throw new WaymarkError(
    "PAYLOAD_TOO_LARGE",
    `the custom status is ${bytes} bytes when stored; the limit is ${LIMITS.customStatusBytes}`,
  );
}

function askEvent(driver: Driver, name: string, options: WaitOptions): Promise<unknown> {
  checkName(name, "an event");
  const { timeout, key, signal } = options;
  const millis = timeout === undefined ? null : durationMillis(timeout);
  const due = millis === null ? null : driver.now + millis;
  const input = encode(millis, "a timeout");
  return driver.ask({ name, key, input, signal, request: { kind: "event", event: name, due } });
}

/** What is wrong with the call fails the instance, and nothing of this execution is lost. */
function continueAsNew(
  driver: Driver,
  input: unknown,
  { version }: ContinueOptions = {},
): Promise<never> {
  try {
    if (version !== undefined && version !== "latest") throw noSuchVersion(version);
    const encoded = encode(input, "the input of continueAsNew");
    return driver.finish({ ok: true, next: { input: encoded, version: version ?? null } });
  } catch (error) {
    return driver.finish({ ok: false, error });
  }
}

const noSuchVersion = (version: unknown): WaymarkError =>
  new WaymarkError(
    "DEFINITION_INVALID",
    `continueAsNew takes the version "latest", or none to stay, and not ${JSON.stringify(version)}`,
  );
