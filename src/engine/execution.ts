/**
 * One execution in memory: its driver, its open steps, its running attempts. It is made from the
 * rows when the instance comes to memory and vanishes with it (W1).
 *
 * - W3: `nextDue` says when the instance must be woken; what runs or could run is due now.
 * - W6 (d): while rows are left to deliver, nothing new is started; the turn sees to the order.
 * - A step that the code has cancelled is open no more before anything else is recorded.
 */
import type { ParentReference } from "../core/child.ts";
import { createContext } from "../core/context.ts";
import { releasedBefore } from "../core/critical-section.ts";
import { Driver } from "../core/driver.ts";
import { WaymarkError } from "../core/errors.ts";
import { CancelledError, decodeFailure, engineFailure } from "../core/failure.ts";
import { type StepIdentity, undoneBy, unlockIdentity } from "../core/names.ts";
import { decode } from "../core/payload.ts";
import { asSensitive } from "../core/sensitive.ts";
import type { Ask } from "../core/step.ts";
import { type StoredText, textOf } from "../core/stored-text.ts";
import type { AnyWorkflow } from "../core/workflow.ts";
import type { Child, InstanceRow, StepRow } from "../store/rows.ts";
import type { StepStore } from "../store/step-store.ts";
import { Agenda } from "./agenda.ts";
import { keepAnswer, keepLateAnswer, storedAnswer } from "./answer.ts";
import type { Breather } from "./breather.ts";
import type { Budget } from "./budget.ts";
import { Burst } from "./burst.ts";
import { attemptName, Correspondence, cancelOf, isCorrespondence } from "./correspondence.ts";
import type { Outgoing } from "./courier.ts";
import type { Doorbell } from "./doorbell.ts";
import { EventCheck } from "./event-check.ts";
import { EventDesk } from "./event-desk.ts";
import { rowCompletion } from "./export-history.ts";
import { copiedSteps, originOf } from "./fork.ts";
import { Growth } from "./growth.ts";
import { type Host, STARTED_AT_ONCE } from "./host.ts";
import { requestPerformer } from "./http-attempt.ts";
import type { Leaving } from "./leaving.ts";
import type { Answered } from "./message.ts";
import { type OpenStep, openStep, runsOutside } from "./open-step.ts";
import { type CancelRequest, Recorder, TIMER_OVER } from "./recorder.ts";
import { Reporter } from "./reporter.ts";
import { redoneOf } from "./rewind.ts";
import { Runner } from "./runner.ts";
import type { UpdateDesk } from "./update-desk.ts";
import { Updates } from "./updates.ts";

export interface ExecutionOptions {
  readonly host: Host;
  readonly steps: StepStore;
  readonly row: InstanceRow;
  readonly workflow: AnyWorkflow;
  readonly doorbell: Doorbell;
  readonly breather: Breather;
  readonly spendCheckpoint: () => boolean;
  /** Called when the code goes on by itself: a turn must see to it. */
  readonly strayed: (execution: Execution) => void;
  /** The code has run before: its first lines are a replay. */
  readonly resumed: boolean;
  /** Nothing of it can have ended. */
  readonly blank: boolean;
  /** The object may have been killed by what was running: see design section 6. */
  readonly careful: boolean;
  /** Attempts of the rows cannot still be running here: this memory is new. */
  readonly memoryLost: boolean;
  readonly leaving: Leaving;
  readonly desk: UpdateDesk;
  /** Very short steps that may share a commit. */
  readonly stepsPerCommit: number;
  /** The budget of the turn that runs it; null where none does, or the instance is not its any more. */
  readonly spending: () => Budget | null;
  /** Writes the custom status, where the code has set another. */
  readonly keepStatus: (execution: Execution) => void;
  /** Keeps a message to another instance. */
  readonly post: (message: Outgoing) => void;
}

