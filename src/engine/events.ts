/** Events that come to an instance, from requests and from other instances. */
import { WaymarkError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { nameOf } from "../core/names.ts";
import type { Encoded } from "../core/payload.ts";
import type { InstanceRow } from "../store/rows.ts";
import { checkRunning } from "./control.ts";
import type { Engine } from "./engine.ts";

export interface NewEvent {
  readonly event: string;
  readonly payload: Encoded;
}

/**
 * Keeps an event until a step waits for it; returns its id.
 *
 * @throws WaymarkError `INSTANCE_TERMINAL`, `EVENT_BUFFER_FULL`
 */
export function acceptEvent(engine: Engine, row: InstanceRow, event: NewEvent): number {
  checkRunning(row);
  checkRoom(engine.steps.buffered(), event.payload);
  const now = engine.host.now();
  const id = engine.steps.bufferEvent(event.event, event.payload, now);
  announce(engine, row, id, event, now);
  return id;
}

/** Wakes the instance only where something waits for the event: a stored one costs one row. */
function announce(
  engine: Engine,
  row: InstanceRow,
  id: number,
  { event, payload }: NewEvent,
  now: number,
): void {
  const { execution, steps } = engine;
  execution?.buffer(id, event, payload);
  if (row.heldAt !== null) return; // kept until it is resumed
  const waits = execution?.waitsFor(event) ?? steps.open().some((step) => isWaitFor(step, event));
  if (waits) engine.poke(now);
}

function checkRoom(buffered: { count: number; length: number }, payload: Encoded): void {
  const full =
    buffered.count >= LIMITS.bufferedEvents ||
    buffered.length + payload.length > LIMITS.bufferedEventsLength;
  if (!full) return;
  throw new WaymarkError(
    "EVENT_BUFFER_FULL",
    `the instance keeps ${buffered.count} events nobody has waited for, of ${buffered.length} ` +
      `characters; it takes ${LIMITS.bufferedEvents} of ${LIMITS.bufferedEventsLength}. Send later`,
  );
}

const isWaitFor = (step: { kind: string; step: string }, event: string): boolean =>
  step.kind === "event" && nameOf(step.step) === event;
