import type { Host, Nap } from "./host.ts";

/** Wakes the one turn that waits. A ring is kept until the turn has looked. */
export class Doorbell {
  #rung = false;
  #answer: (() => void) | undefined;
  /** Rings at that moment. It stays from one look to the next, which mostly wait for the same: the budget's end. */
  #alarm: { readonly at: number; readonly nap: Nap } | null = null;

  ring(): void {
    this.#rung = true;
    this.#answer?.();
  }

  /** Resolves at the next ring, or at once where there was one since `reset`. */
  wait(): Promise<void> {
    if (this.#rung) return Promise.resolve();
    return new Promise((resolve) => {
      this.#answer = resolve;
    });
  }

  /** Resolves at the next ring, or at that moment; rings so far are then forgotten. */
  async waitUntil(host: Pick<Host, "napUntil">, until: number): Promise<void> {
    if (!this.#rung && this.#alarm?.at !== until) this.#ringAt(host, until);
    await this.wait();
    this.reset();
  }

  #ringAt(host: Pick<Host, "napUntil">, at: number): void {
    this.rest();
    const alarm = { at, nap: host.napUntil(at) };
    this.#alarm = alarm;
    void alarm.nap.over.then(() => {
      if (this.#alarm !== alarm) return;
      this.rest();
      this.ring();
    });
  }

  /** Forgets rings so far: the turn is about to look at everything. */
  reset(): void {
    this.#rung = false;
    this.#answer = undefined;
  }

  /** The turn is over: an object at rest holds no timer (W11). */
  rest(): void {
    this.#alarm?.nap.cancel();
    this.#alarm = null;
  }
}
