/**
 * The critical section that an execution is in: which entities it has locked, or waits for, and what its code
 * may not ask for meanwhile. The rules are those of Azure's durable entities ("critical sections"): with them no
 * two executions can wait for each other, and what is read of a locked entity stays so until it is released.
 *
 * W6: what is refused follows from what the code has asked for and was delivered, and from nothing else.
 */
import { WaymarkError } from "./errors.ts";
import type { StepIdentity } from "./names.ts";
import type { LockRequest, StepRequest } from "./step.ts";

interface Section {
  readonly lock: StepIdentity;
  readonly entities: readonly string[];
  granted: boolean;
}

export class CriticalSection {
  #section: Section | null = null;

  /** The lock that the code holds; null where it holds none. */
  get held(): StepIdentity | null {
    return this.#section?.granted ? this.#section.lock : null;
  }

  /** Whether it is of this lock: held, or waited for. */
  isOf(lock: StepIdentity): boolean {
    return this.#section?.lock === lock;
  }

  /**
   * Refuses what the code may not ask for now.
   *
   * @param open the steps that it waits for
   * @throws WaymarkError `LOCK_NESTED`, `LOCK_CHILD`, `LOCK_ENTITY_OPEN`, `LOCK_ENTITY_FOREIGN`
   */
  check(request: StepRequest, open: () => Iterable<StepRequest>): void {
    if (request.kind === "lock") this.#checkLock(request, open());
    const section = this.#section;
    if (section === null || !section.granted) return;
    if (request.kind === "child" || request.kind === "start") throw noChild(request.workflow);
    if (request.kind !== "entity" || !request.awaited) return;
    if (!section.entities.includes(request.to)) throw foreign(request.to, section);
    if (isCalled(request.to, open())) throw calledTwice(request.to);
  }

  #checkLock({ entities }: LockRequest, open: Iterable<StepRequest>): void {
    if (this.#section !== null) throw nested(this.#section);
    const called = [...open].find((step) => isCall(step) && entities.includes(step.to));
    if (called !== undefined && isCall(called)) throw calledMeanwhile(called.to);
  }

  /** The code has asked for a lock. */
  ask(lock: StepIdentity, { entities }: LockRequest): void {
    this.#section = { lock, entities, granted: false };
  }

  grant(lock: StepIdentity): void {
    if (this.#section?.lock === lock) this.#section.granted = true;
  }

  /** The lock is released, or will not be granted. */
  leave(lock: StepIdentity): void {
    if (this.#section?.lock === lock) this.#section = null;
  }
}

type Call = Extract<StepRequest, { kind: "entity" }>;

const isCall = (step: StepRequest): step is Call => step.kind === "entity" && step.awaited;

function isCalled(entity: string, open: Iterable<StepRequest>): boolean {
  for (const step of open) if (isCall(step) && step.to === entity) return true;
  return false;
}

const nested = ({ entities, granted }: Section): WaymarkError =>
  new WaymarkError(
    "LOCK_NESTED",
    `the code ${granted ? "holds" : "waits for"} a lock on ${entities.join(", ")}: release it before the ` +
      "next one, or lock all that is needed at once",
  );

const noChild = (workflow: string): WaymarkError =>
  new WaymarkError(
    "LOCK_CHILD",
    `"${workflow}" may not be started while the code holds a lock, for which it might wait itself: ` +
      "release the lock first",
  );

const foreign = (entity: string, { entities }: Section): WaymarkError =>
  new WaymarkError(
    "LOCK_ENTITY_FOREIGN",
    `${entity} is not locked, and may not be called while the code holds a lock on ${entities.join(", ")}: ` +
      "lock it with them, or send it a signal",
  );

const calledTwice = (entity: string): WaymarkError =>
  new WaymarkError(
    "LOCK_ENTITY_OPEN",
    `a call of ${entity} has not ended: while it is locked, it is called once at a time`,
  );

const calledMeanwhile = (entity: string): WaymarkError =>
  new WaymarkError(
    "LOCK_ENTITY_OPEN",
    `a call of ${entity} has not ended: await it before you lock that entity`,
  );

/** Code whose section is longer than that of its history: what it believes to have locked is not. */
export const releasedBefore = (lock: StepIdentity): WaymarkError =>
  new WaymarkError(
    "NONDETERMINISM",
    `the lock "${lock}" is recorded as released, and the code holds it still where its history ends. Deploy ` +
      "code that releases it there; the instance then goes on",
  );
