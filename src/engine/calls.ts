/**
 * Calls of the handlers that an instance's code has registered. A query is answered by the code as it stands,
 * and writes nothing. An update is checked, kept and delivered; its request waits for the reply.
 */
import { type Idempotency, isTerminal, type PendingUpdate } from "../core/documents.ts";
import type { Driver } from "../core/driver.ts";
import { isWaymarkError, WaymarkError } from "../core/errors.ts";
import { fromFailure, toFailure } from "../core/failure.ts";
import { type Handler, updateIdentity, updateName } from "../core/handlers.ts";
import { LIMITS } from "../core/limits.ts";
import { decode, type Encoded, encode } from "../core/payload.ts";
import { parseWith } from "../core/schema.ts";
import type { InstanceRow } from "../store/rows.ts";
import { updateRow } from "../store/update-store.ts";
import { PURGED, purged } from "./answers.ts";
import { checkRunning } from "./control.ts";
import type { Engine } from "./engine.ts";
import { isCopying } from "./fork.ts";
import { stillCopying } from "./fork-source.ts";
import { presentRow } from "./present.ts";
import {
  type KeptUpdate,
  replyOf,
  UNFINISHED,
  type UpdateReference,
  type UpdateReply,
} from "./update-desk.ts";
import { refusalOf } from "./updates.ts";

export interface CallCommand {
  /** Of the handler. */
  readonly name: string;
  readonly payload: Encoded;
  readonly idempotency?: Idempotency | undefined;
}

/** The handler's reply, or where it will be. */
export type CallAnswer =
  | { readonly done: true; readonly reply: Encoded }
  | { readonly done: false; readonly pending: PendingUpdate };

/** The code that answers a call. */
interface Answering {
  readonly driver: Driver;
  readonly handler: Handler;
  /** It is the execution itself, and not a replay of it. */
  readonly live: boolean;
  readonly executionId: string;
  readonly updates: number;
}

export class Calls {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /**
   * @param until how long to wait for an update, in milliseconds since 1970
   * @throws WaymarkError `INSTANCE_NOT_FOUND`, `HANDLER_NOT_FOUND`, `INPUT_INVALID`, `HANDLER_FAILED`,
   *   `HANDLER_READ_ONLY`, `VERSION_MISSING`, `NONDETERMINISM`; of an update `UPDATE_REFUSED`, `UPDATES_FULL`,
   *   `UPDATES_EXCEEDED`, `UPDATE_UNFINISHED`, `UPDATE_REPLY_GONE`, `INSTANCE_SUSPENDED`,
   *   `INSTANCE_TERMINAL`, and those of an idempotency key
   */
  async call(id: string, command: CallCommand, until: number): Promise<CallAnswer> {
    const engine = this.#engine;
    engine.requested();
    const known = this.#known(command);
    if (known !== undefined) return this.#answer(id, command, known, until);
    const { name, payload } = command;
    const found = await this.#find(id, name);
    if (found.handler.readOnly) return this.#query(id, found, payload);
    checkTakesUpdates(presentRow(engine, id));
    const input = await inputOf(found.handler, payload);
    const update = this.#accept(id, await this.#still(id, found), command, input);
    return this.#answer(id, command, { update }, until);
  }

