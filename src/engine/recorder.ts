/**
 * Writes what becomes of steps, and feeds the driver what has ended.
 *
 * W2: the row and the completion are one: whatever the driver delivers has its row in the same commit.
 */
import { INITIAL_ID } from "../core/activity-status.ts";
import type { Driver } from "../core/driver.ts";
import { decodeFailure, encodeFailure, type Failure } from "../core/failure.ts";
import type { StepIdentity } from "../core/names.ts";
import { ENCODED_UNDEFINED, type Encoded } from "../core/payload.ts";
import type { StepOutcome } from "../core/step.ts";
import { byteLength, bytesOf, type StoredText } from "../core/stored-text.ts";
import type { NewStepRow, StepRow } from "../store/rows.ts";
import type { StepStore } from "../store/step-store.ts";
import type { Growth } from "./growth.ts";
import type { OpenStep } from "./open-step.ts";

/** An event nobody has taken yet. */
export interface BufferedEvent {
  readonly id: number;
  readonly name: string;
  readonly payload: StoredText;
}

/** A request to cancel that has not reached the code. */
export interface CancelRequest extends Omit<BufferedEvent, "name"> {
  /** What it is called in the history: `(cancel)`, or `(terminate)`. */
  readonly step: string;
}

export class Recorder {
  readonly #steps: StepStore;
  readonly #driver: Driver;
  readonly #growth: Growth;
  #seq: number;

  /** @param growth that of the steps recorded before */
  constructor(steps: StepStore, driver: Driver, growth: Growth) {
    this.#steps = steps;
    this.#driver = driver;
    this.#growth = growth;
    this.#seq = growth.ended;
  }

  /** Records a step's end. */
  end(step: OpenStep, outcome: StepOutcome, at: number): void {
    const seq = ++this.#seq;
    const failure = outcome.ok ? null : encodeFailure(outcome.failure);
    const written = {
      seq,
      state: outcome.ok ? ("done" as const) : ("failed" as const),
      attempt: attemptsMade(step),
      result: outcome.ok ? outcome.result : null,
      failure,
      lastProcessedId: processedId(step),
      at,
      sensitive: step.sensitive,
      inline: step.inline,
    };
    let id: number | null | undefined = step.row?.id;
    if (id === undefined) id = this.#steps.insertEnded(Object.assign(newRow(step, at), written));
    else this.#steps.end({ ...written, id });
    // What is delivered is what a replay will read, to the last bit (W6): JSON knows no -0, for one.
    const stored = outcome.ok
      ? { ok: true as const, result: this.#steps.kept(id, outcome.result) }
      : { ...outcome, failure: decodeFailure(failure ?? "") };
    this.#feed(step, seq, stored, at, failure === null ? 0 : byteLength(failure));
  }

  /**
   * Records that a step's wait is over because of a buffered event, which is thereby taken.
   *
   * @param result what the code gets: the payload, or what the wait's schema has made of it
   */
  take(step: OpenStep, event: BufferedEvent, result: StoredText, at: number): void {
    const { identity, ordinal, input } = step.ask;
    const { row, startedAt, sensitive } = step;
    const seq = ++this.#seq;
    const made = typeof result === "string" && result !== event.payload ? result : null;
    const wait = { seq, step: identity, asked: ordinal, input, made, startedAt, at, sensitive };
    this.#steps.takeEvent(event, wait);
    if (row !== null) this.#steps.delete(row.id);
    const kept = made === null ? event.payload : this.#steps.kept(event.id, made);
    this.#feed(step, seq, { ok: true, result: kept }, at, 0);
  }

  /** Records that a buffered event does not fit the wait that was to take it: nobody gets it. */
  refuse(event: BufferedEvent, failure: Failure, at: number, sensitive: boolean): void {
    this.#steps.refuseEvent(event, encodeFailure(failure), at, sensitive);
  }

  /** Records that a request to cancel reaches the code now. */
  cancelAll({ id, step, payload }: CancelRequest, at: number): void {
    const seq = ++this.#seq;
    this.#steps.takeCancel(id, seq, at);
    const outcome = { ok: true, result: payload } as const;
    this.#driver.feed({ seq, step, kind: "cancel", at, outcome });
  }

  /** Records that an update reaches the code now. */
  deliver({ id, payload }: BufferedEvent, identity: StepIdentity, at: number): void {
    const seq = ++this.#seq;
    this.#steps.updates.deliver(id, seq, at);
    this.#growth.add(0, bytesOf(payload));
    const outcome = { ok: true, result: payload } as const;
    this.#driver.feed({ seq, step: identity, kind: "update", at, outcome });
  }

  #feed(
    step: OpenStep,
    seq: number,
    outcome: StepOutcome<StoredText>,
    at: number,
    failureBytes: number,
  ): void {
    const { identity, ordinal, request, input } = step.ask;
    const bytes = (input === null ? 0 : byteLength(input)) + failureBytes;
    this.#growth.add(ordinal, outcome.ok ? bytes + bytesOf(outcome.result) : bytes);
    this.#driver.feed({ seq, step: identity, kind: request.kind, at, outcome });
  }

