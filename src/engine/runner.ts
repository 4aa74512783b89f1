/**
 * Runs the attempts of one execution: starts them, hears of their ends, decides on retries, and
 * stops those that are over. Activity code never runs on the workflow's stack (rule a): what comes
 * back waits in `#arrivals` until the turn records it.
 */
import { type ActivityStatus, INITIAL_ID, parseActivityStatus } from "../core/activity-status.ts";
import type { UndoneStep } from "../core/compensation.ts";
import { durationMillis } from "../core/duration.ts";
import { WaymarkError } from "../core/errors.ts";
import {
  engineFailure,
  type Failure,
  IsolateLostError,
  RetryAfterError,
  toFailure,
} from "../core/failure.ts";
import type { LogFields } from "../core/log.ts";
import { nameOf, type StepIdentity } from "../core/names.ts";
import { decode, type Encoded, encode } from "../core/payload.ts";
import { nextAttemptAt } from "../core/retry.ts";
import { asSensitive } from "../core/sensitive.ts";
import type { StepRequest, UndoneInput } from "../core/step.ts";
import { Attempt, type AttemptOutcome, type AttemptOwner } from "./attempt.ts";
import type { Breather } from "./breather.ts";
import type { Doorbell } from "./doorbell.ts";
import { type Host, LOST_MILLIS } from "./host.ts";
import type { Leaving } from "./leaving.ts";
import { type OpenStep, runsOutside } from "./open-step.ts";
import type { Recorder } from "./recorder.ts";
import type { Reporter } from "./reporter.ts";

type ActivityRequest = Extract<StepRequest, { kind: "activity" | "run" }>;

interface Arrival {
  readonly step: OpenStep;
  readonly attempt: Attempt;
  readonly outcome: AttemptOutcome | "preempted";
}

export interface RunnerOptions {
  readonly host: Host;
  readonly recorder: Recorder;
  readonly reporter: Reporter;
  readonly doorbell: Doorbell;
  readonly breather: Breather;
  readonly leaving: Leaving;
  readonly instanceId: string;
  readonly executionId: string;
  /** Of a fork: the executions that its copied steps are of. */
  readonly recordedBy: ReadonlyMap<StepIdentity, string>;
  /** How often a rewind has done a step anew. */
  readonly redo: (step: StepIdentity) => number;
  /** Counts a checkpoint; says whether the turn wants the activity to stop there. */
  readonly spendCheckpoint: () => boolean;
}

export class Runner implements AttemptOwner {
  readonly #options: RunnerOptions;
  readonly #live = new Map<Attempt, OpenStep>();
  #arrivals: Arrival[] = [];

  constructor(options: RunnerOptions) {
    this.#options = options;
  }

  /** Steps with a running attempt. */
  get live(): Iterable<OpenStep> {
    return this.#live.values();
  }

  get running(): number {
    return this.#live.size;
  }

  /** Whether a step runs whose attempt before was lost. */
  get runsAlone(): boolean {
    for (const step of this.#live.values()) if (step.alone) return true;
    return false;
  }

  /** Attempts that are over, and not recorded. */
  get arrivals(): number {
    return this.#arrivals.length;
  }

  /** Whether that step's attempt is the only one that runs, and is over. */
  hasOnly(step: OpenStep): boolean {
    return this.#live.size === 1 && this.#arrivals.length === 1 && this.#arrivals[0]?.step === step;
  }

  now(): number {
    return this.#options.host.now();
  }

  /** Begins the next attempt at a step. */
  start(step: OpenStep): void {
    const { host } = this.#options;
    const request = step.ask.request as ActivityRequest;
    const now = host.now();
    // Read before it begins: what cannot be read is no failure of an attempt.
    const undone = request.undoes && this.#undone(request.undoes);
    step.startedAt ??= now;
    step.due = null;
    step.leaving = null;
    const attempt = new Attempt(this.#describe(step, request, now), this);
    step.attempt = attempt;
    this.#live.set(attempt, step);
    this.#options.reporter.attemptStarted(attempt);
    const running = new Promise((resolve) => resolve(this.#call(step, attempt, request, undone)));
    running.then(
      (value) => this.#arrive(step, attempt, { ok: true, value }),
      (error: unknown) => this.#arrive(step, attempt, { ok: false, error }),
    );
  }

  /** Whatever goes wrong here is the attempt's failure, not the turn's (W4). */
  #call(
    step: OpenStep,
    attempt: Attempt,
    request: ActivityRequest,
    undone: UndoneStep | undefined,
  ): unknown {
    const { host } = this.#options;
    const { input } = step.ask;
    const given = undone ?? (input === null ? undefined : decode(input));
    const value = request.stageStatus === null ? given : attempt.status;
    return host.runActivity(request.activity, value, attempt.context(host.env));
  }

  #undone({ step, read }: UndoneInput): UndoneStep {
    return { ...read(), idempotencyKey: this.keyOf(step) };
  }

  keyOf(step: StepIdentity): string {
    const { executionId, recordedBy, redo } = this.#options;
    return `${recordedBy.get(step) ?? executionId}:${encodeURIComponent(step)}:${redo(step)}`;
  }

  #describe(step: OpenStep, request: ActivityRequest, now: number) {
    const { instanceId, executionId } = this.#options;
    const { identity } = step.ask;
    const name = nameOf(identity);
    const { stageStatus, timeout } = request;
    return {
      step: identity,
      name,
      number: step.failed + 1,
      stageStatus,
      lastProcessedId: step.row?.lastProcessedId ?? stageStatus?.lastProcessedId ?? INITIAL_ID,
      startedAt: now,
      deadline: timeout === undefined ? null : now + durationMillis(timeout),
      instanceId,
      executionId,
    };
  }

  #arrive(step: OpenStep, attempt: Attempt, outcome: AttemptOutcome | "preempted"): void {
    attempt.settled = true;
    this.#arrivals.push({ step, attempt, outcome });
    this.#options.doorbell.ring();
  }

