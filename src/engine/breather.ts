/**
 * Lets the outside in during long stretches of short work (W5). A local commit or a local D1 answers
 * without leaving the process, and workerd reads requests only when nothing else is ready: without a
 * pause now and then a status read or a terminate would wait for the turn's end.
 */
import { BREATH_MILLIS, type Host } from "./host.ts";

export class Breather {
  readonly #host: Pick<Host, "now" | "breathe">;
  #last: number;
  /** The pause that has begun, and is not over. */
  #pause: Promise<void> | null = null;

  constructor(host: Pick<Host, "now" | "breathe">) {
    this.#host = host;
    this.#last = host.now();
  }

  /** Whether it is time for a pause; asked first, because a needless await is not free. */
  get due(): boolean {
    return this.#host.now() - this.#last >= BREATH_MILLIS;
  }

  /** Resolves after a pause: the one that has begun already, if there is one. */
  breathe(): Promise<void> {
    this.#pause ??= this.#begin();
    return this.#pause;
  }

  /**
   * The turn is about to wait for something. Where a pause is due soon, it begins now, and nobody waits for it: if what the
   * turn waits for comes from the network, the outside gets in meanwhile, and the pause is over before it is due. What
   * answers within the process lets nobody in: then the pause is still to come, and is waited for when it is due.
   */
  breatheMeanwhile(): void {
    if (this.#host.now() - this.#last >= BREATH_MILLIS / 2) this.#pause ??= this.#begin();
  }

  async #begin(): Promise<void> {
    await this.#host.breathe();
    this.#last = this.#host.now();
    this.#pause = null;
  }
}
