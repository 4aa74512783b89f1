/** The workflow's context: everything its code may do that a replay can repeat. */

import type { Activity, ActivityContext, AnyActivity } from "./activity.ts";
import {
  askChild,
  askEvent,
  askMoment,
  askSend,
  askSleep,
  callActivity,
  continueAsNew,
  encodeStatus,
  onCompensate,
  runInline,
} from "./asks.ts";
import type { ChildOptions, Parent, ParentReference, StartedChild, StartOptions } from "./child.ts";
import type { Compensation, Undoable } from "./compensation.ts";
import type { Driver } from "./driver.ts";
import { fetchMethod } from "./durable-fetch.ts";
import type { Duration } from "./duration.ts";
import { type EntityMethod, entityMethod } from "./entity-asks.ts";
import type { FetchMethod } from "./fetch-options.ts";
import type { HandleMethod } from "./handlers.ts";
import type { PerformRequest } from "./http-request.ts";
import { askLock, type Lock, type LockMethod } from "./lock-asks.ts";
import type { LogFields } from "./log.ts";
import { type CallItem, type MapMethod, mapMethod } from "./map.ts";
import { type Branches, type RaceOptions, type RaceResult, race } from "./race.ts";
import type { Retry } from "./retry.ts";
import type { Schema } from "./schema.ts";
import type { SensitiveOption } from "./sensitive.ts";
import type { AnyWorkflow, Workflow } from "./workflow.ts";

export interface StepOptions extends SensitiveOption {
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
  /** Overrides the activity's own policy, field by field; a `RetryHandler` takes its place. */
  readonly retry?: Retry;
  /** Overrides the activity's own timeout per attempt. */
  readonly timeout?: Duration;
}

export interface WaitOptions<Payload = unknown> extends StepOptions {
  /** How long to wait; without it, for ever. */
  readonly timeout?: Duration;
  /** What an event must fit to end the wait, which then gets what the schema makes of it. */
  readonly schema?: Schema<Payload>;
}

/** The arguments of a call: the input may be left out where the activity takes none. */
export type CallArguments<Input, Output = unknown> = undefined extends Input
  ? [input?: Input, options?: CallOptions & Undoable<Input, Output>]
  : [input: Input, options?: CallOptions & Undoable<Input, Output>];

export interface ContinueOptions {
  /** `latest` moves on to the newest registered version; without it the version stays. */
  readonly version?: "latest";
}

/** The arguments of `continueAsNew`; what another version takes is not known here. */
export type ContinueArguments<Input> =
  | (undefined extends Input ? [input?: Input] : [input: Input])
  | [input: unknown, options: { readonly version: "latest" }];

/** The arguments of a child: the input may be left out where the workflow takes none. */
export type ChildArguments<Input, Options> = undefined extends Input
  ? [input?: Input, options?: Options]
  : [input: Input, options?: Options];