  parked(attempt: Attempt): void {
    const step = this.#live.get(attempt);
    if (step !== undefined) this.#arrive(step, attempt, "preempted");
    else this.#options.doorbell.ring();
  }

  async checkpoint(attempt: Attempt, progress: Encoded | null): Promise<"go on" | "stop"> {
    const step = this.#live.get(attempt);
    if (step === undefined) return "stop";
    const { recorder, host, breather } = this.#options;
    const before = step.row?.lastProcessedId;
    recorder.checkpoint(step, attempt.lastProcessedId, progress, host.now());
    const stop = this.#options.spendCheckpoint();
    if (step.alone && step.row?.lastProcessedId !== before) this.#clear(step);
    await host.committed();
    if (!stop && breather.due) await breather.breathe();
    return stop ? "stop" : "go on";
  }

  /** It makes headway, so others may run beside it again. */
  #clear(step: OpenStep): void {
    step.alone = false;
    this.#options.doorbell.ring();
  }

  log(attempt: Attempt, message: string, fields: LogFields): void {
    this.#options.reporter.attemptLog(attempt, message, fields);
  }

  /**
   * Records what has arrived. Returns the steps that are to be tried again, at their `due` or, after
   * a pre-emption, at once; and whether any step has ended.
   */
  record(): { readonly again: readonly OpenStep[]; readonly ended: readonly OpenStep[] } {
    const arrivals = this.#arrivals;
    this.#arrivals = [];
    const again: OpenStep[] = [];
    const ended: OpenStep[] = [];
    for (const { step, attempt, outcome } of arrivals) {
      if (step.attempt !== attempt) continue; // its token is void: the step has moved on
      if (outcome === "preempted") {
        this.#release(step);
        again.push(step);
      } else if (outcome.ok) {
        const over = this.#succeed(step, attempt, outcome.value);
        (over ? ended : again).push(step);
      } else if (outcome.error instanceof IsolateLostError && attempt.gotFurther) {
        this.#tryAgain(step, outcome.error); // it makes headway: it is not what killed its isolate
        again.push(step);
      } else {
        (this.#fail(step, outcome.error) ? ended : again).push(step);
      }
    }
    return { again, ended };
  }

  /**
   * Counts an attempt that was marked and never came back; one among several is tried again
   * uncounted, alone. Returns whether the step has ended.
   */
  lost(step: OpenStep, only: boolean): boolean {
    const error = lostError();
    step.suspect = true;
    step.alone = true;
    if (only) return this.#fail(step, error);
    this.#tryAgain(step, error);
    return false;
  }

  /** Its attempt was lost and may not be to blame: the next one comes after a while, and none counts. */
  #tryAgain(step: OpenStep, error: WaymarkError): void {
    const { recorder, reporter } = this.#options;
    const now = this.now();
    const failure = ownFailure(error);
    step.due = now + LOST_MILLIS;
    this.#release(step);
    recorder.retry(step, failure, step.due, now);
    reporter.attemptFailed(step.ask.identity, step.failed + 1, failure, step.due);
  }

  /** Stops attempts that are past their deadline. */
  expire(now: number): { readonly again: OpenStep[]; readonly ended: OpenStep[] } {
    const again: OpenStep[] = [];
    const ended: OpenStep[] = [];
    for (const [attempt, step] of this.#live) {
      const { deadline, startedAt } = attempt.start;
      if (deadline === null || deadline > now || attempt.settled) continue;
      const millis = deadline - startedAt;
      const error = new WaymarkError(
        "ATTEMPT_TIMEOUT",
        `the attempt took longer than ${millis} ms`,
      );
      attempt.stop(error);
      const leaving = this.#options.leaving.add(attempt);
      if (this.#fail(step, error)) ended.push(step);
      else {
        step.leaving = leaving;
        again.push(step);
      }
    }
    return { again, ended };
  }

  /** When the next running attempt times out. */
  nextDeadline(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const attempt of this.#live.keys()) next = Math.min(next, attempt.start.deadline ?? next);
    return next;
  }

  /** Ends every attempt: their instance has moved on. */
  stopAll(reason: WaymarkError): void {
    for (const step of this.#live.values()) this.stop(step, reason);
    this.#arrivals = [];
  }

  /** Ends the attempt at a step, where one runs: what it brings no longer counts. */
  stop(step: OpenStep, reason: WaymarkError): void {
    const { attempt } = step;
    if (attempt === null) return;
    attempt.stop(reason);
    if (!attempt.settled) this.#options.leaving.add(attempt);
    this.#release(step);
  }

  #release(step: OpenStep): void {
    if (step.attempt !== null) this.#live.delete(step.attempt);
    step.attempt = null;
  }

  /** Returns whether the step has ended: a result that cannot be stored may be tried again. */
  #succeed(step: OpenStep, attempt: Attempt, value: unknown): boolean {
    const { recorder, reporter } = this.#options;
    const now = this.now();
    let result: Encoded;
    try {
      const { stageStatus } = step.ask.request as ActivityRequest;
      if (stageStatus !== null) attempt.complete(completeStatus(attempt, value, now));
      const kept = stageStatus === null ? value : attempt.status;
      result = encode(kept, `the result of "${attempt.start.name}"`);
    } catch (error) {
      return this.#fail(step, error);
    }
    recorder.end(step, { ok: true, result }, now);
    this.#release(step);
    reporter.stepEnded(attempt, "step.completed", now);
    return true;
  }

  /** Returns whether the step has ended: no further attempt. */
  #fail(step: OpenStep, error: unknown): boolean {
    const { recorder, reporter } = this.#options;
    const { attempt } = step;
    const now = this.now();
    const decided = this.#decide(step, error, now);
    const lost = error instanceof WaymarkError && error.code === "ATTEMPT_LOST";
    if (decided.due !== null && lost) decided.due = Math.max(decided.due, now + LOST_MILLIS);
    if (decided.due === null) {
      const attempts = step.failed + 1;
      if (attempt === null) step.failed = attempts; // lost: there is no attempt to count
      recorder.end(step, { ok: false, failure: decided.failure, attempts }, now);
      this.#release(step);
      reporter.stepFailed(step.ask.identity, attempts, decided.failure, step.startedAt, now);
      return true;
    }
    step.failed += 1;
    step.alone = lost && !runsOutside(step);
    step.due = decided.due;
    this.#release(step);
    recorder.retry(step, decided.failure, decided.due, now);
    reporter.attemptFailed(step.ask.identity, step.failed, decided.failure, decided.due);
    return false;
  }

  #decide(step: OpenStep, error: unknown, now: number): { failure: Failure; due: number | null } {
    const own = error instanceof WaymarkError ? ownFailure(error) : toFailure(error);
    const failure = asSensitive(own, step.sensitive);
    const { retry } = step.ask.request as ActivityRequest;
    try {
      const due = nextAttemptAt(retry, {
        failure,
        attempts: step.failed + 1,
        firstStartedAt: step.startedAt ?? now,
        now,
        final: error instanceof WaymarkError && !error.retryable,
        ...(error instanceof RetryAfterError ? { retryAt: retryAt(error, now) } : {}),
      });
      return { failure, due };
    } catch (thrown) {
      // The user's code decides here: what it throws must not take the turn down (W4).
      return { failure: { ...toFailure(thrown), cause: failure }, due: null };
    }
  }
}

function lostError(): WaymarkError {
  return new WaymarkError(
    "ATTEMPT_LOST",
    "the object was lost during the attempt, twice without a checkpoint in between: " +
      "the activity may use too much memory or CPU, or the Worker was restarted",
  );
}

/** Errors users throw on purpose keep their cause and stack; the engine's own need neither. */
function ownFailure(error: WaymarkError): Failure {
  const thrownByUser = error.code === "NON_RETRYABLE" || error.code === "RETRY_AFTER";
  return thrownByUser || error.cause !== undefined ? toFailure(error) : engineFailure(error);
}

function retryAt(error: RetryAfterError, now: number): number {
  return "at" in error.after ? error.after.at : now + error.after.millis;
}

/** The status a stage ends with: its own word on how far it came, or its last checkpoint. */
function completeStatus(attempt: Attempt, value: unknown, now: number): ActivityStatus {
  const returned = value === undefined ? attempt.status : parseActivityStatus(value);
  return {
    lastProcessedId: returned.lastProcessedId,
    processingStatus: "Complete",
    processingStage: attempt.start.name,
    lastUpdated: new Date(now).toISOString(),
  };
}
