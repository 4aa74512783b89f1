/**
 * Turns that begin in the event that made them due (W3). The alarm is set as ever, and once it is durable the turn need
 * not wait for it: an alarm takes some 5 ms to come. When it comes, it joins the turn that runs.
 *
 * A turn may begin before that as well, in the same commit as what made it due: an instance that ends within it is one commit,
 * whose alarm was never known outside. If its code kills the object, what made it due is lost, too, and its sender is to know.
 */
import type { Host } from "./host.ts";

export class Prompt {
  readonly #host: Pick<Host, "committed">;
  readonly #enabled: boolean;
  #pending = false;

  constructor(host: Pick<Host, "committed">, enabled: boolean) {
    this.#host = host;
    this.#enabled = enabled;
  }

  /**
   * Calls it as soon as what was written is durable; once, however often it is asked for until then.
   *
   * @param atOnce to call it in the next promise job instead
   */
  begin(turn: () => void, atOnce: boolean): void {
    if (!this.#enabled || this.#pending) return;
    this.#pending = true;
    const ready = atOnce ? Promise.resolve() : this.#host.committed();
    ready.then(
      () => {
        this.#pending = false;
        turn();
      },
      () => {
        this.#pending = false; // the platform resets the object, and the alarm is all that is left
      },
    );
  }
}
