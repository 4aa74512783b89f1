/**
 * What others ask of an instance: start, events, terminate, and reading it. Each command writes in
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
import { encodeFailure, type Failure } from "../core/failure.ts";
import type { StoredHistoryPage } from "../core/history.ts";
import { LIMITS } from "../core/limits.ts";
import { nameOf } from "../core/names.ts";
import type { Encoded } from "../core/payload.ts";
import type { InstanceRow, StepRow } from "../store/rows.ts";
import type { Engine } from "./engine.ts";
import { storedExecution, storedStep } from "./export-history.ts";
import { historyItem, instanceDocument } from "./view.ts";

/** A start, with its input already checked and encoded. */
export interface StartCommand {
  readonly id: string;
  readonly workflow: string;
  readonly version: string;
  readonly input: Encoded;
  readonly tags: { readonly [name: string]: string };
  readonly onConflict: OnConflict;
  /** Milliseconds since 1970; at once if left out. */
  readonly startAt?: number | undefined;
  readonly idempotency?: Idempotency | undefined;
}

export interface EventCommand {
  readonly event: string;
  readonly payload: Encoded;
  readonly idempotency?: Idempotency | undefined;
}

export interface TerminateCommand {
  readonly reason: string | null;
  readonly idempotency?: Idempotency | undefined;
}

/** A longer answer is not kept with its idempotency key: it is then made from the present state. */
const KEPT_ANSWER_LENGTH = 65_536;

/** Rows of a history read at a time: each may hold 2 MB. */
const HISTORY_CHUNK = 16;

/** Part of a list; `cursor` is null at its end. */
interface Page<Item> {
  readonly items: readonly Item[];
  readonly cursor: string | null;
}

/** How an answer too long to keep is kept in part, and made whole from the present state. */
interface Short<Answer, Kept> {
  of(answer: Answer): Kept;
  expand(kept: Kept): Answer;
}

/** For answers that are short by themselves. */
const SHORT_ALREADY = {
  of: (answer: EventReceipt) => answer,
  expand: (kept: EventReceipt) => kept,
};

export class Commands {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** @throws WaymarkError `INSTANCE_EXISTS`, `IDEMPOTENCY_KEY_REUSED`, `IDEMPOTENCY_KEYS_FULL` */
  start(command: StartCommand): StartReceipt {
    const shortStart: Short<StartReceipt, { readonly created: boolean }> = {
      of: ({ created }) => ({ created }),
      expand: ({ created }) => ({ created, document: this.#document(this.#row(command.id)) }),
    };
    return this.#once(command.idempotency, shortStart, () => {
      const existing = this.#engine.instance.read();
      if (existing !== undefined) this.#engine.requested();
      if (existing !== undefined && command.onConflict === "existing") {
        return { created: false, document: this.#document(existing) };
      }
      if (existing !== undefined) checkReplaceable(existing, command.onConflict);
      const row = newInstance(command, this.#engine.host);
      if (existing !== undefined) this.#engine.steps.deleteAll();
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
    await this.#engine.ended(until);
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
        length += JSON.stringify(item).length; // as shown: a shared value is stored but once
        last = row.id;
      }
      if (rows.length < HISTORY_CHUNK) return { items, cursor: null };
    }
  }

  /** @throws WaymarkError `INSTANCE_NOT_FOUND`, `INSTANCE_TERMINAL`, `EVENT_BUFFER_FULL` */
  sendEvent(id: string, command: EventCommand): EventReceipt {
    const engine = this.#engine;
    engine.requested();
    return this.#once(command.idempotency, SHORT_ALREADY, () => {
      const row = this.#row(id);
      checkRunning(row);
      checkEventRoom(engine.steps.buffered(), command.payload);
      const now = engine.host.now();
      const eventId = engine.steps.bufferEvent(command.event, command.payload, now);
      this.#announce(eventId, command, now);
      return { ...receiptOf(row, command), eventId };
    });
  }

  /** Wakes the instance only where something waits for the event: a stored one costs one row. */
  #announce(eventId: number, { event, payload }: EventCommand, now: number): void {
    const { execution, steps } = this.#engine;
    execution?.buffer(eventId, event, payload);
    const waits = execution?.waitsFor(event) ?? steps.open().some((step) => isWaitFor(step, event));
    if (waits) this.#engine.poke(now);
  }

  /** @throws WaymarkError `INSTANCE_NOT_FOUND`, `INSTANCE_TERMINAL` */
  terminate(id: string, { reason, idempotency }: TerminateCommand): InstanceDocument {
    this.#engine.requested();
    const present = () => this.#document(this.#row(id));
    const shortTerminate = { of: () => ({}), expand: present };
    return this.#once(idempotency, shortTerminate, () => {
      const row = this.#row(id);
      if (row.status === "Terminated") return this.#document(row);
      checkRunning(row);
      const message = reason ?? "terminated by request";
      const failure: Failure = { type: "Terminated", message };
      const at = this.#engine.host.now();
      const end = {
        status: "Terminated",
        output: null,
        error: encodeFailure(failure),
        at,
      } as const;
      this.#engine.end(row, end, { reason: message });
      return present();
    });
  }

  #row(id: string): InstanceRow {
    const row = this.#engine.instance.read();
    if (row !== undefined) return row;
    throw new WaymarkError("INSTANCE_NOT_FOUND", `there is no instance "${id}"`);
  }

  #document(row: InstanceRow): InstanceDocument {
    const { steps, registry, execution } = this.#engine;
    return instanceDocument(row, steps, registry.find(row.workflow, row.version), execution);
  }

  /** Does what a request asks once: the same key again gets the same answer. */
  #once<Answer, Kept>(
    idempotency: Idempotency | undefined,
    short: Short<Answer, Kept>,
    act: () => Answer,
  ): Answer {
    if (idempotency === undefined) return act();
    const { keys, host } = this.#engine;
    const now = host.now();
    const kept = keys.find(idempotency, now);
    if (kept !== undefined) {
      const { whole, part } = JSON.parse(kept) as { whole?: Answer; part: Kept };
      return whole ?? short.expand(part);
    }
    keys.checkRoom(now);
    const answer = act();
    const whole = JSON.stringify({ whole: answer });
    const fits = whole.length <= KEPT_ANSWER_LENGTH;
    keys.keep(idempotency, fits ? whole : JSON.stringify({ part: short.of(answer) }), now);
    return answer;
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

function checkRunning(row: InstanceRow): void {
  if (!isTerminal(row.status)) return;
  throw new WaymarkError("INSTANCE_TERMINAL", `the instance "${row.id}" is ${row.status}`);
}

function newInstance(command: StartCommand, host: Engine["host"]): InstanceRow {
  const now = host.now();
  return {
    id: command.id,
    executionId: host.randomId(),
    workflow: command.workflow,
    version: command.version,
    status: "Pending",
    input: command.input,
    output: null,
    error: null,
    tags: JSON.stringify(command.tags),
    due: Math.max(now, command.startAt ?? now),
    suspensions: 0,
    createdAt: now,
    startedAt: null,
    updatedAt: now,
    completedAt: null,
  };
}

function checkEventRoom(buffered: { count: number; length: number }, payload: Encoded): void {
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

const receiptOf = (row: InstanceRow, { event }: EventCommand): Omit<EventReceipt, "eventId"> => ({
  instanceId: row.id,
  executionId: row.executionId,
  event,
});
