/**
 * Suspension by a person: how it is written, and what it does to the memory and the alarm. Each is one
 * commit. The turn sees to the rest (`hold` in turn.ts).
 */
import { encodeFailure, type Failure } from "../core/failure.ts";
import type { InstanceRow } from "../store/rows.ts";
import type { Engine } from "./engine.ts";
import { told } from "./reporter.ts";

/** Nothing new starts, and nothing wakes the instance until it is resumed. */
export function hold(engine: Engine, row: InstanceRow, reason: Failure): void {
  const at = engine.host.now();
  const error = encodeFailure(reason);
  engine.instance.setHeld({ error, at });
  engine.become({ ...row, status: "Suspended", error, heldAt: at, updatedAt: at });
  engine.still();
  engine.tell(row, "instance.suspended", told(reason));
}

/**
 * It may go on: at once, or at the moment it was to start at. Where the engine has suspended it, the
 * stored due is the moment of its next look, which is now.
 */
export function release(engine: Engine, row: InstanceRow): void {
  const at = engine.host.now();
  const status = row.startedAt === null && row.round === 1 ? "Pending" : "Running";
  const startAt = status === "Pending" && row.suspensions === 0 ? row.due : null;
  const due = startAt ?? at;
  engine.instance.setReleased({ status, due, at });
  engine.become({ ...row, status, due, error: null, heldAt: null, suspensions: 0, updatedAt: at });
  engine.poke(due);
  engine.tell(row, "instance.resumed");
}

/** An instance that the engine has suspended looks again at once. */
export function lookNow(engine: Engine, row: InstanceRow): void {
  const at = engine.host.now();
  engine.instance.setLooking(at);
  engine.become({ ...row, due: at, suspensions: 0, updatedAt: at });
  engine.poke(at);
}
