/**
 * The driver runs one execution of a workflow function, and is the only one that settles promises
 * the function awaits (design, section 3). It is told what completed; it hands results over one at a
 * time, in the order in which they were recorded, so that a replay sees the same world. It does no
 * I/O and knows no clock: the engine drains the microtask queue between two deliveries, but for very short
 * steps (see short-cut.ts).
 *
 * - W6: results reach the code in the order of `seq`; `now`, `uuid` and `random` depend on nothing else.
 * - W7: a step is known by its name and key; what no longer fits its record is a divergence.
 *
 * A step whose signal the code aborts is cancelled then and there: its promise is rejected, and a result
 * that was recorded but not delivered is never delivered. A replay aborts at the same point. A request to
 * cancel the instance is a completion of its own, and does the same to all steps that are open.
 *
 * Where the function throws and has steps to undo, it has failed, but not ended. At the next call of
 * `deliverNext`, when all that it still does has been done, the steps that are open are cancelled, and from
 * there on only its compensations ask for steps: nothing that it awaited is ever settled.
 */
import type { AnyActivity } from "./activity.ts";
import { type Compensation, Compensations } from "./compensation.ts";
import { CriticalSection } from "./critical-section.ts";
import { divergenceOf, unhandled } from "./divergence.ts";
import { WaymarkError } from "./errors.ts";
import { CancelledError, TerminatedError } from "./failure.ts";
import { type Handler, Handlers, handlerOf } from "./handlers.ts";
import { recorderOf, type Seed } from "./history.ts";
import { LIMITS } from "./limits.ts";
import type { LogFields } from "./log.ts";
import { countedIdentity, keyedIdentity, type StepIdentity, unlockIdentity } from "./names.ts";
import { decode, type Encoded, encode } from "./payload.ts";
import { randomFrom, uuidFrom } from "./random.ts";
import { ReadOnly } from "./read-only.ts";
import { inRounds, type ShortCut } from "./short-cut.ts";
import { Signals } from "./signals.ts";
import {
  type Ask,
  CANCEL_REQUEST,
  type Completion,
  type Continuation,
  type RecordedStep,
  type StepRequest,
  TERMINATE_REQUEST,
  type UndoneInput,
} from "./step.ts";
import { stepFailure } from "./step-failure.ts";
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
  /** Of a fork: whose draws those of its copied history are. */
  readonly seeds?: readonly Seed[] | undefined;
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
  /**
   * Called a fixed number of promise jobs after the code has ended, unless with a next execution: where it had every result that
   * it has asked for, and cancelled none, so that nothing of it goes on.
   */
  readonly ended?: (() => void) | undefined;
  /** How very short steps run; without it each of them is delivered after a drain. */
  readonly shortCut?: ShortCut | undefined;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly signal: AbortSignal | undefined;
  /** Another instance gets it, whoever waits for it here. */
  readonly leaves: boolean;
  readonly request: StepRequest;
  readonly made: AskOptions["made"];
}

/** What {@link Driver.ask} is told about a step. */
export interface AskOptions {
  readonly name: string;
  readonly key: string | undefined;
  readonly input: Encoded | null;
  readonly request: StepRequest;
  /** Cancels the step when it aborts. */
  readonly signal?: AbortSignal | undefined;
  /** Undoes it, should the execution fail. */
  readonly undo?: AnyActivity | undefined;
  /** Its payloads are not shown. */
  readonly sensitive?: boolean | undefined;
  /** That of an undo or a release, which follows from the step that it is for. */
  readonly identity?: StepIdentity;
  /** What the code gets in the place of the recorded result. */
  readonly made?: ((identity: StepIdentity) => unknown) | undefined;
}

