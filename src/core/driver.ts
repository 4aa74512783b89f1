/**
 * The driver runs one execution of a workflow function, and is the only one that settles promises
 * the function awaits (design, section 3). It is told what completed; it hands results over one at a
 * time, in the order in which they were recorded, so that a replay sees the same world. It does no
 * I/O and knows no clock: the engine drains the microtask queue between two deliveries.
 *
 * - W6: results reach the code in the order of `seq`; `now`, `uuid` and `random` depend on nothing else.
 * - W7: a step is known by its name and key; what no longer fits its record is a divergence.
 *
 * A step whose signal the code aborts is cancelled then and there: its promise is rejected, and a result
 * that was recorded but not delivered is never delivered. A replay aborts at the same point. A request to
 * cancel the instance is a completion of its own, and does the same to all steps that are open.
 */
import { WaymarkError } from "./errors.ts";
import {
  ActivityFailedError,
  CancelledError,
  ChildFailedError,
  EntityFailedError,
  fromFailure,
} from "./failure.ts";
import { LIMITS } from "./limits.ts";
import type { LogFields } from "./log.ts";
import { countedIdentity, keyedIdentity, type StepIdentity } from "./names.ts";
import { decode, type Encoded } from "./payload.ts";
import { randomFrom, uuidFrom } from "./random.ts";
import { Signals } from "./signals.ts";
import {
  type Ask,
  CANCEL_REQUEST,
  type Completion,
  type Continuation,
  type RecordedStep,
  type StepRequest,
} from "./step.ts";
import { type StoredText, textOf } from "./stored-text.ts";

/** How the function ended. */
export type WorkflowEnd =
  | { readonly ok: true; readonly output: unknown }
  | { readonly ok: false; readonly error: unknown }
  /** It asked for a next execution, and did not go on. */
  | { readonly ok: true; readonly next: Continuation };

/** A line the workflow logged, kept until the turn may let it out. */
export interface WorkflowLogLine {
  readonly message: string;
  readonly fields: LogFields;
}

export interface DriverOptions {
  readonly executionId: string;
  /** The first `now` of the code, in milliseconds since 1970. */
  readonly startedAt: number;
  /** Completions already recorded, in order of `seq`. */
  readonly history: readonly Completion[];
  /** What is recorded of a step, finished or open. */
  readonly recorded: (identity: StepIdentity) => RecordedStep | undefined;
  /** Whether the code has run before, so that its first lines are a replay. */
  readonly resumed: boolean;
  /** Called when the code goes on though nothing was delivered: it awaited what no step settles. */
  readonly strayed?: (() => void) | undefined;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly signal: AbortSignal | undefined;
}

/** What {@link Driver.ask} is told about a step. */
export interface AskOptions {
  readonly name: string;
  readonly key: string | undefined;
  readonly input: Encoded | null;
  readonly request: StepRequest;
  /** Cancels the step when it aborts. */
  readonly signal?: AbortSignal | undefined;
}

export class Driver {
  readonly #options: Pick<DriverOptions, "executionId" | "recorded" | "strayed">;
  readonly #waiting = new Map<StepIdentity, Waiting>();
  readonly #keyed = new Set<StepIdentity>();
  readonly #counts = new Map<string, number>();
  /** What was delivered is not kept: a result may be large, and the queue long. */
  #queue: (Completion | null)[];
  #head = 0;
  /** Recorded, but the code has not asked for them (rule d): changed code, or not yet. */
  readonly #aside = new Map<StepIdentity, Completion>();
  /** Of those, the ones the code has asked for since: the first recorded comes last. */
  readonly #belated: Completion[] = [];
  readonly #signals = new Signals((step) => this.#cancel(step));
  #asked: Ask[] = [];
  #cancelled: StepIdentity[] = [];
  readonly #byRequest = new Set<StepIdentity>();
  #ordinal = 0;
  #now: number;
  #seq = 0;
  #draws = 0;
  #replaying: boolean;
  /** All that was delivered has had its effect: the code waits. */
  #quiet = false;
  #end: WorkflowEnd | undefined;
  #divergence: WaymarkError | undefined;
  #logs: WorkflowLogLine[] = [];
  #customStatus: Encoded | undefined;
  readonly #requested = new AbortController();

  constructor(options: DriverOptions) {
    const { executionId, recorded, strayed } = options;
    this.#options = { executionId, recorded, strayed }; // not the history: it goes as it is delivered
    this.#queue = [...options.history];
    this.#now = options.startedAt;
    this.#replaying = options.resumed;
  }

  /** Calls the function. Its synchronous part runs now; the rest as results are delivered. */
  start(run: () => unknown): void {
    new Promise((resolve) => resolve(run())).then(
      (output) => {
        this.#end ??= { ok: true, output };
        this.#noteStraying();
      },
      (error: unknown) => {
        this.#end ??= { ok: false, error };
        this.#noteStraying();
      },
    );
  }

  #noteStraying(): void {
    if (this.#quiet) this.#options.strayed?.();
  }

