/**
 * Log events of one execution. They gather here and leave after the commit they tell of, so that
 * nothing is told that a crash undoes, and nothing twice because of a replay.
 */

import { INITIAL_ID } from "../core/activity-status.ts";
import type { WorkflowLogLine } from "../core/driver.ts";
import type { Failure } from "../core/failure.ts";
import type { LogEvent, LogFields } from "../core/log.ts";
import type { StepIdentity } from "../core/names.ts";
import { shownFailure } from "../core/sensitive.ts";
import type { InstanceRow } from "../store/rows.ts";
import type { Attempt } from "./attempt.ts";
import type { Host } from "./host.ts";
import type { BufferedEvent } from "./recorder.ts";

export class Reporter {
  readonly #host: Pick<Host, "log" | "hears">;
  readonly #names: Pick<LogEvent, "instance" | "execution" | "workflow">;
  #waiting: LogEvent[] = [];

  constructor(host: Pick<Host, "log" | "hears">, row: InstanceRow) {
    this.#host = host;
    this.#names = { instance: row.id, execution: row.executionId, workflow: row.workflow };
  }

  /** Lets out what has gathered; call it after a commit. */
  flush(): void {
    if (this.#waiting.length === 0) return;
    const events = this.#waiting;
    this.#waiting = [];
    for (const event of events) this.#tell(event);
  }

  instance(event: string, fields: LogFields = {}): void {
    this.#add(event, fields);
  }

  workflowLogs(lines: readonly WorkflowLogLine[]): void {
    for (const { message, fields } of lines) this.#add("log", { ...fields, message });
  }

  attemptStarted(attempt: Attempt): void {
    const { step, number, lastProcessedId } = attempt.start;
    const resumed = lastProcessedId !== INITIAL_ID;
    const from = resumed ? { lastProcessedId } : {};
    this.#inOrder(resumed ? "attempt.resumed" : "attempt.started", {
      step,
      attempt: number,
      ...from,
    });
  }

  attemptLog(attempt: Attempt, message: string, fields: LogFields): void {
    const { step, number } = attempt.start;
    this.#inOrder("log", { ...fields, message, step, attempt: number });
  }

  attemptFailed(step: StepIdentity, attempt: number, failure: Failure, due: number): void {
    const next = new Date(due).toISOString();
    this.#add("attempt.failed", { step, attempt, ...told(failure), nextAttemptAt: next });
  }

  stepEnded(attempt: Attempt, event: string, now: number): void {
    const { step, number, startedAt } = attempt.start;
    this.#add(event, { step, attempt: number, ms: now - startedAt });
  }

  stepFailed(
    step: StepIdentity,
    attempt: number,
    failure: Failure,
    startedAt: number | null,
    now: number,
  ): void {
    this.#add("step.failed", { step, attempt, ms: now - (startedAt ?? now), ...told(failure) });
  }

  childStarted(step: StepIdentity, attempt: number, child: string): void {
    this.#add("child.started", { step, attempt, child });
  }

  answered(step: StepIdentity, attempt: number, ms: number): void {
    this.#add("step.completed", { step, attempt, ms });
  }

  stepCancelled(step: StepIdentity): void {
    this.#add("step.cancelled", { step });
  }

  eventRefused(event: BufferedEvent, step: StepIdentity, failure: Failure): void {
    this.#add("event.refused", { name: event.name, eventId: event.id, step, ...told(failure) });
  }

  /** A line that cannot be written must not take the turn down (W4). */
  #tell(event: LogEvent): void {
    try {
      this.#host.log(event);
    } catch {
      // There is nowhere left to say so.
    }
  }

  /** What depends on no commit is told at once, so that a crash does not swallow it; but not before what came first. */
  #inOrder(event: string, fields: LogFields): void {
    if (this.#host.hears?.(event) === false) return;
    if (this.#waiting.length === 0) this.#tell(this.#event(event, fields));
    else this.#add(event, fields);
  }

  #add(event: string, fields: LogFields): void {
    if (this.#host.hears?.(event) === false) return; // it would be made for nobody
    this.#waiting.push(this.#event(event, fields));
  }

  /** A user's field cannot hide which instance a line is about. */
  #event(event: string, fields: LogFields): LogEvent {
    const names = { event, ...this.#names };
    return Object.assign({ ...names }, fields, names);
  }
}

/** A failure in two flat fields. */
export function told(failure: Failure): LogFields {
  const { type, message, code } = shownFailure(failure);
  return { error: `${type}: ${message}`, code };
}
