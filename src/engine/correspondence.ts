/**
 * Steps that other instances answer: child workflows, and events sent. Each has its row, and its message in
 * the outbox, in one commit; the answer ends the step, or the child's result does.
 */
import type { ParentReference } from "../core/child.ts";
import { durationMillis } from "../core/duration.ts";
import { WaymarkError } from "../core/errors.ts";
import { engineFailure, type Failure, toFailure } from "../core/failure.ts";
import type { StepIdentity } from "../core/names.ts";
import { ENCODED_UNDEFINED, encode } from "../core/payload.ts";
import { uuidFrom } from "../core/random.ts";
import { nextAttemptAt } from "../core/retry.ts";
import { asSensitive } from "../core/sensitive.ts";
import type { ChildRequest, EntityRequest, LockRequest, StepRequest } from "../core/step.ts";
import type { Child, InstanceRow, StepRow } from "../store/rows.ts";
import type { Outgoing } from "./courier.ts";
import type { Host } from "./host.ts";
import { isWhole, lockMessage, lockTimeout, nextLocked, unlockMessages } from "./locking.ts";
import type { Answered, ControlChild, StartChild } from "./message.ts";
import type { OpenStep } from "./open-step.ts";
import type { Recorder } from "./recorder.ts";
import type { Reporter } from "./reporter.ts";

/** Whether another instance answers it. */
export const isCorrespondence = ({ kind }: StepRequest): boolean =>
  kind === "child" ||
  kind === "start" ||
  kind === "send" ||
  kind === "entity" ||
  kind === "lock" ||
  kind === "unlock";

/** Which try of a step a message belongs to: those of before a rewind count no more. */
export const attemptName = (redo: number, attempt: number): string => `${redo}.${attempt}`;

/** Which doing of the step it is: the same before and after a try that failed. */
export const redoOf = (name: string): string | undefined => name.split(".", 1)[0];

export interface CorrespondenceOptions {
  readonly host: Pick<Host, "now">;
  readonly row: InstanceRow;
  readonly recorder: Recorder;
  readonly reporter: Reporter;
  readonly post: (message: Outgoing) => void;
  /** How often a rewind has done a step anew. */
  readonly redo: (step: StepIdentity) => number;
}

export class Correspondence {
  readonly #options: CorrespondenceOptions;

  constructor(options: CorrespondenceOptions) {
    this.#options = options;
  }

  /** Writes the step's row and its message. It leaves after the commit. */
  begin(step: OpenStep, now: number): void {
    const { recorder, reporter, row } = this.#options;
    const { identity, input, request } = step.ask;
    step.startedAt ??= now;
    step.sent = true;
    step.due = null;
    if (request.kind === "send") {
      recorder.sent(step, now);
      const payload = input ?? ENCODED_UNDEFINED;
      const content = { kind: "event", event: request.event, payload, ...markOf(step) } as const;
      this.#post(request.to, identity, content);
      return;
    }
    const redo = this.#options.redo(identity);
    if (request.kind === "lock") {
      step.child = null; // what a try before it had asked for was given up
      if (request.timeoutMillis !== null) step.due = now + request.timeoutMillis;
      this.#askNext(step, request, redo, now);
      return;
    }
    if (request.kind === "entity") {
      this.#operate(step, request, redo, now);
      return;
    }
    const child = request as ChildRequest;
    const rewinds = step.child?.rewinds === true && step.failed === 0;
    step.child = {
      id: child.id ?? uuidFrom(`${row.executionId}/${identity}`),
      parentClose: child.parentClose,
      ...(redo === 0 ? {} : { redo }),
      ...(rewinds ? { rewinds } : {}),
    };
    if (child.timeout !== undefined) step.due = now + durationMillis(child.timeout);
    recorder.sent(step, now);
    this.#post(step.child.id, identity, this.#start(step, child));
    reporter.childStarted(identity, step.failed + 1, step.child.id);
  }