  /**
   * Ends the execution here and now, whatever the function does next: what it returns or throws from
   * here on, and what it still awaits, counts no more. The promise never settles, so that no `catch`
   * and no `finally` of the code can undo it.
   */
  finish(end: WorkflowEnd): Promise<never> {
    if (this.#divergence === undefined && this.#end === undefined) {
      this.#end = end;
      this.#noteStraying();
    }
    return new Promise(() => {});
  }

  /** What is recorded and was not delivered to the code, now that it has ended. */
  get undelivered(): readonly Completion[] {
    const queued = this.#queue.slice(this.#head).filter((completion) => completion !== null);
    return [...queued, ...this.#aside.values(), ...this.#belated];
  }

  /** How the function ended, once it has. */
  get end(): WorkflowEnd | undefined {
    return this.#divergence === undefined ? this.#end : undefined;
  }

  /** Why the code no longer fits its history, once that is known. */
  get divergence(): WaymarkError | undefined {
    return this.#divergence;
  }

  /** The recorded time of the last delivered completion (rule g). */
  get now(): number {
    return this.#now;
  }

  /** The `seq` of the last delivered completion; 0 before the first. */
  get delivered(): number {
    return this.#seq;
  }

  get replaying(): boolean {
    return this.#replaying;
  }

  /** Aborts when a request to cancel the instance reaches the code. */
  get signal(): AbortSignal {
    return this.#requested.signal;
  }

  random(): number {
    return randomFrom(this.#draw());
  }

  uuid(): string {
    return uuidFrom(this.#draw());
  }

  #draw(): string {
    return `${this.#options.executionId}/${this.#seq}/${++this.#draws}`;
  }

  /** What the code has set last, in its own order; undefined before it has set any. */
  get customStatus(): Encoded | undefined {
    return this.#customStatus;
  }

  setCustomStatus(status: Encoded): void {
    if (this.#divergence !== undefined) return;
    this.#noteStraying();
    this.#customStatus = status;
  }

  /** Keeps a line of the workflow's log; what a replay says again is dropped. */
  log(message: string, fields: LogFields): void {
    if (!this.#replaying) this.#logs.push({ message, fields });
  }

  /** The lines logged since the last call. */
  takeLogs(): readonly WorkflowLogLine[] {
    if (this.#logs.length === 0) return this.#logs;
    const lines = this.#logs;
    this.#logs = [];
    return lines;
  }

  /**
   * Registers a step, synchronously, and returns the promise of its result (rule a). One whose signal is
   * already aborted counts as well, so that the steps after it keep their identities.
   *
   * @throws WaymarkError `STEP_KEY_REUSED`, `STEPS_EXCEEDED`
   */
  ask(options: AskOptions): Promise<unknown> {
    if (this.#end !== undefined || this.#divergence !== undefined) return new Promise(() => {});
    if (this.#ordinal >= LIMITS.steps) {
      throw new WaymarkError(
        "STEPS_EXCEEDED",
        `an execution may have ${LIMITS.steps} steps; this one asked for another, "${options.name}". ` +
          "A longer life goes on in a new execution: see ctx.continueAsNew",
      );
    }
    this.#noteStraying();
    const identity = this.#identify(options.name, options.key);
    const divergence = this.#compare(identity, options);
    if (divergence !== undefined) {
      this.#divergence = divergence;
      return new Promise(() => {});
    }
    const { input, request, signal } = options;
    this.#asked.push({ identity, ordinal: ++this.#ordinal, input, request });
    const promise = new Promise<unknown>((resolve, reject) => {
      this.#waiting.set(identity, { resolve, reject, signal });
    });
    promise.catch(() => {}); // a race's loser may fail with nobody left to hear it
    if (signal?.aborted) {
      this.#cancel(identity);
      return promise;
    }
    if (signal !== undefined) this.#signals.watch(signal, identity);
    this.#recall(identity);
    return promise;
  }

  /**
   * Rejects a step that is open. What is recorded of it stays where it is: nobody waits for it any more.
   * An abort that no delivery led to, such as of `AbortSignal.timeout`, would not come again on a replay.
   */
  #cancel(identity: StepIdentity): void {
    const waiting = this.#waiting.get(identity);
    if (waiting === undefined || this.#end !== undefined || this.#divergence !== undefined) return;
    this.#noteStraying();
    this.#waiting.delete(identity);
    this.#cancelled.push(identity);
    waiting.reject(new CancelledError(identity));
  }

  /** A step that was set aside is asked for after all: it is delivered next. */
  #recall(identity: StepIdentity): void {
    const completion = this.#aside.get(identity);
    if (completion === undefined) return;
    this.#aside.delete(identity);
    this.#belated.push(completion);
    if (this.#belated.length > 1) this.#belated.sort((a, b) => b.seq - a.seq);
  }

  #identify(name: string, key: string | undefined): StepIdentity {
    if (key === undefined) {
      const count = (this.#counts.get(name) ?? 0) + 1;
      this.#counts.set(name, count);
      return countedIdentity(name, count);
    }
    const identity = keyedIdentity(name, key);
    if (this.#keyed.has(identity)) {
      throw new WaymarkError(
        "STEP_KEY_REUSED",
        `the key ${JSON.stringify(key)} of "${name}" was used before in this execution`,
      );
    }
    this.#keyed.add(identity);
    return identity;
  }

  #compare(identity: StepIdentity, asked: AskOptions): WaymarkError | undefined {
    const recorded = this.#options.recorded(identity);
    if (recorded === undefined) return undefined;
    const { kind } = asked.request;
    const differs =
      recorded.kind !== kind
        ? `is recorded as ${recorded.kind}, and the code asks for ${kind}`
        : asked.key === undefined && !isSame(recorded.input, asked.input)
          ? `is recorded with the input ${excerpt(recorded.input)}, ` +
            `and the code asks for it with ${excerpt(asked.input)}`
          : undefined;
    if (differs === undefined) return undefined;
    return new WaymarkError(
      "NONDETERMINISM",
      `step "${identity}" ${differs}. Deploy code that fits the history, ` +
        "or give the changed step another name; the instance then goes on",
    );
  }

  /** Adds a completion that was just recorded. */
  feed(completion: Completion): void {
    this.#queue.push(completion);
  }

  /**
   * Delivers the next completion the code waits for; the caller drains the microtask queue before
   * the next (rule b). Returns whether there was one.
   */
  deliverNext(): boolean {
    if (this.#end !== undefined || this.#divergence !== undefined) return false;
    for (let next = this.#belated.pop(); next !== undefined; next = this.#belated.pop()) {
      if (this.#deliver(next)) return true;
      this.#aside.set(next.step, next);
    }
    for (let next = this.#queue[this.#head]; next != null; next = this.#queue[this.#head]) {
      this.#queue[this.#head++] = null;
      if (this.#deliver(next)) return true;
      this.#aside.set(next.step, next);
    }
    this.#queue = [];
    this.#head = 0;
    return false;
  }

  /** Returns whether the code waits for it. */
  #deliver(completion: Completion): boolean {
    const { outcome } = completion;
    if (completion.kind === "rewind") {
      this.#pass(completion); // time has passed since what came before it
      return true;
    }
    if (completion.kind === "cancel") {
      this.#pass(completion);
      this.#cancelAll(
        outcome.ok ? String(decode(textOf(outcome.result))) : outcome.failure.message,
      );
      return true;
    }
    const waiting = this.#waiting.get(completion.step);
    if (waiting === undefined) return false;
    this.#waiting.delete(completion.step);
    if (waiting.signal !== undefined) this.#signals.forget(waiting.signal, completion.step);
    this.#pass(completion);
    if (outcome.ok)
      waiting.resolve(decode(textOf(outcome.result))); // first needed here
    else waiting.reject(failureError(completion, outcome));
    return true;
  }

  /** The code's world moves on to a completion. */
  #pass({ at, seq }: Completion): void {
    this.#quiet = false;
    this.#now = Math.max(this.#now, at);
    this.#seq = seq;
    this.#draws = 0;
  }

  /** Rejects every open step, in the order of their asks; then the signal aborts, and cancels no more. */
  #cancelAll(reason: string): void {
    const open = [...this.#waiting];
    this.#waiting.clear();
    for (const [identity, { signal, reject }] of open) {
      if (signal !== undefined) this.#signals.forget(signal, identity);
      this.#cancelled.push(identity);
      this.#byRequest.add(identity);
      reject(new CancelledError(identity, reason));
    }
    this.#requested.abort(new CancelledError(CANCEL_REQUEST, reason));
  }

  /** Nothing is left to deliver: what the code does from here on, it does for the first time. */
  caughtUp(): void {
    this.#replaying = false;
  }

  /** The steps asked for since the last call, in the order of the code, which now waits. */
  takeAsked(): readonly Ask[] {
    this.#quiet = true;
    const asked = this.#asked;
    this.#asked = [];
    return asked;
  }

  /** Whether a request to cancel the instance, and not the code, has cancelled the step. */
  isCancelledByRequest(identity: StepIdentity): boolean {
    return this.#byRequest.has(identity);
  }

  /** The steps cancelled since the last call. Some may be among the asked ones: they never began. */
  takeCancelled(): readonly StepIdentity[] {
    const cancelled = this.#cancelled;
    this.#cancelled = [];
    return cancelled;
  }
}

function failureError(
  completion: Completion,
  outcome: Extract<Completion["outcome"], { ok: false }>,
): Error {
  const { step, kind } = completion;
  const { attempts, failure } = outcome;
  switch (kind) {
    case "activity":
    case "run":
      return new ActivityFailedError(step, attempts, failure);
    case "child":
      return new ChildFailedError(step, attempts, failure);
    case "entity":
      return new EntityFailedError(step, failure);
    default:
      return fromFailure(failure);
  }
}

const isSame = (recorded: StoredText | null, asked: Encoded | null): boolean =>
  recorded === asked || (recorded !== null && textOf(recorded) === asked);

function excerpt(input: StoredText | null): string {
  if (input === null) return "nothing";
  const text = textOf(input);
  return text.length <= 200 ? text : `${text.slice(0, 199)}…`;
}
