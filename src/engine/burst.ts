import type { DoneRows } from "../store/done-rows.ts";

/**
 * Promise jobs after which a burst in which nothing has happened counts as over: more than most code takes from one step to
 * the next. Where it takes more, a row is written by itself, and nothing else changes.
 */
const QUIET_JOBS = 16;

const settled = Promise.resolve();

export interface BurstOptions {
  /** Steps that may share a commit; 0 where none may. */
  readonly limit: number;
  /** Whether what runs may be what has killed the object. */
  readonly careful: boolean;
  /** Where their rows are written. */
  readonly rows: Pick<DoneRows, "gather" | "settle">;
  /** Rows could not be written of which the code knows already: nothing that it has done since may leave. */
  readonly failed: (error: unknown) => void;
}

/**
 * Very short steps that share a commit (W2), and their number. A step that takes the short cut is durable only with the next
 * drain, and a crash repeats all that came after the last one: so their number is bounded, and an execution whose
 * memory was lost at an unexpected moment commits each step until it is past those that may have killed it.
 *
 * Their rows are written together as well, before the burst of promise jobs is over, and so before any commit (W9). The first is
 * written by itself: it closes the output gate, behind which all that leaves waits for the commit that has the others. So is the
 * next one after a silence: code that awaits what no step brings goes on in a later burst, whose commit is another one.
 */
export class Burst {
  readonly #options: BurstOptions;
  #left: number;
  #careful: number;
  #written = false;
  /** A row was written by itself, and the promise jobs go on since: no commit can have begun. */
  #gated = false;
  /** Grows with all that happens in it. */
  #happened = 0;

  constructor(options: BurstOptions) {
    this.#options = options;
    this.#left = options.limit;
    this.#careful = options.careful ? options.limit : 0;
  }

  /** Counts a step that could take the short cut. Returns whether it may. */
  take(): boolean {
    if (this.#careful > 0) {
      this.#careful--;
      return false;
    }
    if (this.#left === 0) return false;
    this.#left--;
    return true;
  }

  /** A step has begun: {@link record} or {@link settle} follows in the burst, and rows wait for that. */
  begun(): void {
    this.#happened++;
  }

  /** Records a step in the burst. */
  record(write: () => void): void {
    try {
      if (this.#gated) this.#options.rows.gather(write);
      else write();
    } finally {
      this.#written = true;
      this.#gated = true;
      this.#settleSoon();
    }
  }

  /** Writes the rows that wait for others. */
  settle(): void {
    this.#happened++;
    this.#gated = false;
    try {
      this.#options.rows.settle();
    } catch (error) {
      this.#options.failed(error);
    }
  }

  /** Nobody is told that a burst is over: it is, where nothing has happened for some promise jobs. */
  #settleSoon(): void {
    const happened = ++this.#happened;
    let left = QUIET_JOBS;
    const look = (): void => {
      if (this.#happened !== happened) return;
      if (left-- > 0) settled.then(look);
      else this.settle();
    };
    settled.then(look);
  }

  /** The burst is over. Returns whether it wrote anything, which is not durable yet. */
  end(): boolean {
    const written = this.#written;
    this.#written = false;
    this.#gated = false;
    this.#left = this.#options.limit;
    return written;
  }
}
