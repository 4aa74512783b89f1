/**
 * Lets the outside in during long stretches of short work (W5). A local commit or a local D1 answers
 * without leaving the process, and workerd reads requests only when nothing else is ready: without a
 * pause now and then a status read or a terminate would wait for the turn's end.
 */
import { BREATH_MILLIS, type Host } from "./host.ts";

export class Breather {
  readonly #host: Host;
  #last: number;

  constructor(host: Host) {
    this.#host = host;
    this.#last = host.now();
  }

  /** Whether it is time for a pause; asked first, because a needless await is not free. */
  get due(): boolean {
    return this.#host.now() - this.#last >= BREATH_MILLIS;
  }

  async breathe(): Promise<void> {
    await this.#host.breathe();
    this.#last = this.#host.now();
  }
}