  /** What the key of the request stands for; undefined where it came first. */
  #known({ idempotency }: CallCommand): KeptUpdate | undefined {
    if (idempotency === undefined) return undefined;
    const kept = this.#engine.keys.find(idempotency, this.#engine.host.now());
    if (kept === PURGED) throw purged();
    return kept === undefined ? undefined : (JSON.parse(kept) as KeptUpdate);
  }

  /** @throws WaymarkError `INSTANCE_NOT_FOUND`, `HANDLER_NOT_FOUND`, `VERSION_MISSING`, `NONDETERMINISM` */
  async #find(id: string, name: string): Promise<Answering> {
    const engine = this.#engine;
    for (;;) {
      const row = presentRow(engine, id);
      if (isCopying(row)) throw stillCopying(id);
      const live = this.#live();
      const code = live ?? (await engine.past.of(row).catch(this.#unlessPast(row)));
      if (code === null) continue;
      const handler = code.driver.handlers.find(name);
      if (handler === undefined) throw notHandled(row, name);
      const { executionId } = row;
      return { ...code, handler, live: live !== null, executionId };
    }
  }

  /** What went wrong with a replay whose rows went meanwhile says nothing: null, to look again. */
  #unlessPast({ executionId }: InstanceRow): (error: unknown) => null {
    const { instance, steps } = this.#engine;
    const last = steps.lastSeq();
    return (error) => {
      const row = instance.read();
      if (row?.executionId === executionId && steps.lastSeq() === last) throw error;
      return null;
    };
  }

  /** The execution in memory, where it has come to what it never did before, and nothing is kept from it. */
  #live(): { readonly driver: Driver; readonly updates: number } | null {
    const { execution } = this.#engine;
    if (execution === null || !execution.caughtUp || execution.held || execution.strayed)
      return null;
    const { driver, updates } = execution;
    if (driver.end !== undefined || driver.divergence !== undefined) return null;
    return { driver, updates: updates.total };
  }

  /**
   * After a wait: the execution may have gone, and another one answers. A replay is not made again for what was
   * recorded meanwhile: an update is checked once more as it is delivered.
   */
  async #still(id: string, found: Answering): Promise<Answering> {
    const { driver, executionId, live, handler } = found;
    const same = live
      ? this.#live()?.driver === driver
      : presentRow(this.#engine, id).executionId === executionId;
    return same ? found : this.#find(id, handler.name);
  }

  async #query(id: string, found: Answering, payload: Encoded): Promise<CallAnswer> {
    const input = decode(await inputOf(found.handler, payload));
    const { driver, handler } = await this.#still(id, found);
    if (!handler.readOnly) throw notHandled(presentRow(this.#engine, id), handler.name);
    try {
      const reply = driver.look(handler, () => handler.run(input));
      return { done: true, reply: encode(reply, `the reply of "${handler.name}"`) };
    } catch (error) {
      throw isWaymarkError(error, "HANDLER_READ_ONLY") ? error : handlerFailed(handler.name, error);
    }
  }

  /** Keeps an update: from here on it has its effect once, whatever happens. Without a wait from its check on. */
  #accept(
    id: string,
    { driver, handler, updates }: Answering,
    command: CallCommand,
    input: Encoded,
  ): UpdateReference {
    const engine = this.#engine;
    const { keys, steps, host, execution } = engine;
    const known = this.#known(command);
    if (known !== undefined && "update" in known) return known.update; // the same request came meanwhile
    const row = presentRow(engine, id);
    checkTakesUpdates(row);
    if (handler.readOnly) throw notHandled(row, handler.name);
    const refusal = refusalOf(driver, handler, () => decode(input));
    if (refusal !== null) throw refusal;
    checkRoom(steps.updates.buffered, execution?.updates.open ?? 0, updates);
    const now = host.now();
    if (command.idempotency !== undefined) keys.checkRoom(now);
    const { name } = handler;
    const { executionId } = row;
    const sensitive = handler.sensitive || engine.hides(row);
    const update = {
      id: steps.insert(updateRow(updateName(name), "buffered", input, now, sensitive)),
      executionId,
    };
    const kept: KeptUpdate = { update };
    if (command.idempotency !== undefined)
      keys.keep(command.idempotency, JSON.stringify(kept), now);
    execution?.updates.add({
      id: update.id,
      name,
      payload: steps.kept(update.id, input, "input"),
      after: [],
    });
    if (row.status === "Running") engine.poke(now); // one that is Pending has its turn anyway
    return update;
  }

  async #answer(
    id: string,
    { name }: CallCommand,
    known: KeptUpdate,
    until: number,
  ): Promise<CallAnswer> {
    const reply = "update" in known ? await this.#reply(id, known.update, until) : kept(known);
    await this.#engine.host.committed();
    if (reply !== null) return { done: true, reply: resultOf(name, reply) };
    const { id: number, executionId } = (known as { readonly update: UpdateReference }).update;
    const step = updateIdentity(name, number);
    return { done: false, pending: { instanceId: id, executionId, call: name, step } };
  }

  /** What an update has come to, as soon as it has; null where that takes longer. */
  async #reply(
    id: string,
    { id: number, executionId }: UpdateReference,
    until: number,
  ): Promise<UpdateReply | null> {
    const { instance, steps, updates } = this.#engine;
    const row = instance.read();
    const stored = row?.executionId === executionId ? steps.updates.find(number) : undefined;
    if (row === undefined || stored === undefined) throw replyGone(id);
    const reply = replyOf(stored);
    if (reply !== null) return reply;
    return isTerminal(row.status) ? UNFINISHED : updates.wait(number, until);
  }
}

function kept(known: Exclude<KeptUpdate, { readonly update: UpdateReference }>): UpdateReply {
  if ("reply" in known) return known.reply;
  throw replyGone(null);
}

/** The input as the handler gets it. */
async function inputOf({ schema }: Handler, payload: Encoded): Promise<Encoded> {
  if (schema === null) return payload;
  return encode(await parseWith(schema, decode(payload)), "the input");
}

/** @throws WaymarkError `INSTANCE_TERMINAL`, `INSTANCE_SUSPENDED` */
function checkTakesUpdates(row: InstanceRow): void {
  checkRunning(row);
  if (row.status !== "Suspended") return;
  throw new WaymarkError(
    "INSTANCE_SUSPENDED",
    `the instance "${row.id}" is Suspended: it takes updates again when it has resumed`,
  );
}

function checkRoom(buffered: number, open: number, total: number): void {
  const { openUpdates, updates } = LIMITS;
  if (buffered >= openUpdates || open >= openUpdates) {
    throw new WaymarkError(
      "UPDATES_FULL",
      `the instance has ${buffered + open} updates that are not done, and takes ${openUpdates}. Send later`,
    );
  }
  if (total >= updates) {
    throw new WaymarkError(
      "UPDATES_EXCEEDED",
      `an execution takes ${updates} updates. A longer life goes on in a new execution: see ctx.continueAsNew`,
    );
  }
}

/** @throws WaymarkError where it failed */
function resultOf(name: string, reply: UpdateReply): Encoded {
  if (reply.ok) return reply.result;
  const { code } = reply.failure;
  const ours =
    code === "UPDATE_REFUSED" || code === "UPDATE_UNFINISHED" || code === "HANDLER_READ_ONLY";
  throw ours ? fromFailure(reply.failure) : handlerFailed(name, fromFailure(reply.failure));
}

function handlerFailed(name: string, error: unknown): WaymarkError {
  const { type, message } = toFailure(error);
  const text = `the handler "${name}" failed: ${type}: ${message}`;
  return new WaymarkError("HANDLER_FAILED", text, { cause: error });
}

function notHandled({ id, workflow }: InstanceRow, name: string): WaymarkError {
  return new WaymarkError(
    "HANDLER_NOT_FOUND",
    `the code of "${id}" has registered no handler "${name}": ${workflow} does so with ctx.handle, ` +
      "best before its first await",
  );
}

function replyGone(id: string | null): WaymarkError {
  const which = id === null ? "" : ` of "${id}"`;
  return new WaymarkError(
    "UPDATE_REPLY_GONE",
    `the execution${which} that took this update is gone, and its reply with it`,
  );
}
