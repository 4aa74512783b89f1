/**
 * Which open steps an AbortSignal of the workflow's code would cancel. A signal gets one listener however
 * many steps it is given to, so that a thousand of them come and go in linear time. When it aborts, its
 * steps are cancelled in the order of their asks, within the code that aborts it: so a replay does the same.
 */
import type { StepIdentity } from "./names.ts";

export class Signals {
  readonly #steps = new WeakMap<AbortSignal, Set<StepIdentity>>();
  readonly #cancel: (step: StepIdentity) => void;

  constructor(cancel: (step: StepIdentity) => void) {
    this.#cancel = cancel;
  }

  watch(signal: AbortSignal, step: StepIdentity): void {
    this.#stepsOf(signal).add(step);
  }

  forget(signal: AbortSignal, step: StepIdentity): void {
    this.#steps.get(signal)?.delete(step);
  }

  #stepsOf(signal: AbortSignal): Set<StepIdentity> {
    const known = this.#steps.get(signal);
    if (known !== undefined) return known;
    const steps = new Set<StepIdentity>();
    this.#steps.set(signal, steps);
    const cancelAll = () => {
      for (const step of steps) this.#cancel(step);
      steps.clear();
    };
    signal.addEventListener("abort", cancelAll, { once: true });
    return steps;
  }
}
