/** The Durable Object of one workflow instance: a thin shell around its engine. */
import { DurableObject } from "cloudflare:workers";
import type { CodecOption } from "../core/codec.ts";
import type {
  EventReceipt,
  HistoryPage,
  Idempotency,
  InstanceDocument,
  RewindPreview,
} from "../core/documents.ts";
import type { StoredHistoryPage } from "../core/history.ts";
import type { StepIdentity } from "../core/names.ts";
import type { Registry } from "../core/workflow.ts";
import type { CallCommand } from "../engine/calls.ts";
import { Commands, type EventCommand, type StartCommand } from "../engine/commands.ts";
import type {
  ControlCommand,
  GivenExecution,
  PurgeOptions,
  RewindCommand,
} from "../engine/control.ts";
import { Engine } from "../engine/engine.ts";
import type { ForkCommand } from "../engine/fork.ts";
import type { CopyRequest, ForkRequest, GivenFork } from "../engine/fork-source.ts";
import type { TurnBudget } from "../engine/host.ts";
import type { MessageAnswer } from "../engine/message.ts";
import { withLinks } from "../http/links.ts";
import type { ShownCall, ShownReceipt } from "../http/service.ts";
import type { Shown } from "../http/shown.ts";
import { Cipher } from "../store/cipher.ts";
import { DurableObjectSql } from "../store/durable-object-sql.ts";
import type { LogLevel } from "./console-log.ts";
import { objectHost } from "./object-host.ts";
import { type PackedCopy, packCopy } from "./packed-copy.ts";
import { type PackedMessage, unpackMessage } from "./packed-message.ts";
import { type PackedText, pack, unpack } from "./packed-text.ts";
import { type Reply, replyOf } from "./reply.ts";
import { shown, shownCall } from "./shown-document.ts";

/** What the instances of one Worker share. */
export interface InstanceConfig {
  readonly registry: Registry;
  readonly turn: Partial<TurnBudget>;
  readonly logLevel: LogLevel;
  readonly codec: CodecOption | undefined;
}

/** A command whose text goes packed. */
type Packed<Command, Text extends keyof Command> = Omit<Command, Text> & {
  readonly [Name in Text]: PackedText;
};

type Document = Shown<InstanceDocument>;

/** What a Worker may ask of an instance's object. Ids go along: an object may not know its name. */
export interface InstanceRpc {
  start(command: Packed<StartCommand, "input">): Promise<Reply<ShownReceipt>>;
  get(id: string, waitMillis: number): Promise<Reply<Document>>;
  history(id: string, cursor: string | null, limit: number): Promise<Reply<Shown<HistoryPage>>>;
  export(
    id: string,
    cursor: string | null,
    limit: number,
  ): Promise<Reply<Shown<StoredHistoryPage>>>;
  sendEvent(id: string, command: Packed<EventCommand, "payload">): Promise<Reply<EventReceipt>>;
  call(
    id: string,
    command: Packed<CallCommand, "payload">,
    waitMillis: number,
  ): Promise<Reply<ShownCall>>;
  suspend(id: string, command: ControlCommand): Promise<Reply<Document>>;
  resume(id: string, command: ControlCommand): Promise<Reply<Document>>;
  terminate(id: string, command: ControlCommand): Promise<Reply<Document>>;
  cancel(id: string, command: ControlCommand): Promise<Reply<Document>>;
  restart(id: string, command: ControlCommand): Promise<Reply<Document>>;
  rewind(id: string, command: RewindCommand): Promise<Reply<Document>>;
  previewRewind(id: string, to: StepIdentity | null): Promise<Reply<Shown<RewindPreview>>>;
  given(
    id: string,
    idempotency: Idempotency | undefined,
  ): Promise<Reply<Packed<GivenExecution, "input">>>;
  forkPoint(id: string, request: ForkRequest): Promise<Reply<Packed<GivenFork, "input">>>;
  fork(command: Packed<ForkCommand, "input">): Promise<Reply<Document>>;
  purge(id: string, options: PurgeOptions): Promise<Reply<void>>;
  /** A part of the history, for an instance that is forked from this one. */
  copy(id: string, request: CopyRequest): Promise<PackedCopy>;
  /** A message of another instance. */
  receive(message: PackedMessage): Promise<MessageAnswer>;
}

