/**
 * The tools of the gallery's agent. A tool is an activity with a description and a schema: so it is retried, noted and
 * never run again once it is done. To give the agent another one, write the activity and add it to the list.
 */
import { z } from "zod";
import { type Activity, type AnyActivity, activity } from "../core/activity.ts";
import type { OfferedTool, ToolCall } from "./agent-chat.ts";
import { calculate } from "./calculate.ts";
import { download, post } from "./web.ts";

/** What the model may use. */
export interface Tool {
  readonly name: string;
  /** For the model: what it does, and when it is of use. */
  readonly description: string;
  readonly arguments: z.ZodType;
  readonly activity: AnyActivity;
  /** Whether a person must say yes to each call. */
  readonly approval: boolean;
}

/** A call as its tool takes it, or what is wrong with it. */
export type CheckedCall = { readonly input: unknown } | { readonly problem: string };

/** Adds up what it is given. What it is given comes from a model, so nothing of it is run as code. */
export const calculation = activity(
  "Calculate",
  { retry: { maxAttempts: 1 } },
  ({ expression }: { expression: string }): string => String(calculate(expression)),
);

/** Reads a page as a person would: its words, without its code. */
export const readWords = activity(
  "ReadWords",
  { retry: { maxAttempts: 3, firstInterval: "1 second", backoff: 3 }, timeout: "30 seconds" },
  async ({ url }: { url: string }, ctx): Promise<string> => {
    const { text } = await download.run(url, ctx);
    return wordsOf(text);
  },
);

/** The text between the tags of a page; in one pass, whatever the page is made of. */
export function wordsOf(html: string): string {
  const [first = "", ...parts] = html.split("<");
  let hidden: string | undefined; // the element whose text nobody sees
  const texts = parts.map((part) => {
    const [, closes = "", name = ""] = /^(\/?)([a-z]{1,10})/i.exec(part) ?? [];
    const element = name.toLowerCase();
    const end = part.indexOf(">");
    if (hidden === undefined && HIDDEN.has(element) && closes === "") hidden = element;
    else if (hidden === element && closes === "/") hidden = undefined;
    return hidden === undefined && end !== -1 ? part.slice(end + 1) : "";
  });
  return [first, ...texts].join(" ").split(/\s+/).join(" ").trim();
}

const HIDDEN = new Set(["script", "style", "template"]);

/** Sends a text to somebody's webhook. */
export const sendText = activity(
  "SendText",
  { retry: { maxAttempts: 6, firstInterval: "1 second", backoff: 3 }, timeout: "30 seconds" },
  async ({ url, text }: { url: string; text: string }, ctx): Promise<string> => {
    await post.run({ url, body: { text } }, ctx);
    return "sent";
  },
);

const webAddress = z.url({ protocol: /^https?$/ }).max(2_000);

export const tools: readonly Tool[] = [
  toolOf({
    name: "calculate",
    description: "Works out an arithmetic expression of numbers, + - * / ^ and parentheses.",
    arguments: z.object({ expression: z.string().min(1).max(500) }),
    activity: calculation,
  }),
  toolOf({
    name: "read_page",
    description: "Reads the words of a web page.",
    arguments: z.object({ url: webAddress }),
    activity: readWords,
  }),
  toolOf({
    name: "send_message",
    description: "Sends a text to a webhook. A person is asked first.",
    arguments: z.object({ url: webAddress, text: z.string().min(1).max(4_000) }),
    activity: sendText,
    approval: true, // it has an effect outside, which nothing takes back
  }),
];

function toolOf<Input, Output>(definition: {
  readonly name: string;
  readonly description: string;
  readonly arguments: z.ZodType<Input>;
  readonly activity: Activity<Input, Output>;
  readonly approval?: boolean;
}): Tool {
  return { approval: false, ...definition };
}

/** The tool that a call asks for. */
export const toolNamed = (name: string): Tool | undefined =>
  tools.find((tool) => tool.name === name);

/** The tools as a model is told of them. */
export const offeredTools: readonly OfferedTool[] = tools.map((tool) => ({
  type: "function",
  function: {
    name: tool.name,
    description: tool.description,
    parameters: z.toJSONSchema(tool.arguments, { io: "input" }),
  },
}));

/** Holds a call against its tool. What is wrong is said so that a model can mend it. */
export async function checkedCall(call: ToolCall): Promise<CheckedCall> {
  const { name, arguments: text } = call.function;
  const tool = toolNamed(name);
  if (tool === undefined) {
    const known = tools.map((one) => one.name).join(", ");
    return { problem: `there is no tool "${name}": there are ${known}` };
  }
  let given: unknown;
  try {
    given = text.trim() === "" ? {} : JSON.parse(text);
  } catch {
    return { problem: `the arguments of ${name} are no JSON, or were cut` };
  }
  const parsed = await tool.arguments.safeParseAsync(given);
  if (parsed.success) return { input: parsed.data };
  const why = z.prettifyError(parsed.error).slice(0, 1_000).toWellFormed();
  return { problem: `the arguments of ${name} do not fit: ${why}` };
}
