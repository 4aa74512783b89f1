/**
 * Attempts that were stopped and may still run in this object, by step. They outlive their execution:
 * the next attempt at a step waits for the one before, whichever execution that belonged to.
 */
import type { StepIdentity } from "../core/names.ts";
import type { Attempt } from "./attempt.ts";
import { type Host, SETTLE_MILLIS } from "./host.ts";
import type { LeavingAttempt } from "./open-step.ts";

export class Leaving {
  readonly #host: Host;
  /** In the order in which they are given up: each has as long as any other. */
  readonly #attempts = new Map<StepIdentity, LeavingAttempt>();

  constructor(host: Host) {
    this.#host = host;
  }

  /** Notes an attempt that was just stopped. */
  add(attempt: Attempt): LeavingAttempt {
    const now = this.#host.now();
    for (const [step, { until }] of this.#attempts) {
      if (until > now) break;
      this.#attempts.delete(step);
    }
    const leaving = { attempt, until: now + SETTLE_MILLIS };
    this.#attempts.delete(attempt.start.step);
    this.#attempts.set(attempt.start.step, leaving);
    return leaving;
  }

  /** The attempt that the next one at this step waits for. */
  of(step: StepIdentity): LeavingAttempt | null {
    return this.#attempts.get(step) ?? null;
  }
}
