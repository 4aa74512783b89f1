/**
 * The updates of one execution: those that wait to be delivered, and those whose function runs.
 *
 * - W6 (f): one is delivered when nothing else is left to deliver, and has its `seq` in that commit. On a
 *   replay it comes at the same point, and neither its schema nor its validator is asked again.
 * - Its reply is written once: a replay that comes to it again finds it recorded.
 */
import type { Driver } from "../core/driver.ts";
import { WaymarkError } from "../core/errors.ts";
import { engineFailure, toFailure } from "../core/failure.ts";
import { type Handled, type Handler, handlerOf, updateIdentity } from "../core/handlers.ts";
import { LIMITS } from "../core/limits.ts";
import type { StepIdentity } from "../core/names.ts";
import { decode, encode } from "../core/payload.ts";
import { byteLength, type StoredText, textOf } from "../core/stored-text.ts";
import type { StepRow } from "../store/rows.ts";
import type { StepStore } from "../store/step-store.ts";
import { stepsBefore, waitRow } from "../store/update-store.ts";
import type { Growth } from "./growth.ts";
import type { Recorder } from "./recorder.ts";
import { rowOf, type UpdateDesk, type UpdateReply } from "./update-desk.ts";

/** An accepted update that is not delivered. */
export interface BufferedUpdate {
  readonly id: number;
  /** Of its handler. */
  readonly name: string;
  readonly payload: StoredText;
  /** Steps that a rewind does again and that it came after: it waits for those that are open. */
  readonly after: readonly StepIdentity[];
}

export interface UpdatesOptions {
  readonly steps: StepStore;
  readonly driver: Driver;
  readonly recorder: Recorder;
  readonly growth: Growth;
  readonly desk: UpdateDesk;
  readonly isOpen: (step: StepIdentity) => boolean;
}

export class Updates {
  readonly #options: UpdatesOptions;
  #buffered: BufferedUpdate[] = [];
  /** Delivered ones without a reply, with the ids of their rows. */
  readonly #open = new Map<StepIdentity, number>();
  /** How many the execution has accepted. */
  total = 0;
  /** The row of an execution that waits for nothing else. */
  #wait: { readonly id: number; readonly open: boolean } | null = null;

  constructor(options: UpdatesOptions, rows: readonly StepRow[]) {
    this.#options = options;
    for (const row of rows) this.#load(row);
  }

  #load({ id, seq, step, state, input, lastProcessedId }: StepRow): void {
    if (step.startsWith("(")) {
      this.#wait = { id, open: state === "open" };
      return;
    }
    this.total++;
    const name = handlerOf(step);
    const after = stepsBefore(lastProcessedId);
    if (seq === null) this.#buffered.push({ id, name, payload: input ?? "", after });
    else if (state !== "done" && state !== "failed") this.#open.set(step, id);
  }

  add(update: BufferedUpdate): void {
    this.#buffered.push(update);
    this.total++;
  }

  /** How many are delivered and not done. */
  get open(): number {
    return this.#open.size;
  }

  /** Accepted ones that are neither delivered nor refused. */
  get buffered(): number {
    return this.#buffered.length;
  }

  /**
   * Gives the next one that the code handles its place, unless its validator refuses it now. The others wait
   * until their handlers are registered.
   */
  take(now: number): "taken" | "refused" | null {
    if (this.#buffered.length === 0 || this.#open.size >= LIMITS.openUpdates) return null;
    const { driver, recorder, steps, desk, isOpen } = this.#options;
    const index = this.#buffered.findIndex(({ name }) => driver.handlers.update(name));
    const update = this.#buffered[index];
    const handler = update && driver.handlers.update(update.name);
    if (update === undefined || handler === undefined) return null;
    if (update.after.some(isOpen)) return null; // those behind it wait as well
    const payload = textOf(update.payload); // one that cannot be read is not refused
    this.#buffered.splice(index, 1);
    const refusal = refusalOf(driver, handler, () => decode(payload));
    if (refusal !== null) {
      const reply = { ok: false, failure: engineFailure(refusal) } as const;
      steps.updates.refuse(update.id, rowOf(reply).failure ?? "", now);
      desk.tell(update.id, reply);
      return "refused";
    }
    const identity = updateIdentity(update.name, update.id);
    this.goOn(now);
    recorder.deliver(update, identity, now);
    this.#open.set(identity, update.id);
    return "taken";
  }

  /** Writes the replies of those whose function has come to an end. */
  record(): void {
    const { driver, steps, growth, desk } = this.#options;
    for (const handled of driver.takeHandled()) {
      const id = this.#open.get(handled.update);
      if (id === undefined) continue; // recorded before
      this.#open.delete(handled.update);
      const reply = encodedReply(handled);
      const row = rowOf(reply);
      steps.updates.reply(id, row);
      growth.add(0, byteLength(row.result ?? row.failure ?? ""));
      desk.tell(id, reply);
    }
  }

  /** Tells in the rows that the execution waits for nothing but updates. */
  wait(now: number): void {
    if (this.#wait?.open) return;
    const { steps } = this.#options;
    if (this.#wait === null) this.#wait = { id: steps.insert(waitRow(now)), open: true };
    else this.#setWait(this.#wait.id, true, now);
  }

  /** It does something else from here on: were it lost, the rows must not say that it waits. */
  goOn(now: number): void {
    if (this.#wait?.open) this.#setWait(this.#wait.id, false, now);
  }

  #setWait(id: number, open: boolean, now: number): void {
    this.#options.steps.updates.setWait(id, open ? "open" : "cancelled", now);
    this.#wait = { id, open };
  }
}

/** Why the code does not take an update of this input now; null where it does. */
export function refusalOf(
  driver: Driver,
  handler: Handler,
  input: () => unknown,
): WaymarkError | null {
  const { validate } = handler;
  if (validate === null) return null;
  const given = input();
  try {
    driver.look(handler, () => validate(given));
    return null;
  } catch (error) {
    if (error instanceof WaymarkError && error.code === "HANDLER_READ_ONLY") return error;
    const { message } = toFailure(error);
    const refused = `the update "${handler.name}" was refused: ${message}`;
    return new WaymarkError("UPDATE_REFUSED", refused, { cause: error });
  }
}

export function encodedReply({ update, outcome }: Handled): UpdateReply {
  if (!outcome.ok) return { ok: false, failure: toFailure(outcome.error) };
  try {
    return { ok: true, result: encode(outcome.reply, `the reply of "${handlerOf(update)}"`) };
  } catch (error) {
    return { ok: false, failure: toFailure(error) };
  }
}