/** What a workflow gets beside its input. */
export interface WorkflowContext<Input = unknown> {
  readonly instanceId: string;
  readonly executionId: string;
  /** The version of the workflow this instance started with. */
  readonly version: string;
  /** The instance that started this one, and the step that did; null where a request did. */
  readonly parent: Parent | null;
  /** The time, as recorded: the same on replay. */
  readonly now: Date;
  /** Whether the code runs again over what is already recorded. */
  readonly replaying: boolean;
  /**
   * Runs an activity and returns its result. A declared stage follows the stage rule. With `undo`, it is
   * undone where the execution fails later; see {@link Undoable}.
   *
   * @throws ActivityFailedError when it failed for good
   * @throws WaymarkError `PAYLOAD_UNSUPPORTED`, `PAYLOAD_TOO_LARGE`, `STEP_KEY_REUSED`, `STAGE_ORDER`
   * @example const receipt = await ctx.call(charge, order, { key: order.id });
   */
  call<Input, Output>(
    activity: Activity<Input, Output>,
    ...args: CallArguments<Input, NoInfer<Output>>
  ): Promise<Output>;
  /**
   * Runs a workflow as a child, an instance of its own, and returns what it returned. It outlives a crash of
   * this instance, as this one outlives its. What happens to it when this execution ends first is
   * `parentClose`: it goes on, if left out.
   *
   * @throws ChildFailedError when it failed, was terminated, or its id is taken
   * @throws WaymarkError `PAYLOAD_UNSUPPORTED`, `PAYLOAD_TOO_LARGE`, `STEP_KEY_REUSED`, `INSTANCE_ID_INVALID`
   * @example const parcel = await ctx.call(shipOrder, order, { id: `ship-${order.id}` });
   */
  call<Input, Output>(
    workflow: Workflow<Input, Output>,
    ...args: ChildArguments<Input, ChildOptions & Undoable<Input, NoInfer<Output>>>
  ): Promise<Output>;
  /**
   * Starts a workflow as a child and does not wait for its end: the promise resolves once it is started.
   * It is started even where nobody awaits the promise and this workflow returns.
   *
   * @throws WaymarkError `INSTANCE_EXISTS` where the id is taken
   * @example const { id } = await ctx.start(sendReminder, order, { startAt: tomorrow });
   */
  start<Input, Output>(
    workflow: Workflow<Input, Output>,
    ...args: ChildArguments<Input, StartOptions>
  ): Promise<StartedChild>;
  /**
   * Sends an event to another instance, in order and once, however often either of them crashes. The promise
   * resolves when it is stored there; it is sent even where nobody awaits it and this workflow returns.
   *
   * @throws WaymarkError `INSTANCE_NOT_FOUND`, `INSTANCE_TERMINAL` where it has ended
   * @example await ctx.sendEvent(`order-${id}`, "paid", { amount });
   */
  sendEvent(id: string, name: string, payload?: unknown, options?: StepOptions): Promise<void>;
  /**
   * One entity: its operations, each of which is a step and runs exactly once. `signal` has them one way. What one
   * execution sends to an entity arrives in order.
   *
   * @throws EntityFailedError (of a call) when the operation failed: the entity's state is as it was before
   * @throws WaymarkError `NAME_INVALID` for a key that no entity can have, `PAYLOAD_UNSUPPORTED`,
   *   `PAYLOAD_TOO_LARGE`, `STEP_KEY_REUSED`
   * @example
   * const total = await ctx.entity(counter, "user-1").add(5);
   * await ctx.entity(counter, "user-1").signal.add(5, { at: tomorrow });
   */
  readonly entity: EntityMethod;
  /**
   * Locks entities: until the lock is released, or this execution ends in whatever way, their operations run for it
   * alone, and those of all others wait. They are asked for one after the other in one order for all, so that
   * nobody waits for each other, and each in the order of those who ask. A crash loses no lock, and a suspended
   * instance keeps it.
   *
   * While the code holds a lock it may call only what it has locked, each once at a time; send signals to any;
   * start no child, and lock nothing else. The rules are those of Azure's critical sections.
   *
   * @throws WaymarkError `LOCK_TIMEOUT` where not all are granted within `timeout`; `LOCK_NESTED` within another;
   *   `LOCK_ENTITY_OPEN` where a call of one of them is open; `LOCK_TOO_LARGE`, `DEFINITION_INVALID`
   * @example
   * await using lock = await ctx.lock(ctx.entity(account, from), ctx.entity(account, to));
   * @example
   * const lock = await ctx.lock([ctx.entity(seat, "12A")], { timeout: "10 seconds" });
   * try { await ctx.entity(seat, "12A").take(name); }
   * finally { await lock.release(); }
   */
  readonly lock: LockMethod;
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
  /**
   * Makes an HTTP request as a step of its own, and returns what it was answered: plain data, stored as any
   * result. A 4xx is an answer and no error; see `retryOn` for the statuses that are tried again, after the
   * answer's `Retry-After` where it has one. A 202 with a `Location` is asked there, with a GET after each
   * `Retry-After`, until the answer is another, and costs nothing in between.
   *
   * A POST, PUT, PATCH or DELETE is sent at least once, with one `Idempotency-Key` over all its attempts,
   * unless the headers have one. Headers are never stored; method, URL and body are. Redirects are followed,
   * and beyond the first origin only headers that are no credentials are sent.
   *
   * @param url http or https
   * @throws ActivityFailedError when it failed for good; the failure's `properties` have the last `status`
   * @throws WaymarkError `FETCH_REFUSED` for what cannot be asked, `FETCH_TIMEOUT` after `poll.timeout`,
   *   `PAYLOAD_TOO_LARGE`, `STEP_KEY_REUSED`
   * @example
   * const { ok, status, body } = await ctx.fetch("https://api.example.com/orders", {
   *   method: "POST",
   *   headers: { authorization: `Bearer ${token}` },
   *   json: order,
   * });
   * const created = ok ? JSON.parse(body) : null;
   */
  readonly fetch: FetchMethod;
  /** Waits. The instance costs nothing meanwhile. */
  sleep(duration: Duration, options?: StepOptions): Promise<void>;
  /** Waits until a moment; one in the past is over at once. */
  sleepUntil(moment: Date, options?: StepOptions): Promise<void>;
  /**
   * Waits for an event sent to this instance by name. Events that came earlier are kept in order,
   * and each is delivered once. Of several waits for a name the newest is served first.
   *
   * With a `schema`, an event that does not fit is refused: it is kept in the history as failed, with the
   * code `EVENT_INVALID`, and the wait goes on. What the schema makes of the one that fits is stored, so
   * that a replay does not ask it again. It may be asynchronous, and has five seconds for each event.
   *
   * @throws WaymarkError `EVENT_TIMEOUT`, `DEFINITION_INVALID` for what is no Standard Schema
   * @example
   * const schema = z.object({ approved: z.boolean(), by: z.string() });
   * const answer = await ctx.waitForEvent("approval", { schema, timeout: "2 days" });
   */
  waitForEvent<Payload = unknown>(name: string, options?: WaitOptions<Payload>): Promise<Payload>;
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
   * Answers to calls from outside (`POST /v1/instances/{id}/calls/{name}`), from here on, for good.
   *
   * With `readOnly` it is a query: it returns at once what it reads of the code's variables, in every status of the
   * instance, after its end too. It is recorded nowhere, and may be called at any moment and any number of
   * times; so it changes nothing. Asking for a step in it, or setting the status, fails the call.
   *
   * Otherwise it is an update: recorded, delivered to the code as an event is, applied once, and again at
   * the same point on each replay. Its function may be async and use `ctx`; what it returns is the caller's
   * reply, what it throws the caller's failure, and the workflow goes on either way. `input` and `validate`
   * refuse one before anything is recorded. One that is not done when the execution ends fails with
   * `UPDATE_UNFINISHED`.
   *
   * Register handlers before the first `await`: then no call comes too early.
   *
   * @throws WaymarkError `NAME_INVALID`; `DEFINITION_INVALID` for a name that has a handler, for an async query
   * @example
   * const items: Item[] = [];
   * ctx.handle("total", { readOnly: true }, () => items.reduce((sum, { price }) => sum + price, 0));
   * ctx.handle("add", { input: itemSchema, validate: () => checkOpen(status) }, async (item) => {
   *   await ctx.call(reserve, item);
   *   return items.push(item);
   * });
   */
  readonly handle: HandleMethod;
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
  /**
   * Aborts when somebody asks to cancel the instance (`POST /v1/instances/{id}/cancel`). All steps that are
   * open then fail with {@link CancelledError}, once; steps that are asked for later run, so that the code
   * can clean up. An instance whose code lets that error through ends as `Terminated`.
   *
   * @example
   * try { await ctx.call(ship, order); }
   * finally { if (ctx.signal.aborted) await ctx.call(refund, order); }
   */
  readonly signal: AbortSignal;
  /**
   * Has a function called where the execution fails or is cancelled later, in its turn among the `undo`s of
   * steps: the last registered first. It may ask for steps through `ctx`, and is replayed as all code is.
   * It gets what the workflow has thrown. What it throws does not keep the others from being made.
   *
   * Register it before the step that it is for: after the call, a crash in between would lose nothing,
   * but a step that failed might have had its effect all the same.
   *
   * @example
   * ctx.onCompensate(() => ctx.call(releaseSeats, { order: order.id }));
   * await ctx.run("hold seats", () => seats.hold(order));
   */
  onCompensate(compensate: Compensation): void;
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
  readonly parent: ParentReference | null;
  readonly executionId: string;
  readonly version: string;
  readonly stages: readonly string[];
}

