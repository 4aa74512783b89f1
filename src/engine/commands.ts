/**
 * What others ask of an instance: start, events, control, and reading it. Each command writes in
 * one go, without a wait, so that it happens whole or not at all.
 */
import {
  type EventReceipt,
  type HistoryPage,
  type Idempotency,
  type InstanceDocument,
  isTerminal,
  type OnConflict,
  type StartReceipt,
} from "../core/documents.ts";
import { WaymarkError } from "../core/errors.ts";
import type { StoredHistoryPage } from "../core/history.ts";
import { jsonLength } from "../core/json-text.ts";
import { LIMITS } from "../core/limits.ts";
import { nameOf } from "../core/names.ts";
import type { Encoded } from "../core/payload.ts";
import { byteLength } from "../core/stored-text.ts";
import type { InstanceRow, StepRow } from "../store/rows.ts";
import type { Buffered } from "../store/step-store.ts";
import { Answers, type Short, shortAlready } from "./answers.ts";
import { Control, type ControlCommand, checkRunning, type GivenExecution } from "./control.ts";
import type { Engine } from "./engine.ts";
import { storedExecution, storedStep } from "./export-history.ts";
import { type NewExecution, newInstance } from "./new-instance.ts";
import { documentOf, presentRow } from "./present.ts";
import { historyItem } from "./view.ts";

/** A start, with its input already checked and encoded. */
export interface StartCommand extends NewExecution {
  readonly onConflict: OnConflict;
  readonly idempotency?: Idempotency | undefined;
}

export interface EventCommand {
  readonly event: string;
  readonly payload: Encoded;
  readonly idempotency?: Idempotency | undefined;
}

/** Rows of a history read at a time; what is large of them is read as it is shown. */
const HISTORY_CHUNK = 16;

/** Part of a list; `cursor` is null at its end. */
interface Page<Item> {
  readonly items: readonly Item[];
  readonly cursor: string | null;
}

