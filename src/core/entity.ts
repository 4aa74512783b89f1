/**
 * Entities: state under a name and a key, with operations that run one at a time. What an operation changes
 * is stored when it has succeeded, all of it or nothing.
 */
import type { StartOptions } from "./child.ts";
import type { ChildArguments, StepOptions } from "./context.ts";
import { type Duration, durationMillis } from "./duration.ts";
import { WaymarkError } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import type { LogFields } from "./log.ts";
import { checkName } from "./names.ts";
import { checkSchema, type Schema } from "./schema.ts";
import type { SensitiveOption } from "./sensitive.ts";
import type { Workflow } from "./workflow.ts";

/** What an entity may say of a workflow that it starts. */
export type EntityStartOptions = Pick<StartOptions, "id" | "tags" | "startAt">;

/** What an operation gets beside its input. It is of no use once the operation has ended. */
export interface EntityContext<State = unknown> {
  /**
   * The entity's state: change it in place, or set it. It is stored when the operation has succeeded; where
   * it throws, the state stays as it was. Before the first change it is what `initial` returns.
   */
  state: State;
  /** The name of the entity's definition. */
  readonly name: string;
  readonly key: string;
  /** The Worker's bindings. What is done with them is not taken back where the operation fails. */
  readonly env: Cloudflare.Env;
  /**
   * The same text however often a crash repeats this operation, another for each operation. Hand it to
   * services that know idempotency keys.
   */
  readonly idempotencyKey: string;
  /** Aborts when the operation has taken longer than its entity's `timeout`. */
  readonly signal: AbortSignal;
  /** Removes the state, when the operation has succeeded. The next operation begins from `initial`. */
  delete(): void;
  /**
   * Another entity, or this one, to be sent signals. They leave with the new state, in their order.
   *
   * @example ctx.entity(audit, "all").signal.note({ by: ctx.key });
   */
  entity<Operations extends AnyOperations>(
    definition: Entity<unknown, Operations>,
    key: string,
  ): { readonly signal: EntitySignals<Operations, void> };
  /**
   * Starts a workflow, with the new state, and returns the id of its instance. One whose id is taken is not
   * started, which the log says.
   *
   * @throws WaymarkError `INSTANCE_ID_INVALID`, `TAGS_INVALID`, `PAYLOAD_UNSUPPORTED`
   * @example const id = ctx.start(restock, { article: ctx.key });
   */
  start<Input>(
    workflow: Workflow<Input>,
    ...args: ChildArguments<Input, EntityStartOptions>
  ): string;
  /**
   * Sends an event to a workflow's instance, with the new state. One that has ended or is not there does not get
   * it, which the log says.
   *
   * @throws WaymarkError `INSTANCE_ID_INVALID`, `NAME_INVALID`, `PAYLOAD_UNSUPPORTED`
   * @example ctx.sendEvent(ctx.state.instance, "all voted", ctx.state.votes);
   */
  sendEvent(id: string, name: string, payload?: unknown): void;
  /** Logs one flat JSON object. */
  log(message: string, fields?: LogFields): void;
}

/** What an operation's function looks like; it may be asynchronous. */
export type OperationFunction<State, Input, Output> = (
  ctx: EntityContext<State>,
  input: Input,
) => Output | Promise<Output>;

/** An operation: its function, or with a schema that its input must fit. */
export type Operation<State, Input, Output> =
  | OperationFunction<State, Input, Output>
  | {
      readonly input?: Schema<Input>;
      readonly run: OperationFunction<State, Input, Output>;
    };

/** Operations by their names. */
// biome-ignore lint/suspicious/noExplicitAny: a function's input is contravariant; only `any` takes all
export type OperationsOf<State> = { readonly [name: string]: Operation<State, any, any> };
// biome-ignore lint/suspicious/noExplicitAny: as above
export type AnyOperations = OperationsOf<any>;

