/** Events that come to an instance, from requests and from other instances. */
import { WaymarkError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { nameOf } from "../core/names.ts";
import type { Encoded } from "../core/payload.ts";
import { byteLength } from "../core/stored-text.ts";
import type { InstanceRow } from "../store/rows.ts";
import type { Buffered } from "../store/step-store.ts";
import { checkRunning } from "./control.ts";
import type { Engine } from "./engine.ts";

export interface NewEvent {
  readonly event: string;
  readonly payload: Encoded;
  readonly sensitive?: boolean | undefined;
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
  const id = engine.steps.bufferEvent(
    event.event,
    event.payload,
    now,
    isHidden(engine, row, event),
  );
  announce(engine, row, id, event, now);
  return id;
}

/** Whether its sender, its instance, or a wait for it says so. */
function isHidden(engine: Engine, row: InstanceRow, { event, sensitive }: NewEvent): boolean {
  const { execution, steps } = engine;
  if (sensitive || engine.hides(row)) return true;
  if (execution !== null) return execution.hidesEvent(event);
  return steps.open().some((step) => step.sensitive === 1 && isWaitFor(step, event));
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
  execution?.buffer(id, event, steps.kept(id, payload));
  if (row.heldAt !== null) return; // kept until it is resumed
  const waits = execution?.waitsFor(event) ?? steps.open().some((step) => isWaitFor(step, event));
  if (waits) engine.poke(now);
}

function checkRoom({ count, bytes }: Buffered, payload: Encoded): void {
  const { bufferedEvents, bufferedEventsBytes } = LIMITS;
  if (count < bufferedEvents && bytes + byteLength(payload) <= bufferedEventsBytes) return;
  throw new WaymarkError(
    "EVENT_BUFFER_FULL",
    `the instance keeps ${count} events nobody has waited for, of ${bytes} bytes; ` +
      `it takes ${bufferedEvents} of ${bufferedEventsBytes} together. Send later`,
  );
}

const isWaitFor = (step: { kind: string; step: string }, event: string): boolean =>
  step.kind === "event" && nameOf(step.step) === event;
