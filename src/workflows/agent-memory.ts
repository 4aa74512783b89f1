/**
 * How long a conversation is, and what of it goes on where it has become too long. No model is asked for a
 * summary: what is left out is left out in the same way on each replay.
 */
import { callsOf, type Message } from "./agent-chat.ts";

/** Stands where something was left out. */
const GAP: Message = {
  role: "user",
  content:
    "(What was said between here and the next message was left out: it had become too long.)",
};

/** A text that is cut to so many characters, and says so. */
export function cut(text: string, most: number): string {
  if (text.length <= most) return text;
  const mark = ` ... (cut: it has ${text.length} characters)`;
  return text.slice(0, Math.max(0, most - mark.length)).toWellFormed() + mark;
}

/** The characters that a conversation makes a model read, which is what it costs. */
export const charactersOf = (messages: readonly Message[]): number =>
  messages.reduce((sum, message) => sum + charactersIn(message), 0);

const charactersIn = (message: Message): number =>
  callsOf(message).reduce(
    (sum, { function: { name, arguments: given } }) => sum + name.length + given.length,
    message.content.length,
  );

/**
 * A conversation cut to about so many characters: the instructions and the task, which it begins with, and of the
 * rest the newest. A call and its results stay together, for no endpoint takes one without the other. What is
 * newest always stays, and its longest texts are cut where it alone is too long.
 */
export function shortened(messages: readonly Message[], most: number): Message[] {
  const begun = messages.findIndex(({ role }) => role === "user") + 1;
  const head = messages.slice(0, begun);
  const rest = messages.slice(begun).filter((message) => !isGap(message)); // one gap is enough
  const rounds = roundsOf(rest);
  let left = most - charactersOf(head);
  const kept: Message[][] = [];
  for (const round of rounds.toReversed()) {
    const size = charactersOf(round);
    if (kept.length > 0 && size > left) break;
    kept.unshift(size > left ? squeezed(round, left) : round);
    left -= size;
  }
  const hadGap = begun + rest.length < messages.length;
  const gap = hadGap || kept.length < rounds.length ? [GAP] : [];
  return [...head, ...gap, ...kept.flat()];
}

const isGap = ({ role, content }: Message): boolean => role === GAP.role && content === GAP.content;

/** What belongs together: each answer of the model with what its tools brought, each other message by itself. */
function roundsOf(messages: readonly Message[]): Message[][] {
  const rounds: Message[][] = [];
  for (const message of messages) {
    if (message.role === "tool") rounds.at(-1)?.push(message);
    else rounds.push([message]);
  }
  return rounds;
}

/** Each text cut to its share; the arguments of calls stay, as they would be no JSON any more. */
function squeezed(round: readonly Message[], most: number): Message[] {
  const share = Math.max(200, Math.floor(most / round.length));
  return round.map((message) => ({ ...message, content: cut(message.content, share) }));
}
