/**
 * Where requests wait for what an update comes to, and what the keys of updates stand for. A reply is in the
 * update's row; where the rows go and the instance stays, it moves to the key.
 */
import { WaymarkError } from "../core/errors.ts";
import { decodeFailure, encodeFailure, engineFailure, type Failure } from "../core/failure.ts";
import { ENCODED_UNDEFINED, type Encoded } from "../core/payload.ts";
import type { KeyStore } from "../store/key-store.ts";
import type { UpdateRow, UpdateStore } from "../store/update-store.ts";
import type { Host } from "./host.ts";

/** What an update has come to. */
export type UpdateReply =
  | { readonly ok: true; readonly result: Encoded }
  | { readonly ok: false; readonly failure: Failure };

/** An accepted update: the id of its row, and the execution that has it. */
export interface UpdateReference {
  readonly id: number;
  readonly executionId: string;
}

/** What the key of an update stands for; a reply too long to keep is gone with its row. */
export type KeptUpdate =
  | { readonly update: UpdateReference }
  | { readonly reply: UpdateReply }
  | { readonly gone: true };

/** How the answers begin whose update has its row. */
const WITH_ROW = '{"update":';
/** Characters of a reply that is kept with its key. */
const KEPT_REPLY_LENGTH = 65_536;

export class UpdateDesk {
  readonly #host: Pick<Host, "napUntil">;
  readonly #keys: KeyStore;
  readonly #store: UpdateStore;
  readonly #waiting = new Map<number, Set<(reply: UpdateReply) => void>>();

  constructor(host: Pick<Host, "napUntil">, keys: KeyStore, store: UpdateStore) {
    this.#host = host;
    this.#keys = keys;
    this.#store = store;
  }

  /** What it comes to; null where that takes longer. */
  async wait(id: number, until: number): Promise<UpdateReply | null> {
    const nap = this.#host.napUntil(until);
    let tell = (_: UpdateReply) => {};
    const told = new Promise<UpdateReply>((resolve) => {
      tell = resolve;
    });
    const waiting = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, waiting.add(tell));
    const reply = await Promise.race([told, nap.over.then(() => null)]);
    waiting.delete(tell);
    if (waiting.size === 0 && this.#waiting.get(id) === waiting) this.#waiting.delete(id);
    nap.cancel();
    return reply;
  }

  /** It is done: the reply is written, and not yet durable. */
  tell(id: number, reply: UpdateReply): void {
    for (const tell of this.#waiting.get(id) ?? []) tell(reply);
    this.#waiting.delete(id);
  }

  /** The execution has ended: what is not done will not be, but for those that the next one takes along. */
  abandon(carried: readonly number[] = []): void {
    for (const id of [...this.#waiting.keys()]) {
      if (!carried.includes(id)) this.tell(id, UNFINISHED);
    }
  }

  /**
   * The rows of an execution are about to go: their keys get the replies.
   *
   * @param next the execution that takes along what is not delivered; null where none does
   */
  settle(executionId: string, next: string | null): void {
    for (const { key, answer } of this.#keys.beginningWith(WITH_ROW)) {
      const { update } = JSON.parse(answer) as { readonly update: UpdateReference };
      if (update.executionId !== executionId) continue;
      this.#keys.replace(key, JSON.stringify(this.#kept(update.id, next)));
    }
  }

  #kept(id: number, next: string | null): KeptUpdate {
    const row = this.#store.find(id);
    if (row?.state === "buffered" && next !== null) return { update: { id, executionId: next } };
    const reply = row === undefined ? UNFINISHED : (replyOf(row) ?? UNFINISHED);
    const long = reply.ok && reply.result.length > KEPT_REPLY_LENGTH;
    return long ? { gone: true } : { reply };
  }
}

/** The answer of a row; null where it has none yet. */
export function replyOf({ state, result, failure }: UpdateRow): UpdateReply | null {
  if (state === "done") return { ok: true, result: result ?? ENCODED_UNDEFINED };
  if (state === "failed" && failure !== null) return { ok: false, failure: decodeFailure(failure) };
  return null;
}

/** The row of a reply. */
export const rowOf = (reply: UpdateReply): UpdateRow =>
  reply.ok
    ? { state: "done", result: reply.result, failure: null }
    : { state: "failed", result: null, failure: encodeFailure(reply.failure) };

export const UNFINISHED: UpdateReply = {
  ok: false,
  failure: engineFailure(
    new WaymarkError(
      "UPDATE_UNFINISHED",
      "the execution ended before the update was done; part of what its handler does may have happened",
    ),
  ),
};
