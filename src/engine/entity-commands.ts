/**
 * What others ask of an entity: operations, of instances and of requests, and its state. Each command writes in
 * one go, without a wait, so that it happens whole or not at all.
 */
import type { ParentReference } from "../core/child.ts";
import type { Idempotency } from "../core/documents.ts";
import { entityAddress, entityAt } from "../core/entity.ts";
import type { EntityDocument } from "../core/entity-document.ts";
import { WaymarkError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { decode, ENCODED_UNDEFINED, type Encoded, toJson } from "../core/payload.ts";
import { HIDDEN } from "../core/sensitive.ts";
import { byteLength } from "../core/stored-text.ts";
import type { NewOperation } from "../store/entity-store.ts";
import { keepPending, keptOutcome } from "./entity-answers.ts";
import { type EntityEngine, unknown } from "./entity-engine.ts";
import { LOCK_ASKED } from "./entity-locking.ts";
import { noSuchOperation, operationError } from "./entity-operation.ts";
import { type Answered, type Message, type MessageAnswer, refused } from "./message.ts";

/** An operation that a request asks for. */
export interface OperationCommand {
  readonly name: string;
  readonly key: string;
  readonly operation: string;
  readonly input: Encoded;
  readonly idempotency?: Idempotency | undefined;
}

/** What a request for the lock is in the queue. */
const LOCK_REQUEST = { operation: LOCK_ASKED, input: ENCODED_UNDEFINED, at: null } as const;

type Taken = Pick<OperationCommand, "name" | "key" | "operation" | "input"> &
  Omit<NewOperation, "operation" | "input" | "at">;

export class EntityCommands {
  readonly #engine: EntityEngine;

  constructor(engine: EntityEngine) {
    this.#engine = engine;
  }

  /** Takes the operation of a message in, once. */
  receive({ to, from, number, content }: Message): MessageAnswer {
    const engine = this.#engine;
    engine.requested();
    if (engine.inbox.find(from, number) !== undefined) return { ok: true };
    if (content.kind === "unlock") {
      this.#unlock(content.caller, `${from}:${number}`);
      engine.inbox.note(from, number, { refusal: null }, engine.host.now());
      return { ok: true };
    }
    try {
      if (content.kind !== "operation" && content.kind !== "lock") {
        throw new WaymarkError("OPERATION_NOT_FOUND", `an entity takes no ${content.kind}`);
      }
      const asked = content.kind === "operation" ? content : LOCK_REQUEST;
      const { operation, input, at: due } = asked;
      const caller = content.caller === null ? null : JSON.stringify(content.caller);
      const token = `${from}:${number}`;
      const given = { ...entityAt(to), operation, input };
      this.#take({ ...given, caller, token, idempotency: null, due });
    } catch (error) {
      if (error instanceof WaymarkError) return refused(error);
      throw error;
    }
    engine.inbox.note(from, number, { refusal: null }, engine.host.now());
    return { ok: true };
  }

  /**
   * Runs an operation and answers what it returned.
   *
   * @throws WaymarkError `ENTITY_NOT_FOUND`, `OPERATION_NOT_FOUND`, `INPUT_INVALID`, `ENTITY_FAILED`,
   *   `ENTITY_TIMEOUT`, `ENTITY_LOST`, `ENTITY_FULL`, `ENTITY_BUSY`, `RESULT_NOT_KEPT`
   */
  async call(command: OperationCommand): Promise<Encoded> {
    const accepted = this.#accept(command);
    const answered =
      "answered" in accepted ? accepted.answered : await this.#ended(command, accepted.pending);
    if (answered.ok) return answered.result;
    const { name, key, operation } = command;
    throw operationError(entityAddress(name, key), operation, answered.failure);
  }

  /**
   * Takes an operation in; nobody hears what comes of it.
   *
   * @throws WaymarkError `ENTITY_NOT_FOUND`, `OPERATION_NOT_FOUND`, `ENTITY_FULL`
   */
  signal(command: OperationCommand): void {
    this.#engine.requested();
    if (this.#kept(command) === undefined) this.#store(command);
  }

  /**
   * What a request with that key has come to; undefined where that is not known yet. For tests, which may lose
   * the object while they wait.
   */
  answer(idempotency: Idempotency): Answered | undefined {
    const kept = keptOutcome(this.#engine.keys, idempotency, this.#engine.host.now());
    return kept === undefined || kept === "not kept" || "pending" in kept
      ? undefined
      : kept.answered;
  }

  /** @throws WaymarkError `ENTITY_NOT_FOUND` where it has no state */
  state(name: string, key: string): EntityDocument {
    const { store, entities } = this.#engine;
    this.#engine.requested();
    const definition = entities.find(name);
    if (definition === undefined) throw unknown(name);
    const row = store.read();
    const state = row?.present ? store.state() : null;
    if (row === undefined || state === null) {
      throw new WaymarkError("ENTITY_NOT_FOUND", `${entityAddress(name, key)} has no state`);
    }
    return {
      entity: name,
      key,
      state: definition.sensitive || row.sensitive ? HIDDEN : toJson(decode(state)),
      waiting: store.queue().count,
      ...(row.lock === null ? {} : { lockedBy: row.lock.holder.id }),
      createdAt: new Date(row.createdAt ?? row.at).toISOString(),
      updatedAt: new Date(row.at).toISOString(),
    };
  }

  /** Whoever it is of, and however full the queue: what is held is to be had again. */
  #unlock(caller: ParentReference, token: string): void {
    const engine = this.#engine;
    if (engine.store.read() === undefined) return;
    const id = engine.locking.take(caller, token, engine.host.now());
    if (id === null) engine.changed();
    else engine.added(id);
  }

  #accept(command: OperationCommand): { pending: number } | { answered: Answered } {
    this.#engine.requested();
    const kept = this.#kept(command);
    if (kept === "not kept") {
      throw new WaymarkError(
        "RESULT_NOT_KEPT",
        "the operation with this Idempotency-Key was carried out; its result was too long to be kept",
      );
    }
    return kept ?? { pending: this.#store(command) };
  }

  #kept({ idempotency }: OperationCommand) {
    if (idempotency === undefined) return undefined;
    return keptOutcome(this.#engine.keys, idempotency, this.#engine.host.now());
  }

  #store({ name, key, operation, input, idempotency }: OperationCommand): number {
    const { keys, host } = this.#engine;
    const now = host.now();
    if (idempotency !== undefined) keys.checkRoom(now);
    const kept = idempotency === undefined ? null : JSON.stringify(idempotency);
    const token = host.randomId();
    const given = { name, key, operation, input };
    const id = this.#take({ ...given, caller: null, token, idempotency: kept, due: null });
    if (idempotency !== undefined) keepPending(keys, idempotency, id, now);
    return id;
  }

  async #ended({ name, key, operation }: OperationCommand, id: number): Promise<Answered> {
    const { host } = this.#engine;
    const nap = host.napUntil(host.now() + LIMITS.waitSeconds * 1_000);
    const answered = await Promise.race([this.#engine.whenEnded(id), nap.over]);
    nap.cancel();
    if (answered !== undefined) return answered;
    throw new WaymarkError(
      "ENTITY_BUSY",
      `${entityAddress(name, key)}: ${operation} has not ended after ${LIMITS.waitSeconds} seconds, and will run. ` +
        "Send it again with the same Idempotency-Key to hear what comes of it",
    );
  }

  #isHolders(caller: string | null): boolean {
    const lock = this.#engine.store.read()?.lock;
    if (caller === null || lock == null) return false;
    return (JSON.parse(caller) as ParentReference).executionId === lock.holder.executionId;
  }

  /** @throws WaymarkError `ENTITY_NOT_FOUND`, `OPERATION_NOT_FOUND`, `ENTITY_FULL` */
  #take({ name, key, ...operation }: Taken): number {
    const { store, host, entities } = this.#engine;
    const definition = entities.find(name);
    if (definition === undefined) throw unknown(name);
    const asks = operation.operation === LOCK_ASKED;
    if (!asks && !Object.hasOwn(definition.operations, operation.operation)) {
      throw noSuchOperation(definition, operation.operation);
    }
    const { count, bytes } = store.queue();
    // The holder has as much again: those who fill the queue wait for it.
    const rooms = this.#isHolders(operation.caller) ? 2 : 1;
    const most = rooms * LIMITS.entityQueueBytes;
    const full = bytes + byteLength(operation.input) > most && count > 0;
    if (full || count >= rooms * LIMITS.entityQueue) {
      throw new WaymarkError(
        "ENTITY_FULL",
        `${entityAddress(name, key)} has ${count} operations that wait; send it again later`,
      );
    }
    const now = host.now();
    if (store.read() === undefined) store.create({ name, key, sender: host.randomId(), at: now });
    const id = store.add({ ...operation, at: now });
    this.#engine.added(id);
    return id;
  }
}