  /** Asks the next entity of a lock for it. */
  #askNext(step: OpenStep, { entities }: LockRequest, redo: number, now: number): void {
    step.child = nextLocked(step.child, entities, redo);
    this.#options.recorder.sent(step, now);
    this.#options.post(lockMessage(step.child, this.#parent(step)));
  }

  /** Gives back what a lock has, and takes back what it has asked for. */
  release(caller: ParentReference, child: Child): void {
    for (const message of unlockMessages(child, caller)) this.#options.post(message);
  }

  /** Releases a lock that is held, in the commit of the row that says so. */
  unlock(step: OpenStep, held: Pick<StepRow, "step" | "attempt" | "child"> | undefined): void {
    const { host, recorder, row } = this.#options;
    const now = host.now();
    if (held !== undefined) {
      const child = JSON.parse(held.child ?? "{}") as Child;
      const { id, executionId } = row;
      const attempt = attemptName(child.redo ?? 0, held.attempt);
      this.release({ id, executionId, step: held.step, attempt, awaited: true }, child);
    }
    step.startedAt ??= now;
    recorder.end(step, { ok: true, result: ENCODED_UNDEFINED }, now);
  }

  #operate(step: OpenStep, request: EntityRequest, redo: number, now: number): void {
    const { to, operation, payload, at, timeoutMillis, awaited } = request;
    const again = redo === 0 ? {} : { redo };
    step.child = { id: to, parentClose: "abandon", ...again, ...(awaited ? {} : { oneWay: true }) };
    if (timeoutMillis !== null) step.due = now + timeoutMillis;
    this.#options.recorder.sent(step, now);
    const caller = this.#parent(step);
    this.#post(to, step.ask.identity, { kind: "operation", operation, input: payload, at, caller });
  }

  #start(step: OpenStep, { workflow, version, tags, startAt }: ChildRequest): StartChild {
    const parent = this.#parent(step);
    const executionId = childExecution(parent);
    const input = step.ask.input ?? ENCODED_UNDEFINED;
    const start = { workflow, version, input, tags, startAt, executionId, parent };
    return {
      kind: "start",
      ...start,
      ...(step.child?.rewinds ? { rewinds: true } : {}),
      ...markOf(step),
    };
  }

  #parent({ ask, child, failed }: OpenStep): ParentReference {
    const { id, executionId } = this.#options.row;
    const { request } = ask;
    const awaited =
      request.kind === "child" ||
      request.kind === "lock" ||
      (request.kind === "entity" && request.awaited);
    const attempt = attemptName(child?.redo ?? 0, failed + 1);
    return { id, executionId, step: ask.identity, attempt, awaited };
  }

  #post(target: string, step: string | null, content: Outgoing["content"]): void {
    const { post, row } = this.#options;
    post({ target, executionId: row.executionId, step, content });
  }

  /** Records what became of it. Returns whether the step has ended; else it has a due, to be tried again. */
  conclude(step: OpenStep, answered: Answered, now: number): boolean {
    const { recorder, reporter } = this.#options;
    const { identity, request } = step.ask;
    const attempts = step.failed + 1;
    if (request.kind === "lock") {
      if (answered.ok && !isWhole(step.child, request)) {
        this.#askNext(step, request, step.child?.redo ?? 0, now);
        return false;
      }
      if (!answered.ok) this.giveUp(step);
    }
    if (answered.ok) {
      const result = request.kind === "start" ? this.#started(step) : answered.result;
      recorder.end(step, { ok: true, result }, now);
      reporter.answered(identity, attempts, now - (step.startedAt ?? now));
      return true;
    }
    const failure = asSensitive(this.#named(step, answered.failure), step.sensitive);
    const decided = this.#decide(step, failure, answered.final, now);
    if (decided.due === null) {
      recorder.end(step, { ok: false, failure: decided.failure, attempts }, now);
      reporter.stepFailed(identity, attempts, decided.failure, step.startedAt, now);
      return true;
    }
    step.failed = attempts;
    step.sent = false;
    step.due = decided.due;
    recorder.retry(step, decided.failure, decided.due, now);
    reporter.attemptFailed(identity, attempts, decided.failure, decided.due);
    return false;
  }

  /** The child of a step takes longer than it may: it is ended, and the try has failed. */
  expire(step: OpenStep, now: number): boolean {
    const { request } = step.ask;
    if (request.kind === "lock") {
      const late = lockTimeout(step.ask.identity, request.timeoutMillis ?? 0, step.child);
      return this.conclude(step, late, now);
    }
    if (request.kind === "entity") return this.#expireCall(step, now);
    const { timeout } = request as ChildRequest;
    const millis = timeout === undefined ? 0 : durationMillis(timeout);
    const error = new WaymarkError("CHILD_TIMEOUT", `the child took longer than ${millis} ms`);
    const parent = { executionId: this.#options.row.executionId, step: step.ask.identity };
    if (step.child !== null) {
      this.#post(step.child.id, null, controlOf("terminate", error.message, parent));
    }
    return this.conclude(step, { ok: false, failure: engineFailure(error), final: false }, now);
  }

  #expireCall(step: OpenStep, now: number): boolean {
    const error = new WaymarkError("ENTITY_TIMEOUT", "the entity's answer did not come in time");
    return this.conclude(step, { ok: false, failure: engineFailure(error), final: true }, now);
  }

  /** A lock is not waited for any more. */
  giveUp(step: OpenStep): void {
    if (step.child !== null) this.release(this.#parent(step), step.child);
  }

  /** The code has cancelled a step: its child is asked to end. */
  cancel({ ask, child }: OpenStep): void {
    const { row, post } = this.#options;
    if (child !== null) post(cancelOf(row, ask.identity, child));
  }

  #started(step: OpenStep): string {
    const id = step.child?.id ?? "";
    const executionId = childExecution(this.#parent(step));
    return encode({ id, executionId }, "a started child");
  }

  #named({ child }: OpenStep, failure: Failure): Failure {
    return child === null ? failure : { ...failure, instanceId: child.id };
  }

  #decide(
    step: OpenStep,
    failure: Failure,
    final: boolean,
    now: number,
  ): { readonly failure: Failure; readonly due: number | null } {
    const { request } = step.ask;
    if (request.kind !== "child") return { failure, due: null };
    const attempts = step.failed + 1;
    const firstStartedAt = step.startedAt ?? now;
    try {
      const failed = { failure, attempts, firstStartedAt, now, final };
      return { failure, due: nextAttemptAt(request.retry, failed) };
    } catch (thrown) {
      // The user's code decides here: what it throws must not take the turn down (W4).
      return { failure: { ...toFailure(thrown), cause: failure }, due: null };
    }
  }
}

/** What is said of a payload to those who get it. */
const markOf = ({ sensitive }: OpenStep): { readonly sensitive?: true } =>
  sensitive ? { sensitive } : {};

/** The id of a child's first execution: it follows from the step, so that a repeated start is the same one. */
const childExecution = ({ executionId, step, attempt }: ParentReference): string =>
  uuidFrom(`${executionId}/${step}/${attempt}`);

/** The message that asks a step's child to end. */
export function cancelOf(row: InstanceRow, step: string, { id }: Child): Outgoing {
  const { executionId } = row;
  const content = controlOf("cancel", "its parent's code has cancelled it", { executionId, step });
  return { target: id, executionId, step: null, content };
}

/** A message that asks something of a child. */
export function controlOf(
  verb: ControlChild["verb"],
  reason: string,
  parent: ControlChild["parent"],
  {
    recursive = false,
    force = false,
    compensate = false,
  }: { recursive?: boolean; force?: boolean; compensate?: boolean } = {},
): ControlChild {
  const undoing = compensate ? { compensate } : {};
  return { kind: "control", verb, reason, recursive, force, ...undoing, parent };
}
