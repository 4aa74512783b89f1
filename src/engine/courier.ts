/**
 * Brings messages to other instances (W8): in their order for each target, one at a time, until each is
 * answered. What is to be sent is in the outbox; this is a copy of it in memory (W1).
 *
 * W9: a message is written in the commit that makes it due, and leaves after it: the host sees to that.
 */
import { isUnreadable, WaymarkError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { StepIdentity } from "../core/names.ts";
import type { OutboxStore, OutgoingContent, OutgoingRow } from "../store/outbox-store.ts";
import type { Doorbell } from "./doorbell.ts";
import { ANSWER_MILLIS, type Host, RESEND_MILLIS, SENT_AT_ONCE } from "./host.ts";
import {
  type MessageAnswer,
  type MessageContent,
  payloadOf,
  refused,
  withPayload,
} from "./message.ts";

export interface CourierOptions {
  readonly host: Host;
  readonly outbox: OutboxStore;
  readonly doorbell: Doorbell;
  /** Makes a start ready to leave. What it throws is the answer to it. */
  readonly prepare: (content: MessageContent) => Promise<MessageContent>;
  /** Told of each answer, in the commit in which the message leaves the outbox. */
  readonly answered: (row: OutgoingRow, content: MessageContent, answer: MessageAnswer) => void;
}

/** A message that is to be sent. */
export interface Outgoing {
  readonly target: string;
  readonly executionId: string;
  readonly step: StepIdentity | null;
  readonly content: MessageContent;
}

export class Courier {
  readonly #options: CourierOptions;
  /** Messages by target, the next one first; null before the outbox was read. */
  #queues: Map<string, OutgoingRow[]> | null = null;
  readonly #underway = new Set<string>();

  constructor(options: CourierOptions) {
    this.#options = options;
  }

  /** Whether a message is on its way. */
  get busy(): boolean {
    return this.#underway.size > 0;
  }

  /** Whether there is anything that is not answered. */
  get empty(): boolean {
    return this.#read().size === 0;
  }

  /** Whether anything for that target is not answered. */
  hasFor(target: string): boolean {
    return this.#read().has(target);
  }

  /** When the next message is to be sent, or was sent without an answer so far; null where there is none. */
  nextDue(): number | null {
    let next: number | null = null;
    for (const [first] of this.#read().values()) {
      if (first !== undefined && (next === null || first.due < next)) next = first.due;
    }
    return next;
  }

  /**
   * When there will be something to send that could not be sent now; infinity where only an answer leads to
   * more. To be asked once what is due has been sent.
   */
  nextLook(now: number): number {
    if (this.#underway.size >= SENT_AT_ONCE) return Number.POSITIVE_INFINITY;
    let next = Number.POSITIVE_INFINITY;
    for (const [first] of this.#read().values()) {
      if (first !== undefined && first.due > now && first.due < next) next = first.due;
    }
    return next;
  }

  /** Keeps a message; it leaves when {@link send} is called next. */
  post({ content, ...row }: Outgoing, due: number): void {
    const queues = this.#read();
    const { outbox } = this.#options;
    const payload = payloadOf(content);
    const rest = JSON.stringify(payload === null ? content : withPayload(content, ""));
    const number = outbox.add({ ...row, content: rest, payload, due });
    const queue = queues.get(row.target);
    const added = { ...row, number, due, attempt: 0 };
    if (queue === undefined) queues.set(row.target, [added]);
    else queue.push(added);
  }

  /** Sends what is due, as much as is sent at once. Each answer rings. */
  send(now: number): void {
    for (const [target, [first]] of this.#read()) {
      if (this.#underway.size >= SENT_AT_ONCE) return;
      if (first === undefined || first.due > now || this.#underway.has(target)) continue;
      this.#underway.add(target);
      this.#deliver(first).catch(() => {
        // Storage is gone: the platform resets the object, and its alarm sends the message again.
      });
    }
  }

  /** The storage was erased, or is read again. */
  reset(): void {
    this.#queues = null;
  }

  /**
   * Rings where it comes to an end. Where storage fails it does not: whoever is woken would find the same message due,
   * and send it again without a pause, for as long as the dead object's code is let run.
   */
  async #deliver(row: OutgoingRow): Promise<void> {
    try {
      await this.#attempt(row);
    } finally {
      this.#underway.delete(row.target);
    }
    this.#options.doorbell.ring();
  }

  async #attempt(row: OutgoingRow): Promise<void> {
    const content = this.#content(row);
    if (content === null) {
      this.#again(row);
      return;
    }
    const answer = await this.#ask(row, content);
    const again = answer === null || (!answer.ok && answer.retryable && !this.#isOvertaken(row));
    if (again) this.#again(row);
    else this.#done(row, content, answer);
  }

  /** Null where it cannot be read for want of a key: it waits as one that nobody answers. */
  #content({ number }: OutgoingRow): MessageContent | null {
    try {
      return contentOf(this.#options.outbox.content(number));
    } catch (error) {
      if (isUnreadable(error)) return null;
      throw error;
    }
  }

  /** Null where nobody answered: it may have arrived all the same. */
  async #ask(row: OutgoingRow, content: MessageContent): Promise<MessageAnswer | null> {
    const { host } = this.#options;
    let ready: MessageContent;
    try {
      ready = content.kind === "start" ? await this.#prepare(content) : content;
    } catch (error) {
      return refused(error);
    }
    const { target: to, executionId: from, number } = row;
    const nap = host.napUntil(host.now() + ANSWER_MILLIS);
    const delivered = host.deliver({ to, from, number, content: ready }).catch(() => null);
    try {
      return await Promise.race([delivered, nap.over.then(() => null)]);
    } finally {
      nap.cancel();
    }
  }

  /**
   * Whether something is asked of the target behind a message for which it has no room: that must not wait for
   * room which may never be there, and the message is given up.
   */
  #isOvertaken({ number, target }: OutgoingRow): boolean {
    const behind = this.#read().get(target) ?? [];
    return behind.some(
      (other) =>
        other.number > number &&
        other.step === null && // as of all that is asked
        this.#content(other)?.kind === "control",
    );
  }

  /** @throws what the schema throws; WaymarkError `INPUT_INVALID` where it does not answer */
  async #prepare(content: MessageContent): Promise<MessageContent> {
    const { host, prepare } = this.#options;
    const millis = LIMITS.inputCheckMillis;
    const nap = host.napUntil(host.now() + millis);
    let over = false;
    const late = nap.over.then(() => {
      throw new WaymarkError(
        "INPUT_INVALID",
        `the schema of the input took more than ${millis} ms`,
      );
    });
    try {
      return await Promise.race([host.follow(prepare(content), () => over), late]);
    } finally {
      over = true;
      nap.cancel();
    }
  }

  #again(row: OutgoingRow): void {
    const attempt = row.attempt + 1;
    const wait = Math.min(RESEND_MILLIS.first * 2 ** row.attempt, RESEND_MILLIS.most);
    const due = this.#options.host.now() + wait;
    const queue = this.#read().get(row.target);
    if (queue?.[0]?.number !== row.number) return;
    this.#options.outbox.retry(row.number, attempt, due);
    queue[0] = { ...row, attempt, due };
  }

  #done(row: OutgoingRow, content: MessageContent, answer: MessageAnswer): void {
    const queue = this.#read().get(row.target);
    if (queue?.[0]?.number !== row.number) return;
    queue.shift();
    if (queue.length === 0) this.#read().delete(row.target);
    this.#options.outbox.acknowledged(row.number);
    this.#options.answered(row, content, answer);
  }

  #read(): Map<string, OutgoingRow[]> {
    this.#queues ??= Map.groupBy(this.#options.outbox.pending(), ({ target }) => target);
    return this.#queues;
  }
}

function contentOf({ content, payload }: OutgoingContent): MessageContent {
  const rest = JSON.parse(content) as MessageContent;
  return payload === null ? rest : withPayload(rest, payload);
}
