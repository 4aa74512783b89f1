/** Updates of the simulation: the handler that every program has, and what must hold of their replies. */
import type { WorkflowContext } from "../../src/core/context.ts";
import { isWaymarkError } from "../../src/core/errors.ts";
import { decode, encode } from "../../src/core/payload.ts";
import type { CallAnswer } from "../../src/engine/calls.ts";
import type { Commands } from "../../src/engine/commands.ts";

/** Numbers that the validator refuses, and that the function fails of. */
const REFUSED = (number: number): boolean => number % 5 === 4;
const FAILING = (number: number): boolean => number % 5 === 3;

/** Whether its number says that it comes to nothing. */
export const isRefusedNumber = REFUSED;

/**
 * Registers the handlers of a program: an update is told of as it comes and as its own step is done.
 *
 * @param step a step of the program, with what it has seen so far
 */
export function answerCalls(
  ctx: Pick<WorkflowContext, "handle" | "now">,
  seen: string[],
  step: (key: string) => Promise<string>,
): void {
  ctx.handle("seen", { readOnly: true }, () => [...seen]);
  const validate = (number: number) => {
    if (REFUSED(number)) throw new Error("as planned");
  };
  ctx.handle("update", { validate }, async (number: number) => {
    seen.push(`update ${number}@${ctx.now.getTime()}`);
    const done = await step(`update ${number}`);
    seen.push(`updated ${number} ${done}`);
    if (FAILING(number)) throw new Error("as planned");
    return `${number} of ${seen.length}`;
  });
}

/** What an update was answered; undefined where it is not done. */
export type Heard = string | undefined;

/** How long a client waits for an update before it goes on: its reply may come later. */
const WAIT_MILLIS = 2_000;

/** The updates that clients have sent, with what they were answered first. */
export class UpdateClient {
  readonly #heard = new Map<string, { readonly id: string; readonly heard: Heard }>();
  #count = 0;

  /** A new update for an instance. */
  next(id: string): number {
    const number = ++this.#count;
    this.#heard.set(keyOf(number), { id, heard: undefined });
    return number;
  }

  request(id: string, number: number, now: number): (commands: Commands) => Promise<CallAnswer> {
    const payload = encode(number, "the update");
    const idempotency = { key: keyOf(number), fingerprint: payload };
    const command = { name: "update", payload, idempotency };
    return (commands) => commands.call(id, command, now + WAIT_MILLIS);
  }

  /** Keeps an answer. W8: the same update has the same one for ever. */
  hear(number: number, heard: Heard): string[] {
    const key = keyOf(number);
    const before = this.#heard.get(key);
    if (before === undefined || heard === undefined) return [];
    if (before.heard === undefined) {
      this.#heard.set(key, { ...before, heard });
      return [];
    }
    if (before.heard === heard || LATER.has(heard) || LATER.has(before.heard)) return [];
    return [`W8: update ${number} was answered ${before.heard}, and later ${heard}`];
  }

  /** The numbers of what was sent to an instance, with what was heard of them. */
  of(id: string): (readonly [number: number, heard: Heard])[] {
    return [...this.#heard].flatMap(([key, sent]) =>
      sent.id === id ? [[Number(key.split(" ")[1]), sent.heard] as const] : [],
    );
  }
}

const keyOf = (number: number): string => `update ${number}`;

/** What an instance answers where an update was never accepted, or is not known any more. */
const LATER: ReadonlySet<string> = new Set([
  "INSTANCE_SUSPENDED",
  "INSTANCE_TERMINAL",
  "INSTANCE_PURGED",
  "UPDATES_FULL",
]);

/** Whether it was accepted, and has its reply. */
export const isReply = (heard: Heard): boolean => heard?.includes(" of ") === true;

export function heardIn(answer: CallAnswer): Heard {
  return answer.done ? String(decode(answer.reply)) : undefined;
}

/** The code of an answer that is an error; whatever else is thrown is a bug. */
export function heardOf(error: unknown): string {
  if (!isWaymarkError(error)) throw error;
  return error.code === "HANDLER_FAILED" ? error.message : error.code;
}

/** W8: what was answered as done has had its effect once, and what was refused none. */
export function appliedOnce(
  seen: readonly string[],
  sent: readonly (readonly [number: number, heard: Heard])[],
): string[] {
  return sent.flatMap(([number, heard]) => {
    const times = seen.filter((line) => line.startsWith(`update ${number}@`)).length;
    if (times > 1) return [`W8: update ${number} was applied ${times} times`];
    if (times === 0 && isReply(heard))
      return [`W8: update ${number} was answered, and not applied`];
    return times === 1 && REFUSED(number) ? [`W8: update ${number} was refused, and applied`] : [];
  });
}