/**
 * The context of one execution, on its driver.
 *
 * @param perform how attempts at requests reach the network; never called where nothing runs
 */
export function createContext(
  driver: Driver,
  identity: ContextIdentity,
  perform: PerformRequest,
): WorkflowContext {
  const { instanceId, executionId, version, stages } = identity;
  const { parent } = identity;
  const callItem: CallItem = (definition, item, options) =>
    step(() => callActivity(driver, stages, definition, item, options));
  const fetch = fetchMethod(driver, perform);
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
    parent: parent && { instanceId: parent.id, executionId: parent.executionId, step: parent.step },
    call: <Output>(definition: AnyActivity | AnyWorkflow, input?: unknown, options = {}) =>
      step<Output>(() =>
        definition.kind === "workflow"
          ? askChild(driver, "child", definition, input, options)
          : callActivity(driver, stages, definition, input, options),
      ),
    start: (definition: AnyWorkflow, input?: unknown, options = {}) =>
      step<StartedChild>(() => askChild(driver, "start", definition, input, options)),
    sendEvent: (id, name, payload, options = {}) =>
      step<void>(() => askSend(driver, id, name, payload, options)),
    entity: entityMethod(driver),
    lock: (...given: readonly unknown[]) => step<Lock>(() => askLock(driver, given)),
    run: (name, fn, options = {}) => step(() => runInline(driver, name, fn, options)),
    fetch: ((url, options) => unheard(fetch(url, options))) as FetchMethod,
    sleep: (duration, options = {}) => step(() => askSleep(driver, duration, options)),
    sleepUntil: (moment, options = {}) => step(() => askMoment(driver, moment, options)),
    waitForEvent: (name, options = {}) => step(() => askEvent(driver, name, options)),
    race: (branches, options) => step(() => unheard(race(branches, options))),
    map: mapMethod(callItem, driver.signal),
    signal: driver.signal,
    handle: (name: string, options: object, fn: (input: never) => unknown) =>
      driver.handle(name, options, fn),
    continueAsNew: (input?: unknown, options?: ContinueOptions) =>
      continueAsNew(driver, input, options),
    onCompensate: (compensate) => onCompensate(driver, compensate),
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
