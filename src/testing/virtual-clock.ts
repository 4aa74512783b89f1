/** A clock that moves only when told: timers fire in order of their moment, in no time at all. */

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly fire: () => void;
}

export class VirtualClock {
  #now: number;
  #timers: Timer[] = [];
  #order = 0;

  /** @param start milliseconds since 1970 */
  constructor(start = Date.UTC(2026, 0, 1)) {
    this.#now = start;
  }

  now(): number {
    return this.#now;
  }

  /** Calls `fire` when the clock gets there; returns how to give it up. */
  at(moment: number, fire: () => void): () => void {
    const timer: Timer = { at: moment, order: this.#order++, fire };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** A wait for activities under test. */
  sleep(millis: number): Promise<void> {
    return new Promise((resolve) => {
      this.at(this.#now + millis, resolve);
    });
  }

  /** When the next timer fires; infinity where there is none. */
  next(): number {
    return this.#timers.reduce((next, timer) => Math.min(next, timer.at), Number.POSITIVE_INFINITY);
  }

  /** Moves to that moment and fires what is due, oldest first. */
  moveTo(moment: number): void {
    this.#now = Math.max(this.#now, moment);
    const due = this.#timers.filter((timer) => timer.at <= this.#now);
    this.#timers = this.#timers.filter((timer) => timer.at > this.#now);
    due.sort((a, b) => a.at - b.at || a.order - b.order);
    for (const timer of due) timer.fire();
  }
}