export class Driver {
  readonly #options: Omit<DriverOptions, "history" | "startedAt" | "resumed">;
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
  /** Whether any step was ever cancelled. */
  #cancels = false;
  /** What an undo of one gets is sensitive as well. */
  readonly #sensitive = new Set<StepIdentity>();
  readonly #byRequest = new Set<StepIdentity>();
  #ordinal = 0;
  #now: number;
  #seq = 0;
  #draws = 0;
  #replaying: boolean;
  /** All that was delivered has had its effect: the code waits. */
  #quiet = false;
  #end: WorkflowEnd | undefined;
  readonly #compensations = new Compensations();
  readonly #section = new CriticalSection();
  /** What the function has thrown, where there is something to undo. */
  #failed: { readonly error: unknown } | undefined;
  #compensating = false;
  #divergence: WaymarkError | undefined;
  #logs: WorkflowLogLine[] = [];
  #customStatus: Encoded | undefined;
  readonly #requested = new AbortController();
  readonly #handlers = new Handlers();
  readonly #readOnly = new ReadOnly();
  /** What went wrong in a short cut, until somebody can be told. */
  #broken: { readonly error: unknown } | undefined;

  constructor(options: DriverOptions) {
    const { executionId, seeds, recorded, strayed, ended, shortCut } = options;
    // Not the history: it goes as it is delivered.
    this.#options = { executionId, seeds, recorded, strayed, ended, shortCut };
    this.#queue = [...options.history];
    this.#now = options.startedAt;
    this.#replaying = options.resumed;
  }

  /**
   * Calls the function. Its synchronous part runs now; the rest as results are delivered.
   *
   * @param workflow whose function it is
   */
  start(run: () => unknown, workflow = "the workflow"): void {
    new Promise((resolve) => resolve(run())).then(
      (output) => {
        this.#conclude(this.#checked(output, workflow));
        this.#noteStraying();
      },
      (error: unknown) => {
        this.#conclude({ ok: false, error });
        this.#noteStraying();
      },
    );
  }

  /** An output that cannot be stored fails the execution: it must be known while steps can be undone. */
  #checked(output: unknown, workflow: string): WorkflowEnd {
    if (this.#compensations.empty) return { ok: true, output };
    try {
      encode(output, `the output of "${workflow}"`);
      return { ok: true, output };
    } catch (error) {
      return { ok: false, error };
    }
  }

