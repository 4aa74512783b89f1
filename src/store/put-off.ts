/** The one write that a storage port has put off: see `Sql.later`. */
export class PutOff {
  #write: (() => void) | null = null;

  /** Whether a write is put off. */
  get waits(): boolean {
    return this.#write !== null;
  }

  /** Puts a write off; one that was put off before is run. */
  later(write: () => void): void {
    this.settle();
    this.#write = write;
  }

  /** Runs what was put off. Where it fails it is not tried again. */
  settle(): void {
    const write = this.#write;
    if (write === null) return;
    this.#write = null;
    write();
  }

  /** Forgets what was put off. */
  drop(): void {
    this.#write = null;
  }
}