/** `sensitive` hides the state, and the inputs and results of its operations, wherever they are recorded. */
export interface EntityDefinition<State, Operations> extends SensitiveOption {
  /** The state of one that has none: before its first operation, and after `ctx.delete()`. */
  readonly initial: (key: string) => State;
  readonly operations: Operations;
  /**
   * How long one operation may take, waits included: 30 seconds if left out, 5 minutes at most. The others
   * wait meanwhile; then it has failed, and what it still does counts no more.
   */
  readonly timeout?: Duration;
}

/** A defined entity. Make one with {@link entity}. */
export interface Entity<State = unknown, Operations extends AnyOperations = AnyOperations>
  extends SensitiveOption {
  readonly kind: "entity";
  readonly name: string;
  // A method, so that one of any state is taken where none in particular is asked for.
  initial(key: string): State;
  readonly operations: Operations;
  /** How long one operation may take. */
  readonly timeoutMillis: number;
}

/** An entity of any types, as registries hold it. */
export type AnyEntity = Entity<unknown, AnyOperations>;

/** What a call of an operation takes beside its input. */
export interface EntityCallOptions extends StepOptions {
  /** How long to wait for the result; without it, for ever. The operation may run all the same. */
  readonly timeout?: Duration;
}

/** What a signal takes beside its input. */
export interface EntitySignalOptions extends SensitiveOption {
  /** Identifies the step beside its name; give one in loops over data. Unique per name. */
  readonly key?: string;
  /** When the operation is to run; at once if left out. */
  readonly at?: Date;
}

type FunctionOf<One> = One extends { readonly run: infer Run } ? Run : One;

/** The arguments of an operation: its input, which may be left out where it takes none, and options. */
export type OperationArguments<One, Options> =
  FunctionOf<One> extends (ctx: never, ...rest: infer Rest) => unknown
    ? Rest extends [infer Input]
      ? [input: Input, options?: Options]
      : [input?: Rest[0], options?: Options]
    : never;

/** What an operation returns. */
export type OperationOutput<One> =
  FunctionOf<One> extends (...args: never) => infer Output ? Awaited<Output> : never;

/** Where a reference keeps its entity's address. Registered, so that two copies of this library agree. */
export const ADDRESS: unique symbol = Symbol.for("waymark.entity.address") as never;

/** What `ctx.lock` takes: an entity as `ctx.entity` returns it, of any operations. */
export interface Lockable {
  readonly [ADDRESS]: string;
}

/** One entity, as those see it who call its operations. */
export type EntityReference<Operations> = Lockable & {
  readonly [Name in keyof Operations]: (
    ...args: OperationArguments<Operations[Name], EntityCallOptions>
  ) => Promise<OperationOutput<Operations[Name]>>;
} & {
  /** The operations one way: the promise resolves when the entity has stored that it is to run. */
  readonly signal: EntitySignals<Operations, Promise<void>>;
};

/** The operations of an entity, one way. */
export type EntitySignals<Operations, Sent> = {
  readonly [Name in keyof Operations]: (
    ...args: OperationArguments<Operations[Name], Pick<EntitySignalOptions, SignalOption<Sent>>>
  ) => Sent;
};

/** An operation has no steps, and so no keys of steps. */
type SignalOption<Sent> = Sent extends void ? "at" : keyof EntitySignalOptions;

/** A property of every reference, and one by which promises are told. */
const TAKEN = ["signal", "then"];

const DEFAULT_TIMEOUT_MILLIS = 30_000;

/**
 * Defines an entity. Each key has a state of its own, which nothing but its operations changes, one at a
 * time, each exactly once.
 *
 * @param name unique in the Worker; stored entities find their code by it
 * @throws WaymarkError `NAME_INVALID`, `DEFINITION_INVALID`, `DURATION_INVALID`
 * @example
 * const counter = entity("Counter", {
 *   initial: () => 0,
 *   operations: {
 *     add: (ctx, n: number) => (ctx.state += n),
 *     get: (ctx) => ctx.state,
 *   },
 * });
 * // in a workflow: const total = await ctx.entity(counter, "user-1").add(5);
 */
