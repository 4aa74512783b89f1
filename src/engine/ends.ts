/** Requests that wait for an instance to end. */
import type { Host } from "./host.ts";

export class Ends {
  readonly #host: Pick<Host, "napUntil">;
  readonly #waiting = new Set<() => void>();

  constructor(host: Pick<Host, "napUntil">) {
    this.#host = host;
  }

  /** Resolves when the instance ends, or at that moment, whichever comes first. */
  async wait(until: number): Promise<void> {
    const nap = this.#host.napUntil(until);
    let ended = () => {};
    const end = new Promise<void>((resolve) => {
      ended = resolve;
    });
    this.#waiting.add(ended);
    await Promise.race([end, nap.over]);
    this.#waiting.delete(ended);
    nap.cancel();
  }

  /** The instance has ended. */
  tell(): void {
    for (const ended of [...this.#waiting]) ended();
  }
}
