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
  type RewindPreview,
  type StartReceipt,
} from "../core/documents.ts";
import { WaymarkError } from "../core/errors.ts";
import { engineFailure } from "../core/failure.ts";
import type { StoredHistoryPage } from "../core/history.ts";
import { jsonLength } from "../core/json-text.ts";
import { LIMITS } from "../core/limits.ts";
import type { StepIdentity } from "../core/names.ts";
import type { Encoded } from "../core/payload.ts";
import type { InstanceRow, StepRow } from "../store/rows.ts";
import { Answers, type Short, shortAlready } from "./answers.ts";
import { type CallAnswer, type CallCommand, Calls } from "./calls.ts";
import {
  Control,
  type ControlCommand,
  type GivenExecution,
  type PurgeOptions,
  type RewindCommand,
} from "./control.ts";
import { cursorAt, rowBefore } from "./cursor.ts";
import type { Engine } from "./engine.ts";
import { acceptEvent } from "./events.ts";
import { storedExecution, storedStep } from "./export-history.ts";
import { type ForkCommand, isCopying } from "./fork.ts";
import { forkInstance } from "./fork-copy.ts";
import {
  type CopyAnswer,
  type CopyRequest,
  copyOf,
  type ForkRequest,
  forkPoint,
  type GivenFork,
} from "./fork-source.ts";
import type { Answered, Message, MessageAnswer } from "./message.ts";
import { type NewExecution, newInstance } from "./new-instance.ts";
import { documentOf, documentOfNew, presentRow } from "./present.ts";
import { receive } from "./receive.ts";
import { historyItem } from "./view.ts";