export class Execution {
  row: InstanceRow;
  readonly driver: Driver;
  readonly reporter: Reporter;
  readonly runner: Runner;
  readonly updates: Updates;
  readonly burst: Burst;
  readonly #options: ExecutionOptions;
  readonly #growth: Growth;
  readonly #recorder: Recorder;
  readonly #correspondence: Correspondence;
  /** Open and cancelled rows the code has not asked for yet. */
  readonly #unasked = new Map<StepIdentity, StepRow>();
  readonly #endedRows = new Map<StepIdentity, StepRow>();
  /** Locks that were granted, and not released as far as is known here. */
  readonly #locks = new Map<StepIdentity, Pick<StepRow, "step" | "attempt" | "child">>();
  readonly #open = new Map<StepIdentity, OpenStep>();
  #ready: OpenStep[] = [];
  readonly #timed = new Agenda();
  readonly #events: EventDesk;
  /** Requests to end that have not reached the code: one to cancel, and one to terminate, at most. */
  readonly #cancelRequests: CancelRequest[] = [];
  #caughtUp = false;
  /** It is told that what has begun is undone. */
  #undoing = false;
  #strayed = false;
  /** Tells whoever waits for the promise jobs that the code has ended. */
  #codeEnded: (() => void) | null = null;
  /** Marked attempts among the rows: where there are several, it is not known which is to blame. */
  #marked = 0;

