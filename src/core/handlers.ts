/**
 * What workflow code answers to from outside: queries, which look and change nothing, and updates, which
 * are delivered to it as results are. Registering one is no step: a replay registers it again.
 */
import { WaymarkError } from "./errors.ts";
import { checkName, type StepIdentity } from "./names.ts";
import { checkSchema, type Schema } from "./schema.ts";
import type { SensitiveOption } from "./sensitive.ts";

/** What a handler's input must be. */
interface HandlerInput<Input> extends SensitiveOption {
  /** Checks the input of a call, and may convert it. Any Standard Schema library's. */
  readonly input?: Schema<Input>;
}

export interface QueryOptions<Input = unknown> extends HandlerInput<Input> {
  /** It looks and changes nothing: called in every status, recorded nowhere. */
  readonly readOnly: true;
}

export interface UpdateOptions<Input = unknown> extends HandlerInput<Input> {
  readonly readOnly?: false;
  /**
   * Refuses an update by throwing, before it is recorded and once more right before it is delivered. It
   * looks and changes nothing, and is not asked again on a replay.
   */
  readonly validate?: (input: Input) => void;
}

/** What a query may return: a value, and no promise of one. */
export type AtOnce<Reply> = Reply extends PromiseLike<unknown> ? never : Reply;

/** The type of `ctx.handle`. */
export interface HandleMethod {
  <Input = unknown, Reply = unknown>(
    name: string,
    options: QueryOptions<Input>,
    fn: (input: Input) => AtOnce<Reply>,
  ): void;
  <Input = unknown, Reply = unknown>(
    name: string,
    options: UpdateOptions<Input>,
    fn: (input: Input) => Reply | Promise<Reply>,
  ): void;
}

/** A registered handler. */
export interface Handler {
  readonly name: string;
  readonly readOnly: boolean;
  /** What it is given and answers is not shown. */
  readonly sensitive: boolean;
  readonly schema: Schema | null;
  readonly validate: ((input: unknown) => unknown) | null;
  readonly run: (input: unknown) => unknown;
}

/** What the function of an update came to. */
export interface Handled {
  readonly update: StepIdentity;
  readonly outcome:
    | { readonly ok: true; readonly reply: unknown }
    | { readonly ok: false; readonly error: unknown };
}

/** What the row of an update is called before its delivery. No step's name has parentheses. */
export const updateName = (handler: string): string => `${handler}()`;

/** The identity of an update in its execution: the name with the id of its row. */
export const updateIdentity = (handler: string, id: number): StepIdentity =>
  `${updateName(handler)}#${id}`;

/** The handler's name in the name or identity of an update. */
export const handlerOf = (update: string): string => update.slice(0, update.indexOf("("));

export class Handlers {
  readonly #byName = new Map<string, Handler>();
  #handled: Handled[] = [];
  #updates = false;

  /** @throws WaymarkError `NAME_INVALID`, `DEFINITION_INVALID` */
  register(
    name: string,
    options: QueryOptions<never> | UpdateOptions<never>,
    fn: (input: never) => unknown,
  ): void {
    checkName(name, "a handler");
    const what = `the handler "${name}"`;
    if (typeof fn !== "function") throw invalid(`${what} is no function`);
    if (this.#byName.has(name)) {
      throw invalid(`${what} is registered twice: one function answers to a name, for good`);
    }
    const { input: schema = null, readOnly = false, sensitive = false } = options;
    if (schema !== null) checkSchema(schema, what);
    const validate = "validate" in options ? (options.validate ?? null) : null;
    if (readOnly && isAsync(fn)) throw invalid(`${what} is read-only, and may not be async`);
    if (validate !== null && isAsync(validate))
      throw invalid(`validate of ${what} may not be async`);
    if (readOnly && validate !== null) {
      throw invalid(`${what} is read-only: it refuses by throwing, and has no validate`);
    }
    this.#updates ||= !readOnly;
    this.#byName.set(name, {
      name,
      readOnly,
      sensitive,
      schema,
      validate: validate as Handler["validate"],
      run: fn as Handler["run"],
    });
  }

  /** Whether an update may bring what the code waits for. */
  get takesUpdates(): boolean {
    return this.#updates;
  }

  find(name: string): Handler | undefined {
    return this.#byName.get(name);
  }

  update(name: string): Handler | undefined {
    const handler = this.#byName.get(name);
    return handler?.readOnly === false ? handler : undefined;
  }

  /**
   * Calls the function of an update, now.
   *
   * @param done called as it has come to something, before that is handed out
   */
  run(handler: Handler, update: StepIdentity, input: unknown, done: () => void): void {
    const keep = (outcome: Handled["outcome"]): void => {
      done();
      this.#handled.push({ update, outcome });
    };
    new Promise((resolve) => resolve(handler.run(input))).then(
      (reply) => keep({ ok: true, reply }),
      (error: unknown) => keep({ ok: false, error }),
    );
  }

  /** What updates have come to since the last call. */
  take(): readonly Handled[] {
    if (this.#handled.length === 0) return this.#handled;
    const handled = this.#handled;
    this.#handled = [];
    return handled;
  }
}

/** Whether it would go on after its first wait, when nobody watches over it any more. */
const isAsync = (fn: (input: never) => unknown): boolean =>
  Object.prototype.toString.call(fn) === "[object AsyncFunction]";

const invalid = (message: string): WaymarkError => new WaymarkError("DEFINITION_INVALID", message);