  /** Records a failed attempt, and when the next one is due. */
  retry(step: OpenStep, failure: Failure, due: number, at: number): void {
    const noted = { attempt: step.failed, due, failure: encodeFailure(failure), at };
    this.#writeOpen(step, { ...noted, state: "open" }, at);
  }

  /** Records that an attempt begins which may kill the object. */
  mark(step: OpenStep, at: number): void {
    const attempt = step.failed + 1;
    this.#writeOpen(step, { state: "running", attempt, due: null, failure: null, at }, at);
  }

  /** Records that a step's message is on its way. */
  sent(step: OpenStep, at: number): void {
    const sent = { attempt: attemptsMade(step), due: step.due, child: childText(step), at };
    if (step.row === null) this.#insertOpen(step, { ...sent, state: "sent" }, at);
    else this.#steps.setSent(step.row.id, sent);
  }

  /** Records that the code has cancelled a step: one without a row needs none, for a replay cancels it. */
  cancel(row: Pick<StepRow, "id"> | null, at: number): void {
    if (row !== null) this.#steps.cancel(row.id, at);
  }

  /** Gives a step that outlives its turn a row. */
  keepOpen(step: OpenStep, at: number): void {
    if (step.row === null) this.#insertOpen(step, {}, at);
  }

  /** Records how far an activity came. */
  checkpoint(step: OpenStep, id: string, progress: Encoded | null, at: number): void {
    const lastProcessedId = id === INITIAL_ID ? null : id;
    if (step.row === null) {
      this.#insertOpen(step, { lastProcessedId, progress }, at);
      return;
    }
    const attempt = attemptsMade(step);
    this.#steps.setCheckpoint(step.row.id, { attempt, lastProcessedId, progress, at });
    step.row = { id: step.row.id, lastProcessedId };
  }

  #writeOpen(
    step: OpenStep,
    noted: Pick<NewStepRow, "state" | "attempt" | "due" | "failure" | "at">,
    at: number,
  ): void {
    if (step.row === null) this.#insertOpen(step, noted, at);
    else this.#steps.setAttempt(step.row.id, noted);
  }

  #insertOpen(step: OpenStep, noted: Partial<NewStepRow>, at: number): void {
    const row = { ...newRow(step, at), ...noted };
    step.row = { id: this.#steps.insert(row), lastProcessedId: row.lastProcessedId };
  }
}

/** The completion of a timer. */
export const TIMER_OVER: StepOutcome = { ok: true, result: ENCODED_UNDEFINED };

function attemptsMade(step: OpenStep): number {
  return step.failed + (step.attempt === null && !step.sent ? 0 : 1);
}

const childText = ({ child }: OpenStep): string | null =>
  child === null ? null : JSON.stringify(child);

/** How far an activity came; null before its first record, and for other kinds. */
function processedId(step: OpenStep): string | null {
  const { request } = step.ask;
  const given = "stageStatus" in request ? request.stageStatus?.lastProcessedId : undefined;
  const id = step.attempt?.lastProcessedId ?? step.row?.lastProcessedId ?? given ?? null;
  return id === INITIAL_ID ? null : id;
}

function newRow(step: OpenStep, at: number): NewStepRow {
  const { identity, ordinal, input, request } = step.ask;
  return {
    seq: null,
    step: identity,
    kind: request.kind,
    state: "open",
    asked: ordinal,
    attempt: attemptsMade(step),
    due: step.due,
    input,
    result: null,
    failure: null,
    lastProcessedId: processedId(step),
    progress: null,
    child: childText(step),
    startedAt: step.startedAt,
    at,
    sensitive: step.sensitive,
  };
}
