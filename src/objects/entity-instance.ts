/** The Durable Object of one entity: a thin shell around its engine. */
import { DurableObject } from "cloudflare:workers";
import type { CodecOption } from "../core/codec.ts";
import type { EntityRegistry } from "../core/entity.ts";
import type { EntityDocument } from "../core/entity-document.ts";
import { decode, toJson } from "../core/payload.ts";
import type { Registry } from "../core/workflow.ts";
import { EntityCommands, type OperationCommand } from "../engine/entity-commands.ts";
import { EntityEngine } from "../engine/entity-engine.ts";
import type { TurnBudget } from "../engine/host.ts";
import type { MessageAnswer } from "../engine/message.ts";
import type { OperationResult } from "../http/entity-service.ts";
import type { Shown } from "../http/shown.ts";
import { Cipher } from "../store/cipher.ts";
import { DurableObjectSql } from "../store/durable-object-sql.ts";
import type { LogLevel } from "./console-log.ts";
import { objectHost } from "./object-host.ts";
import { type PackedMessage, unpackMessage } from "./packed-message.ts";
import { type PackedText, unpack } from "./packed-text.ts";
import { type Reply, replyOf } from "./reply.ts";
import { shown } from "./shown-document.ts";

/** What the entities of one Worker share. */
export interface EntityConfig {
  readonly entities: EntityRegistry;
  readonly registry: Registry;
  readonly turn: Partial<TurnBudget>;
  readonly logLevel: LogLevel;
  readonly codec: CodecOption | undefined;
}

/** A command whose input goes packed. */
type PackedOperation = Omit<OperationCommand, "input"> & { readonly input: PackedText };

/** What a Worker may ask of an entity's object. */
export interface EntityRpc {
  state(name: string, key: string): Promise<Reply<Shown<EntityDocument>>>;
  call(command: PackedOperation): Promise<Reply<Shown<OperationResult>>>;
  signal(command: PackedOperation): Promise<Reply<void>>;
  /** A message of an instance, or of another entity. */
  receive(message: PackedMessage): Promise<MessageAnswer>;
}

/** The class to export as `EntityInstance`. */
export function entityInstanceClass(config: EntityConfig) {
  return class EntityInstance extends DurableObject<Cloudflare.Env> implements EntityRpc {
    readonly sql: DurableObjectSql;
    readonly #engine: EntityEngine;
    readonly #commands: EntityCommands;

    constructor(state: DurableObjectState, env: Cloudflare.Env) {
      super(state, env);
      const { entities, registry, turn, logLevel, codec } = config;
      this.sql = new DurableObjectSql(state.storage, new Cipher(codec, env, `${state.id}`));
      const host = objectHost(state, env, logLevel);
      this.#engine = new EntityEngine({ sql: this.sql, host, entities, registry, turn });
      this.#commands = new EntityCommands(this.#engine);
    }

    override alarm(info?: AlarmInvocationInfo): Promise<void> {
      const { retryCount: retries = 0, scheduledTime: scheduledAt } = info ?? {};
      return this.#engine.wake({ retries, scheduledAt });
    }

    state(name: string, key: string): Promise<Reply<Shown<EntityDocument>>> {
      return replyOf(() => shown(this.#commands.state(name, key)));
    }

    call(command: PackedOperation): Promise<Reply<Shown<OperationResult>>> {
      return replyOf(async () => {
        const input = unpack(command.input);
        const result = toJson(decode(await this.#commands.call({ ...command, input })));
        return shown({ result }, ({ result }) => result as object);
      });
    }

    signal(command: PackedOperation): Promise<Reply<void>> {
      return replyOf(() => this.#commands.signal({ ...command, input: unpack(command.input) }));
    }

    async receive(message: PackedMessage): Promise<MessageAnswer> {
      return this.#commands.receive(unpackMessage(message));
    }
  };
}

export type EntityInstanceClass = ReturnType<typeof entityInstanceClass>;
