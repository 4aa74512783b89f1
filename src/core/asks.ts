/** What the context's methods ask of the driver: each turns a call of the code into a step, without a wait. */
import { type ActivityContext, type AnyActivity, activity } from "./activity.ts";
import { decideStage } from "./activity-status.ts";
import type { ChildOptions, ParentClose, StartOptions } from "./child.ts";
import { type Compensation, checkUndo, type Undoable } from "./compensation.ts";
import type { CallOptions, ContinueOptions, StepOptions, WaitOptions } from "./context.ts";
import type { Driver } from "./driver.ts";
import { type Duration, durationMillis } from "./duration.ts";
import { WaymarkError } from "./errors.ts";
import { CancelledError } from "./failure.ts";
import { LIMITS } from "./limits.ts";
import { checkInstanceId, checkName, checkTags } from "./names.ts";
import { decode, type Encoded, encode } from "./payload.ts";
import { checkRetry, mergeRetries } from "./retry.ts";
import { checkSchema } from "./schema.ts";
import { isSensitive } from "./sensitive.ts";
import type { ChildRequest } from "./step.ts";
import type { AnyWorkflow } from "./workflow.ts";

export function callActivity(
  driver: Driver,
  stages: readonly string[],
  definition: AnyActivity,
  value: unknown,
  options: CallOptions & Undoable<never, never>,
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
  const retry = mergeRetries(definition.options.retry, options.retry);
  checkRetry(retry, `the call of "${name}"`);
  const timeout = options.timeout ?? definition.options.timeout;
  if (timeout !== undefined) durationMillis(timeout);
  const stageStatus = staged?.status ?? null;
  const request = { kind: "activity", activity: definition, retry, timeout, stageStatus } as const;
  const { key, signal, undo } = options;
  checkUndo(undo, name);
  const sensitive = isSensitive(options, definition.options);
  return driver.ask({ name, key, input, request, signal, undo, sensitive });
}

/** A workflow and its input, as a child that is waited for, or only started. */
export function askChild(
  driver: Driver,
  kind: "child" | "start",
  { name, version, options: own }: AnyWorkflow,
  value: unknown,
  options: ChildOptions & StartOptions & Undoable<never, never>,
): Promise<unknown> {
  const { key, id, tags = {}, startAt, parentClose = "abandon", timeout, signal, undo } = options;
  checkUndo(undo, name);
  const retry = mergeRetries({ maxAttempts: 1 }, options.retry);
  checkRetry(retry, `the call of "${name}"`);
  if (timeout !== undefined) durationMillis(timeout);
  if (id !== undefined) checkInstanceId(id);
  checkTags(tags);
  if (!PARENT_CLOSES.includes(parentClose)) throw noSuchClose(parentClose);
  const at = startAt === undefined ? undefined : checkMoment(startAt, driver.now);
  const child = { kind, workflow: name, version, id, tags, startAt: at, parentClose } as const;
  const request: ChildRequest = { ...child, retry, timeout };
  const input = encode(value, `the input of "${name}"`);
  const sensitive = isSensitive(options, own);
  return driver.ask({ name, key, input, request, signal, undo, sensitive });
}

const PARENT_CLOSES: readonly ParentClose[] = ["abandon", "cancel", "terminate"];

const noSuchClose = (parentClose: unknown): WaymarkError =>
  new WaymarkError(
    "DEFINITION_INVALID",
    `parentClose is "abandon", "cancel" or "terminate", and not ${JSON.stringify(parentClose)}`,
  );

export function askSend(
  driver: Driver,
  to: string,
  event: string,
  payload: unknown,
  { key, signal, sensitive }: StepOptions,
): Promise<unknown> {
  checkInstanceId(to);
  checkName(event, "an event");
  const input = encode(payload, `the event "${event}"`);
  const request = { kind: "send", to, event } as const;
  return driver.ask({ name: `send ${event}`, key, input, request, signal, sensitive });
}

export function runInline(
  driver: Driver,
  name: string,
  fn: (ctx: ActivityContext) => unknown,
  options: CallOptions,
): Promise<unknown> {
  const inline = activity<undefined, unknown>(name, options, (_input, ctx) => fn(ctx));
  const { retry = {}, timeout, key, signal, sensitive } = options;
  const request = { kind: "run", activity: inline, retry, timeout, stageStatus: null } as const;
  return driver.ask({ name, key, input: null, request, signal, sensitive });
}

export function askSleep(
  driver: Driver,
  duration: Duration,
  options: StepOptions,
): Promise<unknown> {
  const millis = durationMillis(duration);
  return askTimer(driver, "sleep", driver.now + millis, encode(millis, "a duration"), options);
}

export function askMoment(driver: Driver, moment: Date, options: StepOptions): Promise<unknown> {
  const due = checkMoment(moment, driver.now);
  return askTimer(driver, "sleepUntil", due, encode(moment, "a moment"), options);
}

export function askTimer(
  driver: Driver,
  name: string,
  due: number,
  input: string,
  options: StepOptions,
): Promise<unknown> {
  const { key, signal, sensitive } = options;
  return driver.ask({ name, key, input, signal, sensitive, request: { kind: "timer", due } });
}

function checkMoment(moment: Date, now: number): number {
  const at = moment instanceof Date ? moment.getTime() : Number.NaN;
  if (Number.isFinite(at) && at <= now + LIMITS.timerMillis) return at;
  throw new WaymarkError("DURATION_INVALID", "sleepUntil takes a Date at most 100 years ahead");
}

export function encodeStatus(value: unknown): Encoded {
  const text = encode(value, "the custom status");
  const bytes = new TextEncoder().encode(text).length;
  if (bytes <= LIMITS.customStatusBytes) return text;
  throw new WaymarkError(
    "PAYLOAD_TOO_LARGE",
    `the custom status is ${bytes} bytes when stored; the limit is ${LIMITS.customStatusBytes}`,
  );
}

export function askEvent(driver: Driver, name: string, options: WaitOptions): Promise<unknown> {
  checkName(name, "an event");
  const { timeout, key, signal, sensitive, schema = null } = options;
  if (schema !== null) checkSchema(schema, `the wait for "${name}"`);
  const millis = timeout === undefined ? null : durationMillis(timeout);
  const due = millis === null ? null : driver.now + millis;
  const input = encode(millis, "a timeout");
  return driver.ask({
    name,
    key,
    input,
    signal,
    sensitive,
    request: { kind: "event", event: name, due, schema },
  });
}

/** What is wrong with the call fails the instance, and nothing of this execution is lost. */
export function continueAsNew(
  driver: Driver,
  input: unknown,
  { version }: ContinueOptions = {},
): Promise<never> {
  if (driver.compensating) return Promise.reject(goesNowhere());
  try {
    if (version !== undefined && version !== "latest") throw noSuchVersion(version);
    const encoded = encode(input, "the input of continueAsNew");
    return driver.finish({ ok: true, next: { input: encoded, version: version ?? null } });
  } catch (error) {
    return driver.finish({ ok: false, error });
  }
}

const goesNowhere = (): WaymarkError =>
  new WaymarkError("DEFINITION_INVALID", "what compensates a failure cannot continue as new");

export function onCompensate(driver: Driver, compensate: Compensation): void {
  if (typeof compensate === "function") driver.onCompensate(compensate);
  else throw new WaymarkError("DEFINITION_INVALID", "ctx.onCompensate takes a function");
}

const noSuchVersion = (version: unknown): WaymarkError =>
  new WaymarkError(
    "DEFINITION_INVALID",
    `continueAsNew takes the version "latest", or none to stay, and not ${JSON.stringify(version)}`,
  );
