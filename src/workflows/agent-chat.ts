/**
 * A conversation between a person, a model and its tools, in the shape of chat completions, which most models'
 * endpoints speak; and an answer in that shape, read with the suspicion that everything from outside deserves.
 */
import { z } from "zod";

/** A request of the model to use a tool. */
export type ToolCall = z.infer<typeof toolCallSchema>;

/** What somebody said. */
export type Message = z.infer<typeof messageSchema>;

const toolCallSchema = z.object({
  id: z.string(),
  type: z.literal("function"),
  function: z.object({ name: z.string(), arguments: z.string() }),
});

export const messageSchema = z.discriminatedUnion("role", [
  z.object({ role: z.literal("system"), content: z.string() }),
  z.object({ role: z.literal("user"), content: z.string() }),
  z.object({
    role: z.literal("assistant"),
    content: z.string(),
    tool_calls: z.array(toolCallSchema).optional(),
  }),
  z.object({ role: z.literal("tool"), tool_call_id: z.string(), content: z.string() }),
]);

/** A tool as a model is told of it. */
export interface OfferedTool {
  readonly type: "function";
  readonly function: {
    readonly name: string;
    readonly description: string;
    /** The JSON Schema of its arguments. */
    readonly parameters: object;
  };
}

/** What a model is asked. */
export interface ChatRequest {
  readonly messages: readonly Message[];
  readonly tools: readonly OfferedTool[];
  /** `none`: it may look at what the tools have brought, and use none. */
  readonly tool_choice: "auto" | "none";
}

/** What a model said. */
export interface Answer {
  readonly content: string;
  readonly calls: readonly ToolCall[];
  /** What it has used, as the endpoint counts; null where it does not. */
  readonly tokens: number | null;
  /** Whether it was stopped in the middle, as it had said too much. */
  readonly cutShort: boolean;
}

/** Calls of one answer that are looked at; what is beyond was never asked for. */
const MOST_CALLS = 16;
const MOST_CONTENT = 100_000;
const MOST_ARGUMENTS = 20_000;

/** An id that may be the key of a step, and can be typed. */
const ID = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

const completionSchema = z.object({
  choices: z
    .array(
      z.object({
        finish_reason: z.string().nullish(),
        message: z.object({
          content: z
            .union([z.string(), z.array(z.object({ text: z.string().optional() }))])
            .nullish(),
          refusal: z.string().nullish(),
          tool_calls: z
            .array(
              z.object({
                id: z.string().nullish(),
                function: z.object({
                  name: z.string(),
                  // Some servers send them as they are, and not as text.
                  arguments: z.union([z.string(), z.record(z.string(), z.unknown())]).nullish(),
                }),
              }),
            )
            .nullish(),
        }),
      }),
    )
    .min(1),
  usage: z.object({ total_tokens: z.number().nonnegative() }).nullish().catch(null),
});

/**
 * An answer out of what an endpoint sent. Each call has an id that no other one in the conversation has: some
 * servers count from 0 in each answer, and some give none.
 *
 * @param body the parsed JSON
 * @param said the conversation so far
 * @throws Error where it is no chat completion
 */
export function answerOf(body: unknown, said: readonly Message[]): Answer {
  const parsed = completionSchema.safeParse(body);
  const choice = parsed.data?.choices[0];
  if (choice === undefined) {
    const why = parsed.error === undefined ? "" : `: ${z.prettifyError(parsed.error)}`;
    throw new Error(`the answer is no chat completion${why.slice(0, 500)}`);
  }
  const { content, refusal, tool_calls } = choice.message;
  const ids = new Set(said.flatMap((message) => callsOf(message).map(({ id }) => id)));
  const calls = (tool_calls ?? []).slice(0, MOST_CALLS).map((call): ToolCall => {
    const { name, arguments: given } = call.function;
    const id = freeId(call.id ?? "", ids);
    ids.add(id);
    const text = typeof given === "string" ? given : JSON.stringify(given ?? {});
    // Cut, they are no JSON any more, and the model is told so.
    const fn = { name: wellFormed(name, 64), arguments: wellFormed(text, MOST_ARGUMENTS) };
    return { id, type: "function", function: fn };
  });
  const text = Array.isArray(content) ? content.map((part) => part.text ?? "").join("") : content;
  return {
    content: wellFormed(text || refusal || "", MOST_CONTENT),
    calls,
    tokens: parsed.data?.usage?.total_tokens ?? null,
    cutShort: choice.finish_reason === "length",
  };
}

/** The tools that a message asks for. */
export const callsOf = (message: Message): readonly ToolCall[] =>
  message.role === "assistant" ? (message.tool_calls ?? []) : [];

/** A text as it can be stored and sent: of so many characters at most, and none of them half. */
export const wellFormed = (text: string, most: number): string =>
  text.slice(0, most).toWellFormed();

function freeId(wanted: string, taken: ReadonlySet<string>): string {
  if (ID.test(wanted) && !taken.has(wanted)) return wanted;
  for (let number = taken.size + 1; ; number++) {
    const id = `call_${number}`;
    if (!taken.has(id)) return id;
  }
}
