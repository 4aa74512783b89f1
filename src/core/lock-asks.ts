/** `ctx.lock` of a workflow, and the release of what it has locked: each is a step. */
import type { StepOptions } from "./context.ts";
import type { Driver } from "./driver.ts";
import { type Duration, durationMillis } from "./duration.ts";
import { ADDRESS, checkEntityKey, entityAt, type Lockable } from "./entity.ts";
import { WaymarkError } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import { encode } from "./payload.ts";
import type { LockRequest } from "./step.ts";

/** Entities that this execution has to itself, until it releases them or ends. */
export interface Lock extends Disposable, AsyncDisposable {
  /**
   * Lets the others have them again. What was asked of them before still runs in the section. A second call does
   * nothing. It need not be awaited: the promise resolves when the release is stored and on its way.
   */
  release(): Promise<void>;
}

export interface LockOptions extends StepOptions {
  /** How long to wait for all of them together; without it, for ever. */
  readonly timeout?: Duration;
}

/** See {@link WorkflowContext.lock}. */
export interface LockMethod {
  (...entities: readonly [Lockable, ...Lockable[]]): Promise<Lock>;
  (entities: readonly Lockable[], options?: LockOptions): Promise<Lock>;
}

/** @throws WaymarkError `DEFINITION_INVALID`, `LOCK_TOO_LARGE`, `NAME_INVALID`, `DURATION_INVALID`, and what breaks a rule */
export function askLock(driver: Driver, given: readonly unknown[]): Promise<unknown> {
  const [first] = given;
  const [listed, options] = Array.isArray(first)
    ? [first as unknown[], (given[1] ?? {}) as LockOptions]
    : [given, {} as LockOptions];
  const { key, signal, timeout } = options;
  const entities = [...new Set(listed.map(addressOf))].sort(byCodeUnits);
  if (entities.length === 0) throw nothingToLock();
  if (entities.length > LIMITS.lockedEntities) throw tooMany(entities.length);
  const timeoutMillis = timeout === undefined ? null : durationMillis(timeout);
  const request: LockRequest = { kind: "lock", entities, timeoutMillis };
  const input = encode(entities, "the entities of a lock");
  const made = (step: string): Lock => {
    const release = () => driver.release(step) as Promise<void>;
    const dispose = () => void release();
    return { release, [Symbol.dispose]: dispose, [Symbol.asyncDispose]: release };
  };
  return driver.ask({ name: "lock", key, input, request, signal, made });
}

function addressOf(one: unknown): string {
  const address = typeof one === "object" && one !== null ? (one as Lockable)[ADDRESS] : undefined;
  if (typeof address !== "string") throw noEntity();
  checkEntityKey(entityAt(address).key);
  return address;
}

/** The same everywhere, and for ever: no language's order. */
const byCodeUnits = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const nothingToLock = (): WaymarkError =>
  new WaymarkError("DEFINITION_INVALID", "ctx.lock takes at least one entity");

const noEntity = (): WaymarkError =>
  new WaymarkError(
    "DEFINITION_INVALID",
    "ctx.lock takes entities as ctx.entity returns them: ctx.lock(ctx.entity(account, key))",
  );

const tooMany = (count: number): WaymarkError =>
  new WaymarkError(
    "LOCK_TOO_LARGE",
    `a lock takes at most ${LIMITS.lockedEntities} entities, and not ${count}`,
  );