/** The class to export as `WorkflowInstance`. */
export function workflowInstanceClass(config: InstanceConfig) {
  return class WorkflowInstance extends DurableObject<Cloudflare.Env> implements InstanceRpc {
    readonly sql: DurableObjectSql;
    readonly #engine: Engine;
    readonly #commands: Commands;

    constructor(state: DurableObjectState, env: Cloudflare.Env) {
      super(state, env);
      const { registry, turn, logLevel, codec } = config;
      this.sql = new DurableObjectSql(state.storage, new Cipher(codec, env, `${state.id}`));
      const host = objectHost(state, env, logLevel);
      this.#engine = new Engine({ sql: this.sql, host, registry, turn });
      this.#commands = new Commands(this.#engine);
    }

    override alarm(info?: AlarmInvocationInfo): Promise<void> {
      const { retryCount: retries = 0, scheduledTime: scheduledAt } = info ?? {};
      return this.#engine.wake({ retries, scheduledAt });
    }

    start(command: Packed<StartCommand, "input">): Promise<Reply<ShownReceipt>> {
      return replyOf(() => {
        const input = unpack(command.input);
        const { created, document } = this.#commands.start({ ...command, input });
        return { created, document: shown(document, withLinks) };
      });
    }

    get(id: string, waitMillis: number): Promise<Reply<Document>> {
      const commands = this.#commands;
      return replyOf(async () => {
        const until = Date.now() + waitMillis;
        const document = waitMillis > 0 ? await commands.whenEnded(id, until) : commands.get(id);
        return shown(document, withLinks);
      });
    }

    history(id: string, cursor: string | null, limit: number): Promise<Reply<Shown<HistoryPage>>> {
      return replyOf(() => shown(this.#commands.history(id, cursor, limit)));
    }

    export(
      id: string,
      cursor: string | null,
      limit: number,
    ): Promise<Reply<Shown<StoredHistoryPage>>> {
      return replyOf(() => shown(this.#commands.export(id, cursor, limit)));
    }

    sendEvent(id: string, command: Packed<EventCommand, "payload">): Promise<Reply<EventReceipt>> {
      return replyOf(() => {
        const payload = unpack(command.payload);
        return this.#commands.sendEvent(id, { ...command, payload });
      });
    }

    call(
      id: string,
      command: Packed<CallCommand, "payload">,
      waitMillis: number,
    ): Promise<Reply<ShownCall>> {
      return replyOf(async () => {
        const payload = unpack(command.payload);
        const until = Date.now() + waitMillis;
        return shownCall(await this.#commands.call(id, { ...command, payload }, until));
      });
    }

    suspend(id: string, command: ControlCommand): Promise<Reply<Document>> {
      return replyOf(() => shown(this.#commands.suspend(id, command), withLinks));
    }

    resume(id: string, command: ControlCommand): Promise<Reply<Document>> {
      return replyOf(() => shown(this.#commands.resume(id, command), withLinks));
    }

    terminate(id: string, command: ControlCommand): Promise<Reply<Document>> {
      return replyOf(() => shown(this.#commands.terminate(id, command), withLinks));
    }

    cancel(id: string, command: ControlCommand): Promise<Reply<Document>> {
      return replyOf(() => shown(this.#commands.cancel(id, command), withLinks));
    }

    restart(id: string, command: ControlCommand): Promise<Reply<Document>> {
      return replyOf(() => shown(this.#commands.restart(id, command), withLinks));
    }

    rewind(id: string, command: RewindCommand): Promise<Reply<Document>> {
      return replyOf(() => shown(this.#commands.rewind(id, command), withLinks));
    }

    previewRewind(id: string, to: StepIdentity | null): Promise<Reply<Shown<RewindPreview>>> {
      return replyOf(async () => shown(await this.#commands.previewRewind(id, to)));
    }

    given(
      id: string,
      idempotency: Idempotency | undefined,
    ): Promise<Reply<Packed<GivenExecution, "input">>> {
      return replyOf(() => {
        const given = this.#commands.given(id, idempotency);
        return { ...given, input: pack(given.input) };
      });
    }

    forkPoint(id: string, request: ForkRequest): Promise<Reply<Packed<GivenFork, "input">>> {
      return replyOf(() => {
        const given = this.#commands.forkPoint(id, request);
        return { ...given, input: pack(given.input) };
      });
    }

    fork(command: Packed<ForkCommand, "input">): Promise<Reply<Document>> {
      return replyOf(() => {
        const input = unpack(command.input);
        return shown(this.#commands.fork({ ...command, input }), withLinks);
      });
    }

    async copy(id: string, request: CopyRequest): Promise<PackedCopy> {
      return packCopy(this.#commands.copy(id, request));
    }

    purge(id: string, options: PurgeOptions): Promise<Reply<void>> {
      return replyOf(() => this.#commands.purge(id, options));
    }

    async receive(message: PackedMessage): Promise<MessageAnswer> {
      return this.#commands.receive(unpackMessage(message));
    }
  };
}

export type WorkflowInstanceClass = ReturnType<typeof workflowInstanceClass>;
