/**
 * One operation as it runs: what it changes and sends gathers here, and counts only where it has succeeded. So
 * nothing needs to be taken back.
 */

import {
  type AnyEntity,
  checkEntityKey,
  type Entity,
  type EntityContext,
  type EntitySignalOptions,
  type EntityStartOptions,
  entityAddress,
  operationOf,
} from "../core/entity.ts";
import { signalMoment } from "../core/entity-asks.ts";
import { WaymarkError } from "../core/errors.ts";
import { engineFailure, type Failure, toFailure } from "../core/failure.ts";
import { LIMITS } from "../core/limits.ts";
import type { LogFields } from "../core/log.ts";
import { checkInstanceId, checkName, checkTags, keyedIdentity } from "../core/names.ts";
import { decode, type Encoded, encode } from "../core/payload.ts";
import { uuidFrom } from "../core/random.ts";
import { parseWith } from "../core/schema.ts";
import type { AnyWorkflow } from "../core/workflow.ts";
import type { Outgoing } from "./courier.ts";
import type { MessageContent } from "./message.ts";

/** What is to become of the state: another, none, or what it was. */
export type StateChange = { readonly kind: "set"; readonly state: Encoded } | "deleted" | "same";

/** What an operation has come to. */
export type Performed =
  | {
      readonly ok: true;
      readonly result: Encoded;
      readonly change: StateChange;
      readonly messages: readonly Outgoing[];
    }
  | { readonly ok: false; readonly failure: Failure };

export interface OperationOptions {
  readonly definition: AnyEntity;
  readonly operation: string;
  readonly input: Encoded;
  readonly key: string;
  /** As stored; null where there is none. */
  readonly state: Encoded | null;
  /** Tells the operation from all others for ever. */
  readonly token: string;
  /** The entity as the sender of its messages. */
  readonly sender: string;
  readonly env: Cloudflare.Env;
  readonly now: number;
  readonly log: (message: string, fields: LogFields) => void;
}

export class OperationRun {
  readonly #options: OperationOptions;
  readonly #controller = new AbortController();
  readonly #address: string;
  #messages: Outgoing[] = [];
  #starts = 0;
  /** Decoded when the operation first asks for it. */
  #state: { value: unknown } | null = null;
  /** It was set, or deleted, and not only changed in place. */
  #touched = false;
  #deleted = false;
  #over: WaymarkError | null = null;

  constructor(options: OperationOptions) {
    this.#options = options;
    this.#address = entityAddress(options.definition.name, options.key);
  }

