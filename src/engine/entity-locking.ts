/**
 * Who holds an entity. A request for its lock stands in the queue of its operations, and so does the release, behind
 * what the holder has sent before it; in between `EntityStore.next` takes only what is the holder's.
 *
 * - A lock is taken from its holder by its release alone, or because the holder's instance says that it does not
 *   hold it: no silence, and no time, is taken for an answer.
 * - While nobody waits behind it, nothing is asked, and the entity is not woken.
 */
import type { ParentReference } from "../core/child.ts";
import { ENCODED_UNDEFINED } from "../core/payload.ts";
import type { EntityLock, EntityRow, EntityStore, OperationRow } from "../store/entity-store.ts";
import type { Courier, Outgoing } from "./courier.ts";
import type { LockMessage } from "./message.ts";

/** What stands in the queue in the place of an operation: no operation's name has parentheses. */
export const LOCK_ASKED = "(lock)";
export const LOCK_RELEASED = "(unlock)";

/** Waits before the holder is asked whether it is still there: from half a minute, doubling, to five minutes. */
const PROBE_MILLIS = { first: 30_000, most: 300_000 } as const;

export class EntityLocking {
  readonly #store: EntityStore;
  readonly #courier: Courier;
  readonly #removed: (id: number) => void;

  /** @param removed told of what leaves the queue without its turn */
  constructor(store: EntityStore, courier: Courier, removed: (id: number) => void) {
    this.#store = store;
    this.#courier = courier;
    this.#removed = removed;
  }

  get #lock(): EntityLock | null {
    return this.#store.read()?.lock ?? null;
  }

  /**
   * An execution releases its lock, or takes its request back.
   *
   * @returns the id of what stands in the queue for it; null where it was waiting, or is not known any more
   */
  take(caller: ParentReference, token: string, at: number): number | null {
    for (const row of this.#store.requests(LOCK_ASKED)) {
      if (!isSame(callerOf(row), caller)) continue;
      this.#store.remove(row);
      this.#removed(row.id);
      return null;
    }
    if (!isSame(this.#lock?.holder, caller)) return null;
    const nobody = { idempotency: null, due: null, input: ENCODED_UNDEFINED };
    const operation = { operation: LOCK_RELEASED, caller: JSON.stringify(caller), token, at };
    return this.#store.add({ ...nobody, ...operation });
  }

  /** Whether what has its turn is about the lock, and no operation; if so, it is done. */
  perform(entity: EntityRow, row: OperationRow, address: string, now: number): boolean {
    const caller = callerOf(row);
    if (caller === null) return false;
    if (row.operation === LOCK_ASKED) {
      // First, for a codec may fail to write it: a lock without its grant would be held for ever.
      this.#courier.post(this.#message("grant", entity, caller, address), now);
      this.#store.remove(row);
      this.#store.setLock({ holder: caller, at: now, probes: 0, probedAt: 0 });
      return true;
    }
    if (row.operation !== LOCK_RELEASED) return false;
    this.#store.remove(row);
    if (isSame(this.#lock?.holder, caller)) this.#free(now);
    return true;
  }

  #free(now: number): void {
    this.#store.setLock(null);
    if (this.#store.read()?.present === false) this.#store.touch(now);
  }

  /**
   * The instance of a holder has refused a grant, or said that it does not hold the lock: it is past. Where its release
   * is in the queue already, that has its turn behind what was sent before it, which belongs to the section.
   */
  refused(caller: ParentReference, now: number): void {
    if (!isSame(this.#lock?.holder, caller)) return;
    const releases = this.#store.requests(LOCK_RELEASED);
    if (!releases.some((row) => isSame(callerOf(row), caller))) this.#free(now);
  }

  /** When the holder is to be asked next; null where nobody waits, or it was asked and has not answered. */
  probeDue(): number | null {
    const lock = this.#lock;
    if (lock === null || this.#courier.hasFor(lock.holder.id)) return null;
    const since = this.#store.waitingSince();
    if (since === null) return null;
    const wait = Math.min(PROBE_MILLIS.first * 2 ** lock.probes, PROBE_MILLIS.most);
    return Math.max(since, lock.at, lock.probedAt) + wait;
  }

  /** Asks the holder's instance whether it holds the lock, where that is due. */
  probe(address: string, now: number): void {
    const entity = this.#store.read();
    const due = this.probeDue();
    if (entity?.lock == null || due === null || due > now) return;
    const { lock } = entity;
    this.#courier.post(this.#message("probe", entity, lock.holder, address), now);
    this.#store.setLock({ ...lock, probes: lock.probes + 1, probedAt: now });
  }

  #message(
    kind: LockMessage["kind"],
    { sender }: EntityRow,
    caller: ParentReference,
    entity: string,
  ): Outgoing {
    return {
      target: caller.id,
      executionId: sender,
      step: null,
      content: { kind, caller, entity },
    };
  }
}

const callerOf = ({ caller }: Pick<OperationRow, "caller">): ParentReference | null =>
  caller === null ? null : (JSON.parse(caller) as ParentReference);

/** Whether it is the same try of the same step. */
const isSame = (one: ParentReference | null | undefined, other: ParentReference): boolean =>
  one != null &&
  one.executionId === other.executionId &&
  one.step === other.step &&
  one.attempt === other.attempt;