export class Commands {
  readonly #engine: Engine;
  readonly #answers: Answers;
  readonly #control: Control;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#answers = new Answers(engine.keys, engine.host);
    this.#control = new Control(engine, this.#answers);
  }

  /** @throws WaymarkError `INSTANCE_EXISTS`, `IDEMPOTENCY_KEY_REUSED`, `IDEMPOTENCY_KEYS_FULL` */
  start(command: StartCommand): StartReceipt {
    const shortStart: Short<StartReceipt, { readonly created: boolean }> = {
      of: ({ created }) => ({ created }),
      expand: ({ created }) => ({ created, document: this.#document(this.#row(command.id)) }),
    };
    return this.#answers.once(command.idempotency, shortStart, () => {
      const existing = this.#engine.instance.read();
      if (existing !== undefined) this.#engine.requested();
      if (existing !== undefined && command.onConflict === "existing") {
        return { created: false, document: this.#document(existing) };
      }
      if (existing !== undefined) checkReplaceable(existing, command.onConflict);
      const row = newInstance(command, this.#engine.host);
      if (existing !== undefined) this.#engine.steps.deleteAll();
      else this.#engine.tombstone.clear();
      this.#engine.instance.write(row);
      this.#engine.begin(row);
      return { created: true, document: this.#document(row) };
    });
  }

  /** @throws WaymarkError `INSTANCE_NOT_FOUND` */
  get(id: string): InstanceDocument {
    this.#engine.requested();
    return this.#document(this.#row(id));
  }

  /** The instance once it has ended, or as it is at that moment. */
  async whenEnded(id: string, until: number): Promise<InstanceDocument> {
    const document = this.get(id);
    if (isTerminal(document.status)) return document;
    await this.#engine.ends.wait(until);
    return this.get(id);
  }

  /** @throws WaymarkError `INSTANCE_NOT_FOUND` */
  history(id: string, after: number, limit: number): HistoryPage {
    this.#engine.requested();
    this.#row(id);
    return this.#page(after, limit, historyItem);
  }

  /**
   * The execution as it is stored, a page of its steps at a time.
   *
   * @throws WaymarkError `INSTANCE_NOT_FOUND`
   */
  export(id: string, after: number, limit: number): StoredHistoryPage {
    this.#engine.requested();
    const row = this.#row(id);
    const { items: steps, cursor } = this.#page(after, limit, storedStep);
    return { ...storedExecution(row), steps, cursor };
  }

  /** Steps after a row's id, as they are shown; fewer than asked for where they are large. */
  #page<Item>(after: number, limit: number, show: (row: StepRow) => Item): Page<Item> {
    const items: Item[] = [];
    let last = after;
    let length = 0;
    for (;;) {
      const rows = this.#engine.steps.page(last, HISTORY_CHUNK);
      for (const row of rows) {
        if (items.length === limit || length > LIMITS.historyPageLength) {
          return { items, cursor: String(last) };
        }
        const item = show(row);
        items.push(item);
        length += jsonLength(item, LIMITS.historyPageLength); // as shown: a shared value is stored once
        last = row.id;
      }
      if (rows.length < HISTORY_CHUNK) return { items, cursor: null };
    }
  }

  /** @throws WaymarkError `INSTANCE_NOT_FOUND`, `INSTANCE_TERMINAL`, `EVENT_BUFFER_FULL` */
  sendEvent(id: string, command: EventCommand): EventReceipt {
    const engine = this.#engine;
    engine.requested();
    return this.#answers.once(command.idempotency, shortAlready<EventReceipt>(), () => {
      const row = this.#row(id);
      checkRunning(row);
      checkEventRoom(engine.steps.buffered(), command.payload);
      const now = engine.host.now();
      const eventId = engine.steps.bufferEvent(command.event, command.payload, now);
      this.#announce(row, eventId, command, now);
      return { ...receiptOf(row, command), eventId };
    });
  }

  /** Wakes the instance only where something waits for the event: a stored one costs one row. */
  #announce(row: InstanceRow, eventId: number, command: EventCommand, now: number): void {
    const { execution, steps } = this.#engine;
    const { event, payload } = command;
    execution?.buffer(eventId, event, steps.kept(eventId, payload));
    if (row.heldAt !== null) return; // kept until it is resumed
    const waits = execution?.waitsFor(event) ?? steps.open().some((step) => isWaitFor(step, event));
    if (waits) this.#engine.poke(now);
  }

  /** @throws WaymarkError `INSTANCE_NOT_FOUND`, `INSTANCE_TERMINAL` */
  suspend(id: string, command: ControlCommand): InstanceDocument {
    return this.#control.suspend(id, command);
  }

  /** @throws WaymarkError `INSTANCE_NOT_FOUND`, `INSTANCE_TERMINAL` */
  resume(id: string, command: ControlCommand): InstanceDocument {
    return this.#control.resume(id, command);
  }

  /** @throws WaymarkError `INSTANCE_NOT_FOUND`, `INSTANCE_TERMINAL` */
  terminate(id: string, command: ControlCommand): InstanceDocument {
    return this.#control.terminate(id, command);
  }

  /**
   * A new execution with the same input and tags, of the newest version; what runs is stopped.
   *
   * @throws WaymarkError `INSTANCE_NOT_FOUND`, `WORKFLOW_NOT_FOUND`
   */
  restart(id: string, command: ControlCommand): InstanceDocument {
    return this.#control.restart(id, command);
  }

  /**
   * What the instance was started with.
   *
   * @throws WaymarkError `INSTANCE_NOT_FOUND`
   */
  given(id: string): GivenExecution {
    return this.#control.given(id);
  }

  /**
   * Removes an instance that has ended; with `force`, ends it first. Again, it does nothing more.
   *
   * @throws WaymarkError `INSTANCE_NOT_FOUND`, `INSTANCE_NOT_TERMINAL`
   */
  purge(id: string, force: boolean): void {
    this.#control.purge(id, force);
  }

  #row(id: string): InstanceRow {
    return presentRow(this.#engine, id);
  }

  #document(row: InstanceRow): InstanceDocument {
    return documentOf(this.#engine, row);
  }
}

function checkReplaceable(existing: InstanceRow, onConflict: OnConflict): void {
  const ended = isTerminal(existing.status);
  if (onConflict === "replace" || (onConflict === "replaceFinished" && ended)) return;
  const choices = ended ? '"existing", "replaceFinished" or "replace"' : '"existing" or "replace"';
  throw new WaymarkError(
    "INSTANCE_EXISTS",
    `there is an instance "${existing.id}" of ${existing.workflow}, ${existing.status}. ` +
      `Choose another id, or say with onConflict what to do: ${choices}`,
  );
}

function checkEventRoom({ count, bytes }: Buffered, payload: Encoded): void {
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

const receiptOf = (row: InstanceRow, { event }: EventCommand): Omit<EventReceipt, "eventId"> => ({
  instanceId: row.id,
  executionId: row.executionId,
  event,
});