  constructor(options: ExecutionOptions) {
    const { host, steps, row, doorbell, breather, leaving, spendCheckpoint } = options;
    this.#options = options;
    this.row = row;
    this.burst = new Burst({
      limit: options.stepsPerCommit,
      careful: options.careful,
      rows: steps.done,
      failed: (error) => host.abort(error),
    });
    this.#events = new EventDesk(new EventCheck(host, doorbell), (name) => steps.hideEvents(name));
    const ended = options.blank ? [] : steps.ended();
    const updates: StepRow[] = [];
    for (const step of ended) {
      if (step.kind === "update") updates.push(step);
      if (isHeldLock(step)) this.#locks.set(step.step, step);
      this.#endedRows.set(step.step, step);
    }
    for (const step of steps.unended()) {
      if (step.kind === "update") updates.push(step);
      else this.#load(step);
    }
    const redone = redoneOf(ended.find(({ kind }) => kind === "rewind"));
    const redo = (step: StepIdentity) => redone.get(step) ?? 0;
    const origin = originOf(row);
    const recordedBy = copiedSteps(ended, origin.seeds);
    this.driver = new Driver({
      executionId: row.executionId,
      ...origin,
      history: ended.map(rowCompletion),
      recorded: (identity) => this.#endedRows.get(identity) ?? this.#unasked.get(identity),
      resumed: options.resumed,
      strayed: () => {
        this.#strayed = true;
        options.strayed(this);
      },
      ended: () => this.#codeEnded?.(),
      shortCut: {
        begin: (ask) => this.#beginAtOnce(ask),
        record: ({ identity }, waits) => this.#recordAtOnce(identity, waits),
      },
    });
    this.reporter = new Reporter(host, row);
    this.#growth = new Growth(ended, (fields) => this.reporter.instance("history.large", fields));
    this.#recorder = new Recorder(steps, this.driver, this.#growth);
    const { driver, desk } = { driver: this.driver, desk: options.desk };
    const isOpen = (step: StepIdentity) => this.#open.has(step);
    const writing = { steps, driver, recorder: this.#recorder, growth: this.#growth, desk, isOpen };
    this.updates = new Updates(writing, updates);
    this.#correspondence = new Correspondence({
      host,
      row,
      recorder: this.#recorder,
      reporter: this.reporter,
      post: options.post,
      redo,
    });
    this.runner = new Runner({
      host,
      recorder: this.#recorder,
      reporter: this.reporter,
      doorbell,
      breather,
      leaving,
      instanceId: row.id,
      executionId: row.executionId,
      recordedBy,
      redo,
      spendCheckpoint,
    });
  }

  #load(step: StepRow): void {
    if (step.kind === "cancel")
      this.requestCancel({ id: step.id, step: step.step, payload: step.result ?? "" });
    else if (step.state === "buffered") this.buffer(step.id, step.step, step.result ?? "");
    else this.#unasked.set(step.step, step);
    if (step.state === "running") this.#marked++;
  }

  /** Calls the workflow's function; the turn drives it on. */
  start(): void {
    const { host, row, workflow } = this.#options;
    const { id: instanceId, executionId, version } = row;
    const { stages } = workflow;
    const parent = row.parent === null ? null : (JSON.parse(row.parent) as ParentReference);
    const identity = { instanceId, executionId, parent, version, stages };
    const ctx = createContext(this.driver, identity, requestPerformer(host));
    if (!this.#options.resumed && !this.#options.careful && this.#isNew) this.catchUp();
    const input = textOf(row.input); // here, and not in the code: what cannot be read is not its failure
    this.driver.start(() => workflow.run(ctx, decode(input)), workflow.name);
  }

  /** Whether there is nothing to replay. */
  get #isNew(): boolean {
    return this.#endedRows.size === 0 && this.#unasked.size === 0 && this.updates.total === 0;
  }

  /**
   * Resolves when every promise job has run that can, and what was written is durable; or already as the code ends: then
   * the end goes into the same commit. Code that had updates is given the rest of its jobs, which may answer one; a
   * replay, in which it may come to contradict its history.
   *
   * @returns whether what was written is durable
   */
  drained(): Promise<boolean> {
    const drained = this.#options.host.drain();
    if (!this.#caughtUp || this.updates.total > 0) return drained.then(() => true);
    return new Promise((resolve, reject) => {
      this.#codeEnded = () => resolve(false);
      drained.then(() => resolve(true), reject);
    });
  }

  /** Takes a stored event that nobody waits for yet. */
  buffer(id: number, name: string, payload: StoredText): void {
    this.#events.put({ id, name, payload });
  }

  /** Takes a stored request to cancel. */
  requestCancel(request: CancelRequest): void {
    this.#cancelRequests.push(request);
  }

  get caughtUp(): boolean {
    return this.#caughtUp;
  }

  /** Whether the code has gone on after something that no step brought. */
  get strayed(): boolean {
    return this.#strayed;
  }

  /** Whether the code waits for something that no step will ever bring. */
  get stalled(): boolean {
    return this.#idle && !this.driver.handlers.takesUpdates;
  }

  /** Whether the code waits, and no step is open. */
  get #idle(): boolean {
    return this.#open.size === 0 && this.driver.end === undefined;
  }

  /** Whether a person has suspended the instance: nothing is delivered, and nothing starts. */
  get held(): boolean {
    return this.row.heldAt !== null;
  }

  /** Whether something that runs may be what has killed the object before. */
  get careful(): boolean {
    return this.#options.careful;
  }

  /** Whether somebody wants it to end, which its code has not heard. */
  get isToEnd(): boolean {
    return this.#cancelRequests.length > 0;
  }

  /** Records what attempts brought; those to be repeated cost the turn as much as a step. */
  record(budget: Budget): boolean {
    if (this.runner.arrivals < 2) return this.#recordArrived(budget);
    const { done } = this.#options.steps;
    const recorded = done.gather(() => this.#recordArrived(budget));
    done.settle();
    return recorded;
  }

  #recordArrived(budget: Budget): boolean {
    const { again, ended } = this.runner.record();
    for (const _ of again) budget.spendStep();
    return this.#settle(again, ended);
  }

  #settle(again: readonly OpenStep[], ended: readonly OpenStep[]): boolean {
    for (const step of again) this.#schedule(step);
    for (const step of ended) this.#forget(step);
    return again.length + ended.length > 0;
  }

  /**
   * Rule (c): starts a step in the burst in which the code has asked for it, where there is nothing else to do. Rows
   * that are not durable yet lie before it: nothing of it leaves before they are.
   */
  #beginAtOnce(ask: Ask): boolean {
    const { host, spending, keepStatus } = this.#options;
    const now = host.now();
    const budget = spending();
    if (!isShort(ask) || this.#isBusy || budget === null || budget.spent(now)) return false;
    if (this.#options.breather.due || !this.burst.take()) return false;
    this.adopt();
    const [step, other] = this.#ready;
    if (step?.ask !== ask || other !== undefined) return false;
    if (step.row !== null || step.suspect || !mayStart(step, now)) return false;
    this.#ready = [];
    keepStatus(this);
    this.reporter.workflowLogs(this.driver.takeLogs());
    if (host.gate()) this.reporter.flush();
    this.runner.start(step);
    this.burst.begun();
    return true;
  }

  /** Whether something else is to be done before a step may take the short cut. */
  get #isBusy(): boolean {
    if (!this.#caughtUp || this.held || this.#strayed || this.driver.compensating) return true;
    if (this.row.status !== "Running" || this.row.due !== null) return true; // that comes first
    if (this.#open.size > 0 || this.runner.running > 0 || this.runner.arrivals > 0) return true;
    return this.#cancelRequests.length > 0 || this.updates.open > 0 || this.overgrown;
  }

  /** Records a step that was begun at once, where its result is there. Returns whether it is to be delivered. */
  #recordAtOnce(identity: StepIdentity, waits: boolean): boolean {
    const step = this.#open.get(identity);
    const budget = this.#options.spending();
    if (step === undefined || budget === null || !waits || !this.#isThere(step)) {
      this.burst.settle();
      return false;
    }
    step.inline = true;
    this.burst.record(() => this.#recordArrived(budget));
    step.inline = false;
    if (this.#open.has(identity)) return false; // it is tried again
    budget.spendStep();
    return !this.overgrown || this.driver.compensates;
  }

  /** Whether a step's first attempt is over, and nothing else has come meanwhile. */
  #isThere(step: OpenStep): boolean {
    return !this.held && step.row === null && this.runner.hasOnly(step);
  }

  #schedule(step: OpenStep): void {
    if (step.due === null) this.#ready.push(step);
    else this.#timed.add(step);
  }

  #forget(step: OpenStep): void {
    this.#open.delete(step.ask.identity);
    this.#timed.delete(step);
    this.#events.forget(step);
  }

  /**
   * Takes in what the code has asked for since the last time. Returns whether a step has ended: one
   * whose attempt was lost for the last time.
   */
  adopt(): boolean {
    let ended = false;
    const undoing: OpenStep[] = [];
    const cancelled = new Set(this.driver.takeCancelled());
    for (const ask of this.driver.takeAsked()) {
      if (this.#endedRows.delete(ask.identity)) continue; // delivered, about to be, or set aside
      if (cancelled.delete(ask.identity)) {
        this.#neverOpen(ask.identity);
        continue;
      }
      const step = openStep(ask);
      this.#open.set(ask.identity, step);
      const row = this.#reopened(this.#unasked.get(ask.identity));
      this.#unasked.delete(ask.identity);
      const lost = row !== undefined && this.#resume(step, row);
      const { kind } = ask.request;
      if (kind === "event") this.#events.wait(step, ask.request.event);
      if (kind === "timer" || kind === "event") {
        this.#timed.add(step);
        continue;
      }
      if (isCorrespondence(ask.request)) {
        ended = this.#await(step, row) || ended;
        continue;
      }
      step.suspect ||= this.#options.careful && !this.#caughtUp && !runsOutside(step);
      step.leaving = this.#options.leaving.of(ask.identity);
      if (this.driver.compensating) undoing.push(step);
      if (!lost) this.#schedule(step);
      else if (this.runner.lost(step, this.#marked === 1)) {
        this.#forget(step);
        ended = true;
      } else this.#schedule(step);
    }
    if (cancelled.size > 0) this.#cancel(cancelled);
    for (const step of undoing) this.#undoes(step);
    return ended;
  }

  /** Whether events of this name were waited for as sensitive ones. */
  hidesEvent(event: string): boolean {
    return this.#events.hides(event);
  }

  /** What is undone may have an attempt that was just stopped, and is not over. */
  #undoes(step: OpenStep): void {
    const undone = undoneBy(step.ask.identity);
    if (undone !== null) step.leaving ??= this.#options.leaving.of(undone);
    if (this.#undoing) return;
    this.#undoing = true;
    if (this.#caughtUp) this.reporter.instance("instance.compensating");
  }

  /** Waits for what another instance answers. Returns whether its answer is here already. */
  #await(step: OpenStep, row: StepRow | undefined): boolean {
    if (row?.state === "arrived") {
      return this.#conclude(step, storedAnswer(row), this.#options.host.now());
    }
    if (step.sent) this.#timed.add(step);
    else this.#schedule(step);
    return false;
  }

  /** Records what became of a step that another instance answers. Returns whether it has ended. */
  #conclude(step: OpenStep, answered: Answered, now: number): boolean {
    this.#timed.delete(step);
    const over = this.#correspondence.conclude(step, answered, now);
    if (over) this.#forget(step);
    else if (step.sent) this.#timed.add(step);
    else this.#schedule(step);
    if (over && answered.ok && step.ask.request.kind === "lock") {
      const { identity } = step.ask;
      const child = JSON.stringify(step.child);
      this.#locks.set(identity, { step: identity, attempt: step.failed + 1, child });
    }
    return over;
  }

  /** Releases a lock: it is over with its row. */
  #unlock(step: OpenStep, lock: StepIdentity): void {
    this.#correspondence.unlock(step, this.#locks.get(lock));
    this.#locks.delete(lock);
    this.#forget(step);
  }

  /**
   * The answer to a step has come: another instance's, or the result of its child. The code may not have
   * asked for the step yet, on a replay; then its row keeps it.
   *
   * @param attempt the try it belongs to; null where the step has but one
   * @returns whether anything waited for it, or its row was dealt with
   */
  conclude(identity: StepIdentity, attempt: string | null, answered: Answered): boolean {
    const now = this.#options.host.now();
    const step = this.#open.get(identity);
    if (step !== undefined) {
      const present = attemptName(step.child?.redo ?? 0, step.failed + 1);
      const waits = step.sent && (attempt === null || attempt === present);
      if (waits) this.#conclude(step, answered, now);
      return waits;
    }
    const row = this.#unasked.get(identity);
    if (row === undefined) return false;
    const arrived = keepAnswer(this.#options.steps, row, attempt, answered, now);
    if (arrived !== null) this.#unasked.set(identity, { ...row, ...arrived });
    else if (attempt !== null && row.kind === "entity") {
      const late = keepLateAnswer(this.#options.steps, identity, attempt, answered);
      if (late !== null) this.#unasked.set(identity, { ...row, ...late });
    }
    return true;
  }

  /**
   * The code has ended, or goes on as new: children that it starts, and events that it sends, are on their
   * way all the same, whoever waits for them.
   */
  leave(): void {
    this.adopt();
    const now = this.#options.host.now();
    for (const step of this.#ready) {
      const { request } = step.ask;
      const { kind } = request;
      if (kind === "entity" && !request.awaited && !step.sent)
        this.#correspondence.begin(step, now);
      if ((kind === "start" || kind === "send") && !step.sent)
        this.#correspondence.begin(step, now);
      if (kind === "unlock") this.#unlock(step, request.lock);
    }
  }

  /** A step was cancelled before it began; or, on a replay, before the crash that lost the note of it. */
  #neverOpen(identity: StepIdentity): void {
    const row = this.#unasked.get(identity);
    this.#unasked.delete(identity);
    if (row === undefined || row.state === "cancelled") return;
    this.#recorder.cancel(row, this.#options.host.now());
    if (row.kind === "lock") this.#giveUp(row);
    if (row.kind === "child" && row.child !== null && !this.driver.isCancelledByRequest(identity)) {
      const child = JSON.parse(row.child) as Child;
      this.#options.post(cancelOf(this.row, identity, child));
    }
    this.reporter.stepCancelled(identity);
  }

  /** A lock that was asked for, and that the code does not want any more. */
  #giveUp({ step, attempt, child }: Pick<StepRow, "step" | "attempt" | "child">): void {
    if (child === null) return;
    const { id, executionId } = this.row;
    const asked = JSON.parse(child) as Child;
    const number = attemptName(asked.redo ?? 0, attempt);
    const caller = { id, executionId, step, attempt: number, awaited: true };
    this.#correspondence.release(caller, asked);
  }

  /** A lock was granted, and the code did not want it any more before it heard of that. */
  #forgo(identity: StepIdentity): void {
    const lock = this.#locks.get(identity);
    if (lock === undefined) return;
    this.#locks.delete(identity);
    this.#giveUp(lock);
    this.#options.steps.locks.release(identity);
  }

  /** What has ended already is not open, and stays as it was recorded. */
  #cancel(identities: ReadonlySet<StepIdentity>): void {
    const now = this.#options.host.now();
    const cancelled = new Set<OpenStep>();
    for (const identity of identities) {
      const step = this.#open.get(identity);
      if (step === undefined) this.#forgo(identity);
      if (step === undefined) continue;
      cancelled.add(step);
      this.runner.stop(step, new CancelledError(identity));
      this.#recorder.cancel(step.row, now);
      const { kind } = step.ask.request;
      if (kind === "child" && step.sent && !this.driver.isCancelledByRequest(identity)) {
        this.#correspondence.cancel(step);
      }
      if (kind === "lock") this.#correspondence.giveUp(step);
      this.#forget(step);
      this.reporter.stepCancelled(identity);
    }
    this.#ready = this.#ready.filter((step) => !cancelled.has(step));
  }

  /** Changed code asks for it after all, or no longer cancels it: it goes on from where it was. */
  #reopened(row: StepRow | undefined): StepRow | undefined {
    if (row === undefined || (row.state !== "orphaned" && row.state !== "cancelled")) return row;
    const { host, steps } = this.#options;
    if (row.kind === "lock") {
      // It was given up, and is asked for anew: as another try, so that no grant of the one before counts.
      const again = {
        state: "open",
        attempt: row.attempt,
        due: host.now(),
        failure: null,
      } as const;
      steps.setAttempt(row.id, { ...again, at: host.now() });
      return { ...row, ...again, child: null };
    }
    const sent = row.kind === "entity" && row.child !== null; // it is not to be sent twice
    const answered = row.result !== null || row.failure !== null;
    const state = !sent ? "open" : answered ? "arrived" : "sent";
    steps.setState(row.id, state, host.now());
    // The due of a child that was closed while it ran is its timeout: it is begun again, as the same try.
    const ran = row.kind === "child" && row.failure === null;
    return { ...row, state, ...(ran ? { due: null } : {}) };
  }

  /** Goes on from a stored row. Returns whether it was marked, and its attempt is lost. */
  #resume(step: OpenStep, row: StepRow): boolean {
    step.row = { id: row.id, lastProcessedId: row.lastProcessedId };
    step.sensitive ||= row.sensitive === 1;
    step.startedAt = row.startedAt;
    step.due = row.due;
    // A row with a due waits for its next attempt; one without was in the middle of an attempt,
    // which counts as failed only if it was marked: see design section 6.
    step.failed = step.due === null ? Math.max(0, row.attempt - 1) : row.attempt;
    step.sent = row.state === "sent" || row.state === "arrived";
    if (step.sent) step.failed = Math.max(0, row.attempt - 1);
    if (row.child !== null) step.child = JSON.parse(row.child) as Child;
    step.suspect = isLost(row.failure) && !runsOutside(step);
    step.alone = step.suspect;
    return row.state === "running" && this.#options.memoryLost;
  }

  /** Nothing is left to deliver: from here on the code does what it never did before. */
  catchUp(): void {
    const held = this.driver.lock;
    const released = held !== null && this.#endedRows.has(unlockIdentity(held));
    if (held !== null && (released || !this.#locks.has(held))) {
      this.driver.diverge(releasedBefore(held));
      return;
    }
    this.#caughtUp = true;
    this.driver.caughtUp();
    const { host, steps } = this.#options;
    if (!this.#idle) this.updates.goOn(host.now());
    for (const row of this.#unasked.values()) {
      if (row.state === "orphaned" || row.state === "cancelled") continue;
      if (row.kind === "lock") this.#giveUp(row);
      steps.setState(row.id, "orphaned", host.now());
      this.#unasked.set(row.step, { ...row, state: "orphaned" });
    }
  }

  /** Stops attempts that are past their timeout. Returns whether anything was written. */
  expire(now: number): boolean {
    const { again, ended } = this.runner.expire(now);
    return this.#settle(again, ended);
  }

  /**
   * Ends the waits that are over, and the attempts. Returns whether anything was written. While an event is
   * checked no wait is over: it may have come in time.
   */
  fire(now: number): boolean {
    const expired = this.expire(now);
    if (this.#events.checking) return expired;
    let fired = false;
    for (const step of this.#timed.takeDue(now)) fired = this.#fireOne(step, now) || fired;
    return expired || fired;
  }

  #fireOne(step: OpenStep, now: number): boolean {
    const { request } = step.ask;
    switch (request.kind) {
      case "activity":
      case "run":
      case "start":
      case "send":
        this.#ready.push(step);
        return false;
      case "unlock":
        this.#ready.push(step);
        return false;
      case "child":
      case "entity":
      case "lock":
        if (step.sent) {
          const over = this.#correspondence.expire(step, now);
          if (!over) this.#schedule(step);
          if (!over) return true;
          break;
        }
        this.#ready.push(step);
        return false;
      case "timer":
        this.#recorder.end(step, TIMER_OVER, now);
        break;
      case "event": {
        const error = new WaymarkError("EVENT_TIMEOUT", `no event "${request.event}" came in time`);
        const failure = engineFailure(error);
        this.#recorder.end(step, { ok: false, failure, attempts: 0 }, now);
      }
    }
    this.#forget(step);
    return true;
  }

  /**
   * Hands an event to the wait that is to have it. Only where nothing else is left to deliver: a result before it could
   * lead to code that cancels the wait, which would have swallowed the event. One that does not fit that wait's schema
   * is refused: no other wait gets it. Null where there is none, or its schema has not answered yet.
   */
  meetEvent(now: number): "taken" | "refused" | null {
    const meeting = this.#events.meet(now);
    if (meeting === null) return null;
    const { event, wait, verdict } = meeting;
    if (verdict.fits) {
      this.#recorder.take(wait, event, verdict.payload, now);
      this.#forget(wait);
      return "taken";
    }
    const failure = asSensitive(verdict.failure, wait.sensitive);
    this.#recorder.refuse(event, failure, now, wait.sensitive);
    this.reporter.eventRefused(event, wait.ask.identity, failure);
    return "refused";
  }

  /**
   * Lets a request to end reach the code, where there is one and nothing else is left to deliver. What
   * compensates a failure is not to be cancelled: the instance ends after it.
   */
  takeCancel(now: number): boolean {
    if (this.#cancelRequests.length === 0 || this.driver.compensating) return false;
    this.updates.goOn(now);
    const request = this.#cancelRequests.shift();
    if (request !== undefined) this.#recorder.cancelAll(request, now);
    return true;
  }

  /**
   * Takes steps whose attempt may start now. A release starts alone: it is recorded as it starts, and must be durable
   * before what comes after it leaves (W9).
   */
  #takeLaunchable(now: number): OpenStep[] {
    let alone = this.runner.runsAlone;
    let released = false;
    const launchable: OpenStep[] = [];
    const held: OpenStep[] = [];
    for (const step of this.#ready) {
      released ||= isRelease(step) && launchable.length > 0;
      const room = launchable.length < STARTED_AT_ONCE && !released;
      released ||= isRelease(step);
      const starts = room && mayStart(step, now) && !(step.alone && alone);
      alone ||= starts && step.alone;
      (starts ? launchable : held).push(step);
    }
    this.#ready = held;
    return launchable;
  }

  /**
   * Starts attempts that are due, as many as start in one go; returns whether there may be more.
   * Suspect ones are marked first, and those outside the object get a row; both are durable.
   */
  async launch(now: number, alive: () => boolean): Promise<boolean> {
    if (this.#ready.length === 0) return false;
    const launchable = this.#takeLaunchable(now);
    const suspects = launchable.filter((step) => step.suspect);
    for (const step of suspects) {
      step.startedAt ??= now;
      this.#recorder.mark(step, now);
      step.suspect = false;
    }
    const outside = launchable.filter((step) => step.row === null && hasRowFirst(step));
    for (const step of outside) {
      step.startedAt ??= now;
      this.#recorder.keepOpen(step, now);
    }
    // Its row says that it has begun: to a replay as well, should its attempt not start now.
    const undoable = launchable.filter(({ ask, row }) => ask.undoable && row !== null);
    for (const { ask } of undoable) this.driver.begun(ask.identity);
    if (suspects.length + outside.length > 0) {
      await this.#options.host.committed();
      if (!alive()) return false;
      if (this.held) {
        this.#unlaunch(launchable, suspects);
        return false;
      }
    }
    let unlocked = false;
    for (const step of launchable) {
      const { request } = step.ask;
      if (request.kind === "unlock") {
        this.#unlock(step, request.lock);
        unlocked = true;
        continue;
      }
      if (step.ask.undoable) this.driver.begun(step.ask.identity);
      if (isCorrespondence(step.ask.request)) this.#correspondence.begin(step, now);
      else this.runner.start(step);
      if (step.sent) this.#timed.add(step);
    }
    return unlocked || launchable.length === STARTED_AT_ONCE || this.#ready.some(isRelease);
  }

  /** The instance was suspended before they began: their marks go, so that none counts as lost. */
  #unlaunch(launchable: readonly OpenStep[], suspects: readonly OpenStep[]): void {
    const { host, steps } = this.#options;
    for (const step of suspects) {
      if (step.row !== null) steps.setState(step.row.id, "open", host.now());
      step.suspect = true;
    }
    this.#ready = [...launchable, ...this.#ready];
  }

  /** Whether the history has grown beyond what memory could hold on the next replay. */
  get overgrown(): boolean {
    return this.#growth.overgrown;
  }

  /** Whether an attempt runs, or waits only for another to leave, or an event is checked. */
  get busy(): boolean {
    return this.runner.running > 0 || this.#ready.length > 0 || this.#events.checking;
  }

  /** When the next wait ends, in milliseconds since 1970; infinity where there is none. */
  nextDue(): number {
    return this.#timed.nextDue();
  }

  /** When the turn must look again though nothing rings. */
  nextLook(): number {
    if (this.held) return this.runner.nextDeadline();
    const due = this.#events.checking ? this.#events.checkedBy : this.nextDue();
    let next = Math.min(due, this.runner.nextDeadline());
    for (const step of this.#ready) next = Math.min(next, step.leaving?.until ?? next);
    return next;
  }

  /** The steps that have not ended, as far as the code has asked for them. */
  get open(): Iterable<OpenStep> {
    return this.#open.values();
  }

  /** Whether some step waits for an event of this name. */
  waitsFor(event: string): boolean {
    return this.#events.awaits(event);
  }

  /**
   * Gives rows to what outlives the turn. A wait whose event is here meets it in the next one: its row would
   * come after the event's and go with it, and the next row would get its id again.
   */
  keepOpen(now: number): void {
    const waits = this.#caughtUp && !this.held && this.#idle; // else the code may have asked for more
    if (waits && this.driver.handlers.takesUpdates) this.updates.wait(now);
    const here = this.#events.names();
    for (const step of this.#open.values()) {
      const { request } = step.ask;
      const { kind } = request;
      if (kind === "event" && here.has(request.event)) continue;
      if (kind === "timer" || kind === "event" || step.attempt !== null) {
        this.#recorder.keepOpen(step, now);
      }
    }
  }
}

const isHeldLock = ({ kind, state, child }: StepRow): boolean =>
  kind === "lock" && state === "done" && (JSON.parse(child ?? "{}") as Child).released !== true;

/** Whether it may come to an end within a few promise jobs, and needs no row before it begins. */
const isShort = ({ request, undoable }: Ask): boolean =>
  "activity" in request && undoable !== true && request.activity.options.where !== "worker";

const isRelease = ({ ask: { request } }: OpenStep): boolean => request.kind === "unlock";

/** What runs elsewhere, or is to be undone, is known before it begins: a child has its row with its message. */
const hasRowFirst = (step: OpenStep): boolean =>
  runsOutside(step) || (step.ask.undoable === true && !isCorrespondence(step.ask.request));

const mayStart = (step: OpenStep, now: number): boolean =>
  step.leaving === null || step.leaving.attempt.settled || step.leaving.until <= now;

/** Whether an attempt before is known to have taken its object with it. */
const isLost = (failure: StoredText | null): boolean =>
  failure !== null && decodeFailure(textOf(failure)).code === "ATTEMPT_LOST";
