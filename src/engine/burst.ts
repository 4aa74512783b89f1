/**
 * How many very short steps may share a commit (W2). A step that takes the short cut is durable only with the next
 * drain, and a crash repeats all that came after the last one: so their number is bounded, and an execution whose
 * memory was lost at an unexpected moment commits each step until it is past those that may have killed it.
 */
export class Burst {
  readonly #limit: number;
  #left: number;
  #careful: number;
  #written = false;

  /**
   * @param limit steps that may share a commit; 0 where none may
   * @param careful whether what runs may be what has killed the object
   */
  constructor(limit: number, careful: boolean) {
    this.#limit = limit;
    this.#left = limit;
    this.#careful = careful ? limit : 0;
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

  /** Notes that a step was recorded in the burst. */
  wrote(): void {
    this.#written = true;
  }

  /** The burst is over. Returns whether it wrote anything, which is not durable yet. */
  end(): boolean {
    const written = this.#written;
    this.#written = false;
    this.#left = this.#limit;
    return written;
  }
}
