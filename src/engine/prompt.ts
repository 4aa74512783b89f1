/**
 * Turns that begin in the event that made them due (W3). The alarm is set as ever, and once it is durable the turn need
 * not wait for it: an alarm takes some 5 ms to come. When it comes, it joins the turn that runs.
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

  /** Calls it as soon as what was written is durable; once, however often it is asked for until then. */
  begin(turn: () => void): void {
    if (!this.#enabled || this.#pending) return;
    this.#pending = true;
    this.#host.committed().then(
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