/** A start, with its input already checked and encoded. */
export interface StartCommand extends NewExecution {
  readonly onConflict: OnConflict;
  readonly idempotency?: Idempotency | undefined;
  /**
   * Whether its code begins in the commit that stores the start. Code that kills its object then leaves nothing stored: whoever
   * sends the start gets no answer, and must send it again without this, for the same execution.
   */
  readonly atOnce?: boolean | undefined;
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
  readonly #calls: Calls;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#answers = new Answers(engine.keys, engine.host);
    this.#control = new Control(engine, this.#answers);
    this.#calls = new Calls(engine);
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
      if (existing !== undefined && existing.executionId === command.executionId) {
        return { created: true, document: this.#document(existing) }; // it was sent before
      }
      if (existing !== undefined && command.onConflict === "existing") {
        return { created: false, document: this.#document(existing) };
      }
      if (existing !== undefined) checkReplaceable(existing, command.onConflict);
      const row = newInstance(command, this.#engine.host, this.#engine.registry);
      if (existing === undefined) this.#engine.tombstone.clear();
      else this.#engine.forsake(existing, replaced(existing));
      this.#engine.instance.write(row);
      this.#engine.begin(row, command.atOnce);
      return { created: true, document: documentOfNew(this.#engine, row) };
    });
  }

  /** @throws WaymarkError `INSTANCE_NOT_FOUND` */
  get(id: string): InstanceDocument {
    this.#engine.requested();
    return this.#document(this.#row(id));
  }

  /** The instance once it has ended, or as it is at that moment. */
  async whenEnded(id: string, until: number): Promise<InstanceDocument> {
    this.#engine.requested();
    if (!isTerminal(this.#row(id).status)) await this.#engine.ends.wait(until);
    return this.get(id);
  }

  /**
   * A page of the history, from its start or from where the page before ended.
   *
   * @throws WaymarkError `INSTANCE_NOT_FOUND`, `CURSOR_OUTDATED`
   */
  history(id: string, cursor: string | null, limit: number): HistoryPage {
    this.#engine.requested();
    return this.#page(this.#row(id), cursor, limit, historyItem);
  }

  /**
   * The execution as it is stored, a page of its steps at a time.
   *
   * @throws WaymarkError `INSTANCE_NOT_FOUND`, `CURSOR_OUTDATED`
   */
  export(id: string, cursor: string | null, limit: number): StoredHistoryPage {
    this.#engine.requested();
    const stored = this.#row(id);
    const row = { ...stored, sensitive: this.#engine.hides(stored) ? 1 : 0 };
    const { items: steps, cursor: next } = this.#page(row, cursor, limit, storedStep);
    return { ...storedExecution(row), steps, cursor: next };
  }

  /** Steps after a cursor, as they are shown; fewer than asked for where they are large. */
  #page<Item>(
    instance: InstanceRow,
    cursor: string | null,
    limit: number,
    show: (row: StepRow) => Item,
  ): Page<Item> {
    if (isCopying(instance)) return { items: [], cursor: null };
    const items: Item[] = [];
    let last = rowBefore(instance, cursor);
    let length = 0;
    for (;;) {
      const rows = this.#engine.steps.page(last, HISTORY_CHUNK);
      for (const row of rows) {
        if (items.length === limit || length > LIMITS.historyPageLength) {
          return { items, cursor: cursorAt(instance, last) };
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
      const eventId = acceptEvent(engine, row, command);
      return { ...receiptOf(row, command), eventId };
    });
  }

  /**
   * Calls a handler: a query is answered at once, an update when it is done, or that it is not at that moment.
   *
   * @throws WaymarkError as {@link Calls.call}
   */
  call(id: string, command: CallCommand, until: number): Promise<CallAnswer> {
    return this.#calls.call(id, command, until);
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
   * Asks the code to end: its signal aborts, and its open steps fail with a CancelledError.
   *
   * @throws WaymarkError `INSTANCE_NOT_FOUND`, `INSTANCE_TERMINAL`
   */
  cancel(id: string, command: ControlCommand): InstanceDocument {
    return this.#control.cancel(id, command);
  }

  /**
   * Lets an instance that has ended go on, from before a step or before what it has ended with: those steps
   * run again, and what followed from them.
   *
   * @throws WaymarkError `INSTANCE_NOT_FOUND`, `INSTANCE_NOT_TERMINAL`, `REWIND_TARGET_UNKNOWN`
   */
  rewind(id: string, command: RewindCommand): InstanceDocument {
    return this.#control.rewind(id, command);
  }

  /**
   * What a rewind would do, were it asked for now. Nothing is written.
   *
   * @param to the step to go back to; null for whatever the execution has ended with
   * @throws WaymarkError as {@link rewind}; `VERSION_MISSING`, `NONDETERMINISM`
   */
  previewRewind(id: string, to: StepIdentity | null): Promise<RewindPreview> {
    return this.#control.previewRewind(id, to);
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
   * What the instance's execution was started with, for a restart under another id.
   *
   * @throws WaymarkError `INSTANCE_NOT_FOUND`, `INSTANCE_PURGED`, `IDEMPOTENCY_KEY_REUSED`
   */
  given(id: string, idempotency?: Idempotency): GivenExecution {
    return this.#control.given(id, idempotency);
  }

  /**
   * The point at which this instance is forked: what {@link fork} is told, at the object of another one.
   *
   * @throws WaymarkError as `forkPoint` in fork-source.ts
   */
  forkPoint(id: string, request: ForkRequest): GivenFork {
    return forkPoint(this.#engine, this.#answers, id, request);
  }

  /**
   * Begins an instance with the history of another one.
   *
   * @throws WaymarkError `INSTANCE_EXISTS`, `IDEMPOTENCY_KEY_REUSED`, `IDEMPOTENCY_KEYS_FULL`
   */
  fork(command: ForkCommand): InstanceDocument {
    return forkInstance(this.#engine, this.#answers, command);
  }

  /** A part of the history for an instance that is forked from this one. */
  copy(id: string, request: CopyRequest): CopyAnswer {
    return copyOf(this.#engine, id, request);
  }

  /**
   * Removes an instance that has ended; with `force`, ends it first. Again, it does nothing more.
   *
   * @throws WaymarkError `INSTANCE_NOT_FOUND`, `INSTANCE_NOT_TERMINAL`
   */
  purge(id: string, options: PurgeOptions): void {
    this.#control.purge(id, options);
  }

  /** Applies a message of another instance, once. */
  receive(message: Message): MessageAnswer {
    this.#engine.requested();
    return receive(this.#engine, message);
  }

  #row(id: string): InstanceRow {
    return presentRow(this.#engine, id);
  }

  #document(row: InstanceRow): InstanceDocument {
    return documentOf(this.#engine, row);
  }
}

/** What the parent of an execution is told that another one takes the place of. */
const replaced = ({ id }: InstanceRow): Answered => ({
  ok: false,
  failure: engineFailure(
    new WaymarkError("CHILD_REPLACED", `another execution was started under the id "${id}"`),
  ),
  final: true,
});

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

const receiptOf = (row: InstanceRow, { event }: EventCommand): Omit<EventReceipt, "eventId"> => ({
  instanceId: row.id,
  executionId: row.executionId,
  event,
});
