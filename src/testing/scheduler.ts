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

/**
 * How long the clock stands still for work outside the simulation, such as `crypto.subtle`: in
 * milliseconds of real time in which nothing happens. After that it is taken for work that never ends.
 */
const PATIENCE_MILLIS = 1_000;

/** Times the clock moves, with nothing but such work left, before the run gives up. */
const MOST_MOVES_WITHOUT_HOPE = 2_000;

/** Something that runs outside, as far as anybody knows. */
interface Work {
  /** Nobody waits for it any more. */
  readonly over: () => boolean;
  /** It was waited for in vain. */
  hopeless: boolean;
}

export class Scheduler {
  readonly clock: VirtualClock;
  readonly #choose: (count: number) => number;
  readonly #waiting: (() => void)[] = [];
  readonly #works = new Set<Work>();
  #running = false;
  #movesWithoutHope = 0;
  #broken: Error | undefined;

  constructor(options: SchedulerOptions = {}) {
    this.clock = options.clock ?? new VirtualClock();
    this.#choose = options.choose ?? (() => 0);
  }

  /** Resolves when it is this caller's turn: not before all that can run now has run. */
  turn(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /**
   * Notes that user code begins, which may wait for what is not of this simulation. The clock does not
   * move meanwhile. Returns how to say that it has ended.
   *
   * @param over whether nobody waits for it any more
   */
  work(over: () => boolean): () => void {
    const work: Work = { over, hopeless: false };
    this.#works.add(work);
    this.#movesWithoutHope = 0;
    return () => {
      this.#works.delete(work);
      this.#movesWithoutHope = 0;
    };
  }

  /** Ends the run with an error of the simulation itself: what runs in it could mend one that it is thrown. */
  break(error: Error): void {
    this.#broken ??= error;
  }

  /**
   * Runs until nothing is left to do, or nothing before that moment, or `done` says so.
   *
   * @param until milliseconds since 1970
   * @throws Error where a run is under way, never comes to rest, or is broken; RangeError where `until` is NaN
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
      if (this.#broken !== undefined) throw this.#broken;
      if (done()) return;
      if (this.#waiting.length > 0 && this.clock.next() <= Math.min(this.clock.now(), until)) {
        // What is due already may go on as well. One at a time: none holds up those who wait.
        this.clock.fireNext();
        await macrotask();
      }
      if (this.#waiting.length > 0) {
        const [resume] = this.#waiting.splice(this.#choose(this.#waiting.length), 1);
        resume?.();
      } else if (await this.#outside()) {
        // Something may have come of it: look again.
      } else if (this.clock.next() <= until && this.clock.next() < Number.POSITIVE_INFINITY) {
        this.#countMove();
        this.clock.fireNext();
      } else {
        if (until < Number.POSITIVE_INFINITY) this.clock.moveTo(until);
        return;
      }
    }
    throw new Error(
      `the simulation has not come to rest after ${MOST_TURNS} turns: something repeats for ever. ` +
        "Give `run` a moment to stop at",
    );
  }

  /** Work that may go on by itself: not what waits for this clock, nor what was waited for in vain. */
  #hopeful(): readonly Work[] {
    for (const work of this.#works) if (work.over()) this.#works.delete(work);
    const works = [...this.#works].filter(({ hopeless }) => !hopeless);
    return works.length > this.clock.sleepers ? works : [];
  }

  /** Lets work outside go on while the clock stands still. Returns whether there was any to wait for. */
  async #outside(): Promise<boolean> {
    const works = this.#hopeful();
    if (works.length === 0) return false;
    const end = performance.now() + PATIENCE_MILLIS;
    while (performance.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, 0));
      if (this.#waiting.length > 0 || this.#hopeful().length !== works.length) return true;
    }
    for (const work of works) work.hopeless = true;
    return true;
  }

  #countMove(): void {
    const hopeless = [...this.#works].some((work) => work.hopeless);
    if (!hopeless || ++this.#movesWithoutHope < MOST_MOVES_WITHOUT_HOPE) return;
    throw new Error(
      "the simulation does not come to rest: an activity waits for what neither this clock nor, in " +
        `${PATIENCE_MILLIS} ms, anything else brings. Let it wait with ctx.sleep, or give \`run\` a ` +
        "moment to stop at",
    );
  }
}

/** Runs after every promise job that can run has run. */
const macrotask = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
