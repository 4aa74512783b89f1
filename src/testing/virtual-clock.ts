/** A clock that moves only when told: timers fire in order of their moment, in no time at all. */

interface Timer {
  readonly at: number;
  readonly fire: () => void;
  /** Set by the simulation itself, and not by code that runs in it. */
  readonly hosts: boolean;
}

export class VirtualClock {
  #now: number;
  /** In the order in which they fire: by moment, then by age. */
  readonly #timers: Timer[] = [];

  /** @param start milliseconds since 1970 */
  constructor(start = Date.UTC(2026, 0, 1)) {
    this.#now = start;
  }

  now(): number {
    return this.#now;
  }

  /**
   * Calls `fire` when the clock gets there; returns how to give it up.
   *
   * @throws RangeError for NaN, as an invalid Date gives it: that is no moment
   */
  at(moment: number, fire: () => void): () => void {
    return this.#set({ at: moment, fire, hosts: false });
  }

  /** The same for the simulation itself: its alarms, and the waits of a turn. */
  atForHost(moment: number, fire: () => void): () => void {
    return this.#set({ at: moment, fire, hosts: true });
  }

  #set(timer: Timer): () => void {
    const { at: moment } = timer;
    if (Number.isNaN(moment)) throw new RangeError("NaN is no moment for a timer");
    const later = this.#timers.findIndex((other) => other.at > moment);
    this.#timers.splice(later === -1 ? this.#timers.length : later, 0, timer);
    return () => {
      const index = this.#timers.indexOf(timer);
      if (index !== -1) this.#timers.splice(index, 1);
    };
  }

  /** A wait for activities under test. */
  sleep(millis: number): Promise<void> {
    return new Promise((resolve) => {
      this.at(this.#now + millis, resolve);
    });
  }

  /** A wait of the simulation itself, such as of a message on its way. */
  sleepForHost(millis: number): Promise<void> {
    return new Promise((resolve) => {
      this.atForHost(this.#now + millis, resolve);
    });
  }

  /** How many timers of code that runs in the simulation have not fired. */
  get sleepers(): number {
    return this.#timers.filter(({ hosts }) => !hosts).length;
  }

  /** When the next timer fires; infinity where there is none. */
  next(): number {
    return this.#timers[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  /** Moves to the next timer and fires that one alone. */
  fireNext(): void {
    const timer = this.#timers.shift();
    if (timer === undefined) return;
    this.#now = Math.max(this.#now, timer.at);
    timer.fire();
  }

  /** Moves to that moment and fires what is due, oldest first. */
  moveTo(moment: number): void {
    while (this.next() <= moment) this.fireNext();
    this.#now = Math.max(this.#now, moment);
  }
}
