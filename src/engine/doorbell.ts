import type { Host } from "./host.ts";

/** Wakes the one turn that waits. A ring is kept until the turn has looked. */
export class Doorbell {
  #rung = false;
  #answer: (() => void) | undefined;

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
    const nap = host.napUntil(until);
    await Promise.race([this.wait(), nap.over]);
    nap.cancel();
    this.reset();
  }

  /** Forgets rings so far: the turn is about to look at everything. */
  reset(): void {
    this.#rung = false;
    this.#answer = undefined;
  }
}
