/**
 * The locks that an instance holds, as its rows say, whether or not its code is in memory. An execution has one lock
 * at most that is not released, for critical sections are not nested.
 *
 * - Whatever ends the execution releases it in the same commit.
 * - Of one that goes on after a rewind within a section, the lock is asked for again before its code runs: the
 *   row keeps its place, and a row of its own stands for the wait. So a replay sees the same world (W6).
 */
import type { ParentReference } from "../core/child.ts";
import { isTerminal } from "../core/documents.ts";
import { WaymarkError } from "../core/errors.ts";
import { encodeFailure, type Failure } from "../core/failure.ts";
import { decode } from "../core/payload.ts";
import { LOCKS_AWAITED } from "../core/step.ts";
import { textOf } from "../core/stored-text.ts";
import type { Child, InstanceRow, StepRow, StepSummary } from "../store/rows.ts";
import { attemptName } from "./correspondence.ts";
import type { Engine } from "./engine.ts";
import { isWhole, lockMessage, nextLocked, unlockMessages } from "./locking.ts";
import { told } from "./reporter.ts";

/** The try of a lock step that asks an entity for its lock, and holds it. */
function callerOfLock(
  { id, executionId }: Pick<InstanceRow, "id" | "executionId">,
  { step, attempt }: Pick<StepSummary, "step" | "attempt">,
  { redo = 0 }: Child,
): ParentReference {
  return { id, executionId, step, attempt: attemptName(redo, attempt), awaited: true };
}

const childOf = ({ child }: Pick<StepSummary, "child">): Child =>
  JSON.parse(child ?? "{}") as Child;

/** The execution is over, or another one takes its place: what it holds, or has asked for, is released. */
export function releaseLocks(engine: Engine, row: InstanceRow): void {
  if (!engine.outbox.exists) return; // it has never asked for one
  for (const held of engine.steps.locks.held()) {
    const child = childOf(held);
    for (const message of unlockMessages(child, callerOfLock(row, held, child))) {
      engine.post(message);
    }
    engine.steps.locks.setChild(held.id, { ...child, released: true });
  }
}

/** Whether this try of that step holds its lock, or waits for it. */
export function holdsLock(
  engine: Engine,
  { executionId, step, attempt }: ParentReference,
): boolean {
  const row = engine.instance.read();
  if (row === undefined || row.executionId !== executionId || isTerminal(row.status)) return false;
  const open = engine.steps.find(step); // found by an index, where it is still waited for
  const held =
    open?.state === "sent" || open?.state === "arrived"
      ? open
      : engine.steps.locks.held().find((lock) => lock.step === step);
  return held?.child != null && attemptName(childOf(held).redo ?? 0, held.attempt) === attempt;
}

/** @throws WaymarkError `LOCKS_HELD` where a release of this execution is not stored with its entity yet */
export function checkReleased(engine: Engine, { id, executionId }: InstanceRow): void {
  const unsent = engine.outbox.unlocking(executionId);
  if (unsent.length === 0) return;
  throw new WaymarkError(
    "LOCKS_HELD",
    `the instance "${id}" has ended, and ${unsent.join(", ")} has not stored yet that its lock is released; ` +
      "send the request again later",
  );
}

/** A rewind leaves the execution within a section: its lock is asked for again. */
export function lockAgain(engine: Engine, row: InstanceRow, lock: StepRow, redo: number): void {
  const at = engine.host.now();
  const child = nextLocked(null, entitiesOf(lock), redo);
  engine.steps.locks.setChild(lock.id, child);
  engine.steps.insert({
    ...{ seq: null, step: LOCKS_AWAITED, kind: "lock", state: "sent", asked: null, attempt: 1 },
    ...{ due: null, input: null, result: null, failure: null, lastProcessedId: null },
    ...{ progress: null, child: JSON.stringify(child), startedAt: at, at },
  });
  engine.post(lockMessage(child, callerOfLock(row, lock, child)));
}

/** Whether an execution waits for the locks that it held before its rewind: its code does not run until then. */
export const awaitsLocks = (engine: Engine, { rewinds }: InstanceRow): boolean =>
  rewinds > 0 && engine.steps.locks.awaited() !== undefined;

/** An entity has granted a lock that is asked for again. Returns whether it is one of those. */
export function grantedAgain(engine: Engine, caller: ParentReference, entity: string): boolean {
  const row = engine.instance.read();
  if (row === undefined || !awaitsLocks(engine, row)) return false;
  const [awaited, lock] = [engine.steps.locks.awaited(), engine.steps.locks.find(caller.step)];
  if (awaited === undefined || lock === undefined || childOf(awaited).id !== entity) return true;
  const entities = entitiesOf(lock);
  const before = childOf(lock);
  if (isWhole(before, { entities })) {
    engine.steps.delete(awaited.id);
    if (row.heldAt === null) engine.poke(engine.host.now());
    return true;
  }
  const child = nextLocked(before, entities, before.redo ?? 0);
  engine.steps.locks.setChild(lock.id, child);
  engine.steps.locks.setChild(awaited.id, child);
  engine.post(lockMessage(child, callerOfLock(row, lock, child)));
  return true;
}

/** An entity refuses a lock that is asked for again: the execution cannot go on where it was. */
export function refusedAgain(engine: Engine, caller: ParentReference, failure: Failure): boolean {
  const row = engine.instance.read();
  if (row === undefined || !awaitsLocks(engine, row) || !holdsLock(engine, caller)) return false;
  const error = encodeFailure(failure);
  const at = engine.host.now();
  engine.end(row, { status: "Failed", output: null, error, at }, told(failure));
  return true;
}

const entitiesOf = ({ input }: Pick<StepRow, "input">): readonly string[] =>
  input === null ? [] : (decode(textOf(input)) as string[]);
