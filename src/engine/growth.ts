/**
 * How far the history of an execution has grown. It is told once, while there is room to go on in a next
 * execution, and the execution fails at the bound.
 *
 * What has ended is counted, as the rows have it: so a replay counts the same, and tells nothing again.
 */
import { LIMITS } from "../core/limits.ts";
import type { LogFields } from "../core/log.ts";
import { bytesOf, type StoredText } from "../core/stored-text.ts";
import type { StepRow } from "../store/rows.ts";

/** The part of a bound at which it is told. */
const TOLD_AT = 0.75;

const ADVICE =
  "let the workflow go on in a new execution, with ctx.continueAsNew, before the limit";

export class Growth {
  /** Steps that have ended. */
  readonly ended: number;
  readonly #tell: (fields: LogFields) => void;
  #bytes: number;
  /** The last step, in the order of the code, that has ended. */
  #ordinal: number;

  /** @param ended the steps recorded before, in order */
  constructor(ended: readonly StepRow[], tell: (fields: LogFields) => void) {
    this.ended = ended.at(-1)?.seq ?? 0;
    this.#tell = tell;
    this.#bytes = ended.reduce((sum, row) => sum + rowBytes(row), 0);
    this.#ordinal = ended.reduce((last, { asked }) => Math.max(last, asked ?? 0), 0);
  }

  /** Counts a step that has ended: its place in the order of the code, and the bytes of its texts. */
  add(ordinal: number, bytes: number): void {
    const { historyBytes, steps } = LIMITS;
    const before = { bytes: this.#bytes, ordinal: this.#ordinal };
    this.#bytes += bytes;
    this.#ordinal = Math.max(this.#ordinal, ordinal);
    if (passes(historyBytes, before.bytes, this.#bytes)) {
      this.#tell({ bytes: this.#bytes, limit: historyBytes, advice: ADVICE });
    }
    if (passes(steps, before.ordinal, this.#ordinal)) {
      this.#tell({ steps: this.#ordinal, limit: steps, advice: ADVICE });
    }
  }

  /** Whether it is more than an execution may have. */
  get overgrown(): boolean {
    return this.#bytes > LIMITS.historyBytes;
  }
}

const passes = (limit: number, before: number, now: number): boolean =>
  before < limit * TOLD_AT && now >= limit * TOLD_AT;

const rowBytes = ({ input, result, failure }: StepRow): number =>
  sizeOf(input) + sizeOf(result) + sizeOf(failure);

const sizeOf = (text: StoredText | null): number => (text === null ? 0 : bytesOf(text));
