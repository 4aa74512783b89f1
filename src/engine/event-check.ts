/**
 * Whether an event fits the wait that is about to take it: one at a time, the one that would be taken next.
 *
 * - W4: whatever a schema does, throwing and never settling included, is a refusal of that event.
 * - W6: a schema is asked before anything is recorded, and never on a replay.
 */
import { WaymarkError } from "../core/errors.ts";
import { engineFailure, type Failure, toFailure } from "../core/failure.ts";
import { LIMITS } from "../core/limits.ts";
import { decode, encode } from "../core/payload.ts";
import { type Checked, misfits, type Schema } from "../core/schema.ts";
import { type StoredText, textOf } from "../core/stored-text.ts";
import type { Doorbell } from "./doorbell.ts";
import type { Host } from "./host.ts";
import type { OpenStep } from "./open-step.ts";
import type { BufferedEvent } from "./recorder.ts";

export type Verdict =
  | { readonly fits: true; readonly payload: StoredText }
  | { readonly fits: false; readonly failure: Failure };

/** A schema that is asked for its verdict. */
interface Asked {
  readonly wait: OpenStep;
  readonly event: BufferedEvent;
  /** From then on it is taken for one that never answers. */
  readonly until: number;
  verdict: Verdict | null;
}

export class EventCheck {
  readonly #host: Pick<Host, "now" | "follow">;
  readonly #doorbell: Doorbell;
  #asked: Asked | null = null;

  constructor(host: Pick<Host, "now" | "follow">, doorbell: Doorbell) {
    this.#host = host;
    this.#doorbell = doorbell;
  }

  /** When the turn must look again, though no schema has answered; infinity where none is asked. */
  get until(): number {
    return this.#asked?.verdict === null ? this.#asked.until : Number.POSITIVE_INFINITY;
  }

  /** What the wait's schema says of the event; null where it has not answered yet, or there is nothing to ask. */
  verdict(
    wait: OpenStep | undefined,
    event: BufferedEvent | undefined,
    now: number,
  ): Verdict | null {
    if (this.#asked?.wait !== wait || this.#asked?.event !== event) this.#asked = null;
    if (wait === undefined || event === undefined) return null;
    const { request } = wait.ask;
    const schema = request.kind === "event" ? request.schema : null;
    if (schema === null) return { fits: true, payload: event.payload };
    this.#asked ??= this.#ask(schema, wait, event, now);
    if (this.#asked.verdict === null && now >= this.#asked.until) {
      this.#asked.verdict = refusal(
        event,
        `its schema took more than ${LIMITS.eventCheckMillis} ms`,
      );
    }
    return this.#asked.verdict;
  }

  #ask(schema: Schema, wait: OpenStep, event: BufferedEvent, now: number): Asked {
    const until = now + LIMITS.eventCheckMillis;
    const asked: Asked = { wait, event, until, verdict: null };
    const answer = (verdict: Verdict) => {
      asked.verdict ??= verdict; // unless it came too late
    };
    const payload = textOf(event.payload); // one that cannot be read is not refused
    try {
      const checked = schema["~standard"].validate(decode(payload));
      if (isPromise(checked)) this.#follow(Promise.resolve(checked), asked).then(answer);
      else answer(verdictOn(event, checked));
    } catch (error) {
      answer(broken(event, error));
    }
    return asked;
  }

  async #follow(checking: Promise<Checked<unknown>>, asked: Asked): Promise<Verdict> {
    const { event, until } = asked;
    const over = () => asked.verdict !== null || this.#host.now() >= until;
    try {
      return verdictOn(event, await this.#host.follow(checking, over));
    } catch (error) {
      return broken(event, error);
    } finally {
      this.#doorbell.ring();
    }
  }
}

function verdictOn(event: BufferedEvent, checked: Checked<unknown>): Verdict {
  if (checked.issues !== undefined) return refusal(event, misfits(checked.issues));
  const made = encode(checked.value, `what the schema makes of "${event.name}"`);
  return { fits: true, payload: made === textOf(event.payload) ? event.payload : made };
}

/** What a schema throws, and what of its making cannot be stored. */
function broken(event: BufferedEvent, error: unknown): Verdict {
  const cause = error instanceof WaymarkError ? engineFailure(error) : toFailure(error);
  return refusal(event, `its schema failed: ${cause.message}`, cause);
}

function refusal({ name }: BufferedEvent, why: string, cause?: Failure): Verdict {
  const message = `the event "${name}" does not fit: ${why}`;
  const failure = engineFailure(new WaymarkError("EVENT_INVALID", message));
  return { fits: false, failure: cause === undefined ? failure : { ...failure, cause } };
}

const isPromise = <Value>(value: Value | Promise<Value>): value is Promise<Value> =>
  typeof value === "object" && value !== null && "then" in value;
