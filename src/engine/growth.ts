/** How far the history of an execution has grown. What has ended is counted, as the rows have it. */
import { LIMITS } from "../core/limits.ts";
import { bytesOf, type StoredText } from "../core/stored-text.ts";
import type { StepRow } from "../store/rows.ts";

export class Growth {
  /** Steps that have ended. */
  readonly ended: number;
  #bytes: number;

  /** @param ended the steps recorded before, in order */
  constructor(ended: readonly StepRow[]) {
    this.ended = ended.at(-1)?.seq ?? 0;
    this.#bytes = ended.reduce((sum, row) => sum + rowBytes(row), 0);
  }

  /** Counts the texts of a step that has ended. */
  add(bytes: number): void {
    this.#bytes += bytes;
  }

  /** Whether it is more than an execution may have. */
  get overgrown(): boolean {
    return this.#bytes > LIMITS.historyBytes;
  }
}

const rowBytes = ({ input, result, failure }: StepRow): number =>
  sizeOf(input) + sizeOf(result) + sizeOf(failure);

const sizeOf = (text: StoredText | null): number => (text === null ? 0 : bytesOf(text));
