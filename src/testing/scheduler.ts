/**
 * Decides what runs next in a simulation: one waiting continuation at a time, and between two of them
 * everything that promises can run. Time moves only when nothing is left to run, from timer to timer.
 * With a choice that is drawn from a seed, the same seed gives the same order.
 */
import { VirtualClock } from "./virtual-clock.ts";

export interface SchedulerOptions {
  readonly clock?: VirtualClock;
  /** Which of so many waiting continuations goes on, from 0; the oldest if left out. */
  readonly choose?: (count: number) => number;
}

/** Continuations after which a run is taken for one that never comes to rest. */
const MOST_TURNS = 1_000_000;

export class Scheduler {
  readonly clock: VirtualClock;
  readonly #choose: (count: number) => number;
  readonly #waiting: (() => void)[] = [];
  #running = false;

  constructor(options: SchedulerOptions = {}) {
    this.clock = options.clock ?? new VirtualClock();
    this.#choose = options.choose ?? (() => 0);
  }

  /** Resolves when it is this caller's turn: not before all that can run now has run. */
  turn(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /**
   * Runs until nothing is left to do, or nothing before that moment, or `done` says so.
   *
   * @param until milliseconds since 1970
   * @throws Error where a run is under way, or never comes to rest; RangeError where `until` is NaN
   */
  async run(until = Number.POSITIVE_INFINITY, done: () => boolean = () => false): Promise<void> {
    if (Number.isNaN(until)) throw new RangeError("NaN is no moment to run until");
    if (this.#running) throw new Error("the simulation runs already: await that run first");
    this.#running = true;
    try {
      await this.#run(until, done);
    } finally {
      this.#running = false;
    }
  }

  async #run(until: number, done: () => boolean): Promise<void> {
    for (let turns = 0; turns < MOST_TURNS; turns++) {
      await macrotask();
      if (done()) return;
      if (this.#waiting.length > 0 && this.clock.next() <= Math.min(this.clock.now(), until)) {
        // What is due already may go on as well. One at a time: none holds up those who wait.
        this.clock.fireNext();
        await macrotask();
      }
      if (this.#waiting.length > 0) {
        const [resume] = this.#waiting.splice(this.#choose(this.#waiting.length), 1);
        resume?.();
      } else if (this.clock.next() <= until && this.clock.next() < Number.POSITIVE_INFINITY) {
        this.clock.fireNext();
      } else {
        if (until < Number.POSITIVE_INFINITY) this.clock.moveTo(until);
        return;
      }
    }
    throw new Error(
      `the simulation has not come to rest after ${MOST_TURNS} turns: something repeats for ever, ` +
        "or waits for what this clock does not bring. Give `run` a moment to stop at",
    );
  }
}

/** Runs after every promise job that can run has run. */
const macrotask = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
