/**
 * What a step that locks entities sends. They are asked for one after the other, in the order of their addresses:
 * so no two executions wait for each other. What goes to one entity goes by one way, so that a release always
 * arrives behind the request that it takes back.
 */
import type { ParentReference } from "../core/child.ts";
import { WaymarkError } from "../core/errors.ts";
import { engineFailure } from "../core/failure.ts";
import type { StepIdentity } from "../core/names.ts";
import type { LockRequest } from "../core/step.ts";
import type { Child } from "../store/rows.ts";
import type { Outgoing } from "./courier.ts";
import type { Answered } from "./message.ts";

/** The next of a lock's entities is asked for: what the step's row keeps, beside those asked for before. */
export function nextLocked(child: Child | null, entities: readonly string[], redo: number): Child {
  const locks = entities.slice(0, (child?.locks?.length ?? 0) + 1);
  const again = redo === 0 ? {} : { redo };
  return { id: locks.at(-1) ?? "", parentClose: "abandon", ...again, locks };
}

/** Whether all of a lock's entities have granted it, once the one that was asked last has. */
export const isWhole = (child: Child | null, { entities }: Pick<LockRequest, "entities">) =>
  (child?.locks?.length ?? 0) >= entities.length;

/** Asks the entity that comes next for its lock. */
export function lockMessage({ id }: Child, caller: ParentReference): Outgoing {
  const { executionId, step } = caller;
  return { target: id, executionId, step, content: { kind: "lock", caller } };
}

/** Releases what was asked for, or takes the request back. */
export function unlockMessages({ locks = [] }: Child, caller: ParentReference): Outgoing[] {
  const { executionId } = caller;
  const content = { kind: "unlock", caller } as const;
  return locks.map((target) => ({ target, executionId, step: null, content }));
}

/** A lock whose entities were not all granted in time. */
export function lockTimeout(step: StepIdentity, millis: number, child: Child | null): Answered {
  const waited = child === null ? "" : `: ${child.id} is held by others`;
  const error = new WaymarkError(
    "LOCK_TIMEOUT",
    `"${step}" was not granted within ${millis} ms${waited}. What had been granted is released`,
  );
  return { ok: false, failure: engineFailure(error), final: true };
}