  /** Runs the operation. Never rejects. */
  async perform(): Promise<Performed> {
    const { definition, operation, input: encoded } = this.#options;
    const what = `${definition.name}.${operation}`;
    try {
      const found = Object.hasOwn(definition.operations, operation)
        ? definition.operations[operation]
        : undefined;
      if (found === undefined) throw noSuchOperation(definition, operation);
      const { input: schema, run } = operationOf(found);
      const given = decode(encoded);
      const input = schema === undefined ? given : await parseWith(schema, given);
      const value = await run(this.#context(), input);
      if (this.#over !== null) throw this.#over;
      const result = encode(value, `the result of "${what}"`);
      const change = this.#change();
      this.stop(new WaymarkError("ATTEMPT_STOPPED", `"${what}" has ended; its context is void`));
      return { ok: true, result, change, messages: this.#messages };
    } catch (error) {
      this.stop(new WaymarkError("ATTEMPT_STOPPED", `"${what}" has failed; its context is void`));
      return { ok: false, failure: operationFailure(error) };
    }
  }

  /** It is over, whatever it still does: its context is void. */
  stop(reason: WaymarkError): void {
    if (this.#over !== null) return;
    this.#over = reason;
    if (reason.code === "ENTITY_TIMEOUT") this.#controller.abort(reason);
  }

  #check(): void {
    if (this.#over !== null) throw this.#over;
  }

  #change(): StateChange {
    const { definition, key, state } = this.#options;
    const gone = this.#deleted && state !== null ? "deleted" : "same";
    if (this.#state === null) return gone;
    const text = encode(this.#state.value, `the state of "${this.#address}"`);
    if (state !== null && !this.#deleted) {
      return text === state ? "same" : { kind: "set", state: text };
    }
    const before = encode(definition.initial(key), `the initial state of "${this.#address}"`);
    return this.#touched || text !== before ? { kind: "set", state: text } : gone;
  }

  #read(): unknown {
    const { definition, key, state } = this.#options;
    const begins = state === null || this.#deleted;
    this.#state ??= { value: begins ? definition.initial(key) : decode(state) };
    return this.#state.value;
  }

  #context(): EntityContext {
    const { definition, key, env, token, log } = this.#options;
    const run = this;
    return {
      get state() {
        run.#check();
        return run.#read();
      },
      set state(value: unknown) {
        run.#check();
        run.#state = { value };
        run.#touched = true;
      },
      name: definition.name,
      key,
      env,
      idempotencyKey: `${this.#address}:${token}`,
      signal: this.#controller.signal,
      delete: () => {
        this.#check();
        this.#state = null;
        this.#touched = false;
        this.#deleted = true;
      },
      entity: ((other: Entity, otherKey: string) => ({
        signal: Object.fromEntries(
          Object.keys(other.operations).map((operation) => [
            operation,
            (input?: unknown, { at }: EntitySignalOptions = {}) =>
              this.#signal(other, otherKey, operation, input, at),
          ]),
        ),
      })) as unknown as EntityContext["entity"],
      start: (workflow: AnyWorkflow, input?: unknown, options: EntityStartOptions = {}) =>
        this.#start(workflow, input, options),
      sendEvent: (id, event, payload) => {
        checkInstanceId(id);
        checkName(event, "an event");
        const encoded = encode(payload, `the event "${event}"`);
        this.#post(id, { kind: "event", event, payload: encoded, ...this.#mark });
      },
      log,
    };
  }

  /** What a sensitive entity sends is so as well. */
  get #mark(): { readonly sensitive?: true } {
    return this.#options.definition.sensitive ? { sensitive: true } : {};
  }

  #post(target: string, content: MessageContent): void {
    this.#check();
    if (this.#messages.length >= LIMITS.operationMessages) {
      throw new WaymarkError(
        "MESSAGES_EXCEEDED",
        `an operation may send ${LIMITS.operationMessages} signals and starts`,
      );
    }
    this.#messages.push({ target, executionId: this.#options.sender, step: null, content });
  }

  #signal(
    { name }: Entity,
    key: string,
    operation: string,
    given: unknown,
    moment: Date | undefined,
  ): void {
    checkEntityKey(key);
    const input = encode(given, `the input of "${name}.${operation}"`);
    const at = moment === undefined ? null : signalMoment(moment, this.#options.now);
    const content = { kind: "operation", operation, input, at, caller: null } as const;
    this.#post(entityAddress(name, key), content);
  }

  /** What it is known by follows from the operation: however often it is sent, it is the same start. */
  #start(
    { name, version }: AnyWorkflow,
    given: unknown,
    { id, tags = {}, startAt }: EntityStartOptions,
  ): string {
    const { sender, token, operation, now } = this.#options;
    const seed = `${sender}/${token}/${++this.#starts}`;
    const instanceId = id ?? uuidFrom(`${seed}/id`);
    checkInstanceId(instanceId);
    checkTags(tags);
    const executionId = uuidFrom(seed);
    const step = keyedIdentity(operation, executionId);
    const parent = { id: this.#address, executionId: sender, step, attempt: "0.1", awaited: false };
    const at = startAt === undefined ? undefined : signalMoment(startAt, now);
    const input = encode(given, `the input of "${name}"`);
    const started = { workflow: name, version, input, tags, startAt: at, executionId, parent };
    this.#post(instanceId, { kind: "start", ...started, ...this.#mark });
    return instanceId;
  }
}

export const noSuchOperation = ({ name, operations }: AnyEntity, operation: string): WaymarkError =>
  new WaymarkError(
    "OPERATION_NOT_FOUND",
    `entity "${name}" has no operation "${operation}"; there are: ${Object.keys(operations).join(", ")}`,
  );

/** What the engine refuses keeps its code; what the code threw is told whole. */
function operationFailure(error: unknown): Failure {
  return error instanceof WaymarkError && error.name === "WaymarkError" && error.cause === undefined
    ? engineFailure(error)
    : toFailure(error);
}

/** Codes of what is wrong with a call, or with how its operation went, and not thrown by its code. */
const TOLD = new Set([
  "INPUT_INVALID",
  "PAYLOAD_UNSUPPORTED",
  "PAYLOAD_TOO_LARGE",
  "OPERATION_NOT_FOUND",
  "ENTITY_NOT_FOUND",
  "ENTITY_TIMEOUT",
  "ENTITY_LOST",
] as const);

/** The error that a client gets for a failed operation. */
export function operationError(address: string, operation: string, failure: Failure): WaymarkError {
  const { type, message, code } = failure;
  for (const told of TOLD) if (told === code) return new WaymarkError(told, message);
  return new WaymarkError("ENTITY_FAILED", `${address}: ${operation} failed: ${type}: ${message}`);
}