  #conclude(end: WorkflowEnd): void {
    if (this.#end !== undefined || this.#failed !== undefined) return;
    if (!end.ok && !this.#compensations.empty) {
      this.#failed = { error: end.error };
      return;
    }
    this.#end = end;
    const { ended } = this.#options;
    if (ended === undefined || "next" in end || this.#waiting.size > 0 || this.#cancels) return;
    inRounds(() => true, ended);
  }

  /** Ends the execution with an error that its code does not get; what is to be undone is undone first. */
  fail(error: unknown): void {
    if (this.#divergence === undefined) this.#conclude({ ok: false, error });
  }

  /** Whether the function has failed, and what it has begun is being undone. */
  get compensating(): boolean {
    return this.#compensating;
  }

  /** Whether anything is to be undone where the execution fails, or was. */
  get compensates(): boolean {
    return this.#compensating || !this.#compensations.empty;
  }

  /** The code asks for that to be done where the execution fails. What comes too late counts no more. */
  onCompensate(compensate: Compensation): void {
    if (this.#end !== undefined || this.#failed !== undefined) return;
    this.#noteStraying();
    this.#compensations.addFunction(compensate);
  }

  /** The row of a step that has an undo is written, and its attempt starts. */
  begun(identity: StepIdentity): void {
    this.#compensations.begin(identity);
  }

  /** From here on nobody but a compensation asks for a step. */
  #compensate(error: unknown): void {
    this.#compensating = true;
    this.#quiet = false;
    for (const [identity, { signal, leaves }] of this.#waiting) {
      if (signal !== undefined) this.#signals.forget(signal, identity);
      if (leaves) continue;
      this.#section.leave(identity);
      this.#leaveOff(identity);
      // What becomes of a child that has no undo is for its `parentClose` to say.
      if (!this.#compensations.undoes(identity)) this.#byRequest.add(identity);
    }
    this.#waiting.clear();
    for (const completion of this.undelivered) this.#compensations.learn(completion);
    const ask = (identity: StepIdentity, undo: AnyActivity, undoes: UndoneInput) => {
      const { retry = {}, timeout } = undo.options;
      const attempts = { activity: undo, retry, timeout, stageStatus: null, undoes };
      const request = { kind: "activity", ...attempts } as const;
      const sensitive = undo.options.sensitive || this.#sensitive.has(undoes.step);
      const undone = { name: identity, key: undefined, input: null, request, identity };
      return this.ask({ ...undone, sensitive });
    };
    void this.#compensations.run(error, ask).then((end) => {
      this.#end ??= { ok: false, error: end };
      this.#noteStraying();
    });
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
    this.#readOnly.mayAct("end the execution");
    if (this.#divergence === undefined && this.#end === undefined) {
      this.#conclude(end);
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
    this.#readOnly.mayAct("draw a random value");
    const { executionId, seeds = [] } = this.#options;
    return `${recorderOf(seeds, this.#seq, executionId)}/${this.#seq}/${++this.#draws}`;
  }

  /** What the code has set last, in its own order; undefined before it has set any. */
  get customStatus(): Encoded | undefined {
    return this.#customStatus;
  }

  setCustomStatus(status: Encoded): void {
    this.#readOnly.mayAct("set the status");
    if (this.#divergence !== undefined) return;
    this.#noteStraying();
    this.#customStatus = status;
  }

  /** Keeps a line of the workflow's log; what a replay says again is dropped. */
  log(message: string, fields: LogFields): void {
    if (!this.#replaying && !this.#readOnly.looks) this.#logs.push({ message, fields });
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
    this.#readOnly.mayAct(`ask for the step "${options.name}"`);
    if (this.#end !== undefined || this.#divergence !== undefined) return new Promise(() => {});
    if (this.#failed !== undefined && !this.#compensating) return new Promise(() => {});
    const releases = options.request.kind === "unlock"; // of which there is one for each lock at most
    if (!releases && this.#ordinal >= (this.#compensating ? 2 : 1) * LIMITS.steps) {
      throw new WaymarkError(
        "STEPS_EXCEEDED",
        `an execution may have ${LIMITS.steps} steps; this one asked for another, "${options.name}". ` +
          "A longer life goes on in a new execution: see ctx.continueAsNew",
      );
    }
    this.#section.check(options.request, () => this.#openRequests());
    this.#noteStraying();
    const identity = options.identity ?? this.#identify(options.name, options.key);
    const divergence = divergenceOf(identity, this.#options.recorded, options);
    if (divergence !== undefined) {
      this.#divergence = divergence;
      return new Promise(() => {});
    }
    const { input, request, signal, undo, made } = options;
    if (request.kind === "lock") this.#section.ask(identity, request);
    const undoable = undo !== undefined && !this.#compensating;
    const asked = { identity, ordinal: ++this.#ordinal, after: this.#seq, input, request };
    const sensitive = options.sensitive === true;
    if (sensitive) this.#sensitive.add(identity);
    const ask: Ask = undoable || sensitive ? { ...asked, undoable, sensitive } : asked;
    this.#asked.push(ask);
    if (undoable) {
      const begun = this.#options.recorded(identity) !== undefined;
      this.#compensations.addUndo(identity, undo, input, begun);
    }
    const promise = new Promise<unknown>((resolve, reject) => {
      this.#waiting.set(identity, {
        resolve,
        reject,
        signal,
        leaves: isOneWay(request),
        request,
        made,
      });
    });
    promise.catch(() => {}); // a race's loser may fail with nobody left to hear it
    if (signal?.aborted) {
      this.#cancel(identity);
      return promise;
    }
    if (signal !== undefined) this.#signals.watch(signal, identity);
    this.#recall(identity);
    this.#cutShort(ask);
    return promise;
  }

  /**
   * Rule (c): a step that took the short cut is delivered in the same round after its ask on a replay; one of which
   * nothing is recorded may take it, where nothing else is open and nothing is left to deliver.
   */
  #cutShort(ask: Ask): void {
    const { identity } = ask;
    const next = this.#queue[this.#head];
    if (next?.inline && next.step === identity) {
      const isNext = () => this.#waitsFor(identity) && this.#queue[this.#head] === next;
      inRounds(
        () => true,
        () => this.#guarded(() => isNext() && this.deliverNext()),
      );
      return;
    }
    const { shortCut } = this.#options;
    if (shortCut === undefined || next != null || this.#waiting.size > 1) return;
    inRounds(
      () => this.#guarded(() => this.#waitsFor(identity) && shortCut.begin(ask)) ?? false,
      () =>
        this.#guarded(() => {
          const waits = this.#waitsFor(identity) && this.#queue[this.#head] == null;
          if (shortCut.record(ask, waits)) this.deliverNext();
        }),
    );
  }

  /** Whether the code waits for that step, and for nothing else. */
  #waitsFor(identity: StepIdentity): boolean {
    if (this.#end !== undefined || this.#failed !== undefined) return false;
    if (this.#divergence !== undefined || this.#belated.length > 0) return false;
    return this.#waiting.size === 1 && this.#waiting.has(identity);
  }

  /** Nobody is there to catch what a promise job throws: whoever delivers next is told. */
  #guarded<Value>(run: () => Value): Value | undefined {
    try {
      return run();
    } catch (error) {
      this.#broken ??= { error };
      return undefined;
    }
  }

  /**
   * Rejects a step that is open. What is recorded of it stays where it is: nobody waits for it any more.
   * An abort that no delivery led to, such as of `AbortSignal.timeout`, would not come again on a replay.
   */
  #cancel(identity: StepIdentity): void {
    const waiting = this.#waiting.get(identity);
    if (waiting === undefined || this.#end !== undefined || this.#divergence !== undefined) return;
    this.#noteStraying();
    this.#section.leave(identity);
    this.#waiting.delete(identity);
    this.#leaveOff(identity);
    waiting.reject(new CancelledError(identity));
  }

  #leaveOff(identity: StepIdentity): void {
    this.#cancelled.push(identity);
    this.#cancels = true;
  }

  *#openRequests(): Iterable<StepRequest> {
    for (const { request } of this.#waiting.values()) yield request;
  }

  /** The lock that the code holds, as it knows; null where it holds none. */
  get lock(): StepIdentity | null {
    return this.#section.held;
  }

  /** The code leaves its critical section. Where it has left that one before, it does nothing. */
  release(lock: StepIdentity): Promise<unknown> {
    this.#readOnly.mayAct("release a lock");
    const over = this.#end !== undefined || (this.#failed !== undefined && !this.#compensating);
    if (over || !this.#section.isOf(lock)) return Promise.resolve();
    const request = { kind: "unlock", lock } as const;
    const identity = unlockIdentity(lock);
    this.#section.leave(lock);
    return this.ask({ name: "unlock", key: undefined, input: null, request, identity });
  }

  /** The code does not fit what is recorded, which no single step of it shows. */
  diverge(error: WaymarkError): void {
    this.#divergence ??= error;
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

  /** Adds a completion that was just recorded. */
  feed(completion: Completion): void {
    this.#queue.push(completion);
  }

  /**
   * Delivers the next completion the code waits for; the caller drains the microtask queue before
   * the next (rule b). Returns whether there was one.
   */
  deliverNext(): boolean {
    if (this.#broken !== undefined) throw this.#broken.error;
    if (this.#end !== undefined || this.#divergence !== undefined) return false;
    if (this.#failed !== undefined && !this.#compensating) {
      this.#compensate(this.#failed.error);
      return true;
    }
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
    if (completion.step === TERMINATE_REQUEST) {
      this.#pass(completion);
      this.fail(new TerminatedError(reasonOf(completion)));
      return true;
    }
    if (completion.kind === "update") {
      this.#update(completion, outcome.ok ? outcome.result : "");
      return true;
    }
    if (completion.kind === "cancel") {
      this.#pass(completion);
      this.#cancelAll(reasonOf(completion));
      return true;
    }
    const waiting = this.#waiting.get(completion.step);
    if (waiting === undefined) return false;
    this.#waiting.delete(completion.step);
    if (waiting.signal !== undefined) this.#signals.forget(waiting.signal, completion.step);
    this.#pass(completion);
    this.#compensations.learn(completion);
    if (!outcome.ok) {
      this.#section.leave(completion.step);
      waiting.reject(stepFailure(completion, outcome));
      return true;
    }
    this.#section.grant(completion.step);
    const result = decode(textOf(outcome.result)); // first needed here
    waiting.resolve(waiting.made === undefined ? result : waiting.made(completion.step));
    return true;
  }

  /** Runs the function of an update. What becomes of it is {@link takeHandled}'s. */
  #update(completion: Completion, input: StoredText): void {
    const { step } = completion;
    const handler = this.#handlers.update(handlerOf(step));
    if (handler === undefined) {
      this.#options.recorded(step); // it is what does not fit
      this.#divergence = unhandled(step);
      return;
    }
    this.#pass(completion);
    this.#handlers.run(handler, step, decode(textOf(input)), () => this.#noteStraying());
  }

  /** What the code answers to, as far as it has registered it. */
  get handlers(): Pick<Handlers, "find" | "update" | "takesUpdates"> {
    return this.#handlers;
  }

  /** @throws WaymarkError `NAME_INVALID`, `DEFINITION_INVALID` */
  handle(...[name, options, fn]: Parameters<Handlers["register"]>): void {
    this.#readOnly.mayAct(`register the handler "${name}"`);
    this.#handlers.register(name, options, fn);
  }

  /** What functions of updates have come to since the last call. */
  takeHandled(): ReturnType<Handlers["take"]> {
    return this.#handlers.take();
  }

  /**
   * Runs code that may look and change nothing, such as a query, and returns what it returns.
   *
   * @throws WaymarkError `HANDLER_READ_ONLY`, and whatever it throws
   */
  look<Value>(what: Pick<Handler, "name">, run: () => Value): Value {
    return this.#readOnly.look(what, run);
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
    const open = [...this.#waiting].filter(([, { request }]) => request.kind !== "unlock");
    for (const [identity, { signal, reject }] of open) {
      this.#waiting.delete(identity);
      this.#section.leave(identity);
      if (signal !== undefined) this.#signals.forget(signal, identity);
      this.#leaveOff(identity);
      this.#byRequest.add(identity);
      reject(new CancelledError(identity, reason));
    }
    this.#requested.abort(new CancelledError(CANCEL_REQUEST, reason));
  }

  /** Nothing is left to deliver: what the code does from here on, it does for the first time. */
  caughtUp(): void {
    this.#replaying = false;
  }

  /** All that was delivered has had its effect: what the code does from here on, no step has led to. */
  rest(): void {
    this.#quiet = true;
  }

  /** The steps asked for since the last call, in the order of the code. */
  takeAsked(): readonly Ask[] {
    const asked = this.#asked;
    this.#asked = [];
    return asked;
  }

  /** Whether a request to cancel the instance, or its failure, has cancelled the step, and not the code. */
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

/** Whether it is on its way as soon as it is asked for: an event, a start, a signal of an entity. */
const isOneWay = (request: StepRequest): boolean =>
  request.kind === "entity"
    ? !request.awaited
    : request.kind === "start" || request.kind === "send" || request.kind === "unlock";

/** Why somebody wants the instance to end. */
const reasonOf = ({ outcome }: Completion): string =>
  outcome.ok ? String(decode(textOf(outcome.result))) : outcome.failure.message;