export function entity<State, const Operations extends OperationsOf<State>>(
  name: string,
  { initial, operations, timeout, sensitive = false }: EntityDefinition<State, Operations>,
): Entity<State, Operations> {
  checkName(name, "an entity");
  for (const [operation, definition] of Object.entries<AnyOperations[string]>(operations)) {
    checkOperation(name, operation, definition);
  }
  const timeoutMillis = timeout === undefined ? DEFAULT_TIMEOUT_MILLIS : durationMillis(timeout);
  if (timeoutMillis <= 0 || timeoutMillis > LIMITS.operationMillis) {
    throw new WaymarkError(
      "DEFINITION_INVALID",
      `an operation of "${name}" may take from 1 to ${LIMITS.operationMillis} ms, not ${timeoutMillis}`,
    );
  }
  return { kind: "entity", name, initial, operations, timeoutMillis, sensitive };
}

function checkOperation(entity: string, name: string, definition: AnyOperations[string]): void {
  checkName(name, `an operation of "${entity}"`);
  if (TAKEN.includes(name)) {
    throw new WaymarkError("DEFINITION_INVALID", `no operation may be called "${name}"`);
  }
  const { input, run } = operationOf(definition);
  if (typeof run !== "function") {
    throw new WaymarkError("DEFINITION_INVALID", `"${entity}.${name}" is no function`);
  }
  if (input !== undefined) checkSchema(input, `"${entity}.${name}"`);
}

/** An operation in its long form. */
export const operationOf = (
  definition: AnyOperations[string],
): Exclude<AnyOperations[string], OperationFunction<never, never, unknown>> =>
  typeof definition === "function" ? { run: definition } : definition;

/**
 * Refuses a key that no entity can have.
 *
 * @throws WaymarkError `NAME_INVALID`
 */
export function checkEntityKey(key: string): void {
  const fits = typeof key === "string" && key.length > 0 && key.length <= LIMITS.entityKeyLength;
  if (fits && /^[^\p{Cc}\p{Cs}]*$/u.test(key) && key !== "." && key !== "..") return;
  throw new WaymarkError(
    "NAME_INVALID",
    `the key of an entity must be printable text of 1 to ${LIMITS.entityKeyLength} characters, ` +
      'and neither "." nor ".."',
  );
}

/** Where messages to an entity go. No instance's id and no name has a slash: the first one ends the name. */
export const entityAddress = (name: string, key: string): string => `${name}/${key}`;

/** Whether an address is an entity's, and not an instance's. */
export const isEntityAddress = (address: string): boolean => address.includes("/");

/** The entity at an address. */
export function entityAt(address: string): { readonly name: string; readonly key: string } {
  const end = address.indexOf("/");
  return { name: address.slice(0, end), key: address.slice(end + 1) };
}

/** A Worker that calls entities exports their class. */
export const entitiesMissing = (): WaymarkError =>
  new WaymarkError(
    "DEFINITION_INVALID",
    "entities live in objects of their own: export `EntityInstance` of `waymark.objects` beside " +
      "`WorkflowInstance`, and declare it in wrangler.toml",
  );

/** The entities of one Worker, by name. */
export interface EntityRegistry {
  find(name: string): AnyEntity | undefined;
  readonly entities: readonly AnyEntity[];
}

/**
 * The registry of these entities.
 *
 * @throws WaymarkError `DEFINITION_INVALID` where two have the same name
 */
export function createEntityRegistry(entities: readonly AnyEntity[]): EntityRegistry {
  const byName = new Map<string, AnyEntity>();
  for (const definition of entities) {
    if (byName.has(definition.name)) {
      const problem = `entity "${definition.name}" is registered twice`;
      throw new WaymarkError("DEFINITION_INVALID", problem);
    }
    byName.set(definition.name, definition);
  }
  return { entities, find: (name) => byName.get(name) };
}
