/** The Durable Object of one workflow instance: a thin shell around its engine. */
import { DurableObject } from "cloudflare:workers";
import type {
  EventReceipt,
  HistoryPage,
  Idempotency,
  InstanceDocument,
  StartReceipt,
} from "../core/documents.ts";
import type { StoredHistoryPage } from "../core/history.ts";
import type { Registry } from "../core/workflow.ts";
import { Commands, type EventCommand, type StartCommand } from "../engine/commands.ts";
import type { ControlCommand, GivenExecution, PurgeOptions } from "../engine/control.ts";
import { Engine } from "../engine/engine.ts";
import type { TurnBudget } from "../engine/host.ts";
import type { Message, MessageAnswer } from "../engine/message.ts";
import { DurableObjectSql } from "../store/durable-object-sql.ts";
import type { LogLevel } from "./console-log.ts";
import { objectHost } from "./object-host.ts";
import { type Reply, replyOf } from "./reply.ts";

/** What the instances of one Worker share. */
export interface InstanceConfig {
  readonly registry: Registry;
  readonly turn: Partial<TurnBudget>;
  readonly logLevel: LogLevel;
}

/** What a Worker may ask of an instance's object. Ids go along: an object may not know its name. */
export interface InstanceRpc {
  start(command: StartCommand): Promise<Reply<StartReceipt>>;
  get(id: string, waitMillis: number): Promise<Reply<InstanceDocument>>;
  history(id: string, cursor: string | null, limit: number): Promise<Reply<HistoryPage>>;
  export(id: string, cursor: string | null, limit: number): Promise<Reply<StoredHistoryPage>>;
  sendEvent(id: string, command: EventCommand): Promise<Reply<EventReceipt>>;
  suspend(id: string, command: ControlCommand): Promise<Reply<InstanceDocument>>;
  resume(id: string, command: ControlCommand): Promise<Reply<InstanceDocument>>;
  terminate(id: string, command: ControlCommand): Promise<Reply<InstanceDocument>>;
  cancel(id: string, command: ControlCommand): Promise<Reply<InstanceDocument>>;
  restart(id: string, command: ControlCommand): Promise<Reply<InstanceDocument>>;
  given(id: string, idempotency: Idempotency | undefined): Promise<Reply<GivenExecution>>;
  purge(id: string, options: PurgeOptions): Promise<Reply<void>>;
  /** A message of another instance. */
  receive(message: Message): Promise<MessageAnswer>;
}

/** The class to export as `WorkflowInstance`. */
export function workflowInstanceClass(config: InstanceConfig) {
  return class WorkflowInstance extends DurableObject<Cloudflare.Env> implements InstanceRpc {
    readonly sql: DurableObjectSql;
    readonly #engine: Engine;
    readonly #commands: Commands;

    constructor(state: DurableObjectState, env: Cloudflare.Env) {
      super(state, env);
      const { registry, turn, logLevel } = config;
      this.sql = new DurableObjectSql(state.storage);
      const host = objectHost(state, env, logLevel);
      this.#engine = new Engine({ sql: this.sql, host, registry, turn });
      this.#commands = new Commands(this.#engine);
    }

    override alarm(info?: AlarmInvocationInfo): Promise<void> {
      const { retryCount: retries = 0, scheduledTime: scheduledAt } = info ?? {};
      return this.#engine.wake({ retries, scheduledAt });
    }

    start(command: StartCommand): Promise<Reply<StartReceipt>> {
      return replyOf(() => this.#commands.start(command));
    }

    get(id: string, waitMillis: number): Promise<Reply<InstanceDocument>> {
      const commands = this.#commands;
      return replyOf(() =>
        waitMillis > 0 ? commands.whenEnded(id, Date.now() + waitMillis) : commands.get(id),
      );
    }

    history(id: string, cursor: string | null, limit: number): Promise<Reply<HistoryPage>> {
      return replyOf(() => this.#commands.history(id, cursor, limit));
    }

    export(id: string, cursor: string | null, limit: number): Promise<Reply<StoredHistoryPage>> {
      return replyOf(() => this.#commands.export(id, cursor, limit));
    }

    sendEvent(id: string, command: EventCommand): Promise<Reply<EventReceipt>> {
      return replyOf(() => this.#commands.sendEvent(id, command));
    }

    suspend(id: string, command: ControlCommand): Promise<Reply<InstanceDocument>> {
      return replyOf(() => this.#commands.suspend(id, command));
    }

    resume(id: string, command: ControlCommand): Promise<Reply<InstanceDocument>> {
      return replyOf(() => this.#commands.resume(id, command));
    }

    terminate(id: string, command: ControlCommand): Promise<Reply<InstanceDocument>> {
      return replyOf(() => this.#commands.terminate(id, command));
    }

    cancel(id: string, command: ControlCommand): Promise<Reply<InstanceDocument>> {
      return replyOf(() => this.#commands.cancel(id, command));
    }

    restart(id: string, command: ControlCommand): Promise<Reply<InstanceDocument>> {
      return replyOf(() => this.#commands.restart(id, command));
    }

    given(id: string, idempotency: Idempotency | undefined): Promise<Reply<GivenExecution>> {
      return replyOf(() => this.#commands.given(id, idempotency));
    }

    purge(id: string, options: PurgeOptions): Promise<Reply<void>> {
      return replyOf(() => this.#commands.purge(id, options));
    }

    async receive(message: Message): Promise<MessageAnswer> {
      return this.#commands.receive(message);
    }
  };
}

export type WorkflowInstanceClass = ReturnType<typeof workflowInstanceClass>;
