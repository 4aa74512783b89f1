/** `ctx.entity` of a workflow: calls and signals of operations, each as a step. */
import type { Driver } from "./driver.ts";
import { durationMillis } from "./duration.ts";
import {
  ADDRESS,
  type AnyOperations,
  checkEntityKey,
  type Entity,
  type EntityCallOptions,
  type EntityReference,
  type EntitySignalOptions,
  entityAddress,
} from "./entity.ts";
import { WaymarkError } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import { encode } from "./payload.ts";
import { isSensitive, type SensitiveOption } from "./sensitive.ts";
import type { EntityRequest } from "./step.ts";

/** See {@link WorkflowContext.entity}. */
export type EntityMethod = <Operations extends AnyOperations>(
  definition: Entity<unknown, Operations>,
  key: string,
) => EntityReference<Operations>;

/** One of an entity's operations, with its input and whatever was said of the call. */
export type OperationAsk<Options> = (
  operation: string,
  input: unknown,
  options: Options,
) => Promise<unknown>;

export const entityMethod =
  (driver: Driver): EntityMethod =>
  <Operations extends AnyOperations>(definition: Entity<unknown, Operations>, key: string) => {
    const to = { ...definition, key };
    const calls = operationMethods<EntityCallOptions>(definition, (operation, input, options) =>
      askCall(driver, to, operation, input, options),
    );
    const signal = operationMethods<EntitySignalOptions>(definition, (operation, input, options) =>
      askSignal(driver, to, operation, input, options),
    );
    const address = entityAddress(definition.name, key);
    return { ...calls, signal, [ADDRESS]: address } as unknown as EntityReference<Operations>;
  };

/** A method for each operation. What is wrong with a call is a rejection, which may go unheard. */
export function operationMethods<Options>(
  { operations }: Pick<Entity, "operations">,
  ask: OperationAsk<Options>,
): { readonly [operation: string]: (input?: unknown, options?: Options) => Promise<unknown> } {
  const methods = Object.keys(operations).map((operation) => [
    operation,
    (input?: unknown, options: Options = {} as Options) => {
      try {
        return ask(operation, input, options);
      } catch (error) {
        const refused = Promise.reject(error);
        refused.catch(() => {});
        return refused;
      }
    },
  ]);
  return Object.fromEntries(methods);
}

interface Target extends SensitiveOption {
  readonly name: string;
  readonly key: string;
}

function askCall(
  driver: Driver,
  to: Target,
  operation: string,
  input: unknown,
  options: EntityCallOptions,
): Promise<unknown> {
  const { key, signal, timeout } = options;
  const sensitive = isSensitive(options, to);
  const timeoutMillis = timeout === undefined ? null : durationMillis(timeout);
  const request = requestOf(to, operation, input, { awaited: true, at: null, timeoutMillis });
  return driver.ask({ ...askOf(to, request, input), key, signal, sensitive });
}

function askSignal(
  driver: Driver,
  to: Target,
  operation: string,
  input: unknown,
  options: EntitySignalOptions,
): Promise<unknown> {
  const { key, at } = options;
  const sensitive = isSensitive(options, to);
  const due = at === undefined ? null : signalMoment(at, driver.now);
  const given = { awaited: false, at: due, timeoutMillis: null };
  return driver.ask({
    ...askOf(to, requestOf(to, operation, input, given), input),
    key,
    sensitive,
  });
}

function requestOf(
  { name, key }: Target,
  operation: string,
  input: unknown,
  given: Pick<EntityRequest, "awaited" | "at" | "timeoutMillis">,
): EntityRequest {
  checkEntityKey(key);
  const payload = encode(input, `the input of "${name}.${operation}"`);
  return { kind: "entity", to: entityAddress(name, key), operation, payload, ...given };
}

/** The largest of inputs, with a key of the longest around it. */
const COMPARED_BYTES = LIMITS.payloadBytes + 4_096;

/** What a replay compares: the entity and the moment as well as the input. */
function askOf({ name, key }: Target, request: EntityRequest, given: unknown) {
  const { operation, at, awaited } = request;
  const step = { key, input: given, ...(at === null ? {} : { at: new Date(at) }) };
  const compared = awaited ? step : { ...step, signal: true };
  const input = encode(compared, `the input of "${name}.${operation}"`, COMPARED_BYTES);
  return { name: `${name}.${operation}`, input, request };
}

/**
 * The moment of a scheduled signal, in milliseconds since 1970.
 *
 * @throws WaymarkError `DURATION_INVALID`
 */
export function signalMoment(moment: Date, now: number): number {
  const at = moment instanceof Date ? moment.getTime() : Number.NaN;
  if (Number.isFinite(at) && at <= now + LIMITS.timerMillis) return at;
  throw new WaymarkError("DURATION_INVALID", "a signal's `at` is a Date at most 100 years ahead");
}
