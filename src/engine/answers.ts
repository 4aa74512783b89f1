/**
 * Answers kept with their idempotency keys: what a request asks is done once, and the same request
 * again gets the same answer (W8).
 */
import type { Idempotency } from "../core/documents.ts";
import { WaymarkError } from "../core/errors.ts";
import { jsonLength } from "../core/json-text.ts";
import type { KeyStore } from "../store/key-store.ts";
import type { Host } from "./host.ts";

/** A longer answer is not kept with its idempotency key: it is then made from the present state. */
const KEPT_ANSWER_LENGTH = 65_536;

/** Kept in place of the answers of a purged instance. */
export const PURGED = '{"purged":true}';

/** How an answer too long to keep is kept in part, and made whole from the present state. */
export interface Short<Answer, Kept> {
  of(answer: Answer): Kept;
  expand(kept: Kept): Answer;
}

/** For answers that are short by themselves. */
export const shortAlready = <Answer>(): Short<Answer, Answer> => ({
  of: (answer) => answer,
  expand: (kept) => kept,
});

export class Answers {
  readonly #keys: KeyStore;
  readonly #host: Pick<Host, "now">;

  constructor(keys: KeyStore, host: Pick<Host, "now">) {
    this.#keys = keys;
    this.#host = host;
  }

  /** @throws WaymarkError `IDEMPOTENCY_KEY_REUSED`, `INSTANCE_PURGED`, `IDEMPOTENCY_KEYS_FULL`, and what `act` throws */
  once<Answer, Kept>(
    idempotency: Idempotency | undefined,
    short: Short<Answer, Kept>,
    act: () => Answer,
  ): Answer {
    const keys = this.#keys;
    if (idempotency === undefined) {
      keys.checkWritable();
      return act();
    }
    const now = this.#host.now();
    const kept = keys.find(idempotency, now);
    if (kept !== undefined) {
      if (kept === PURGED) throw purged();
      const { whole, part } = JSON.parse(kept) as { whole?: Answer; part: Kept };
      return whole ?? short.expand(part);
    }
    keys.checkWritable();
    keys.checkRoom(now);
    const answer = act();
    keys.keep(idempotency, keptAnswer(answer, short), now);
    return answer;
  }
}

function keptAnswer<Answer, Kept>(answer: Answer, short: Short<Answer, Kept>): string {
  const large = jsonLength(answer, KEPT_ANSWER_LENGTH) > KEPT_ANSWER_LENGTH; // it may be 32 MB
  const whole = large ? null : JSON.stringify({ whole: answer });
  if (whole !== null && whole.length <= KEPT_ANSWER_LENGTH) return whole;
  return JSON.stringify({ part: short.of(answer) });
}

export function purged(): WaymarkError {
  return new WaymarkError(
    "INSTANCE_PURGED",
    "the request with this Idempotency-Key was carried out before, and its instance is purged since. " +
      "Use a new key for a new request",
  );
}
