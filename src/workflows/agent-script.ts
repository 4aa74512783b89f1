/**
 * What answers where no model is configured: a script, and no intelligence of any kind. It lets the agent be tried, and
 * tested, without a key and a network. It knows three rules, and says what it is.
 *
 * - An expression in the task goes to `calculate`, an address to `read_page`, and `send "..." to ADDRESS` to
 *   `send_message`: all that the task has at once.
 * - What the tools have brought is listed, and that is the answer.
 */
import { type ChatRequest, callsOf, type Message } from "./agent-chat.ts";

/** The name under which it is known. */
export const SCRIPT = "script";

const SEND = /\bsend\s+"([^"]+)"\s+to\s+(https?:\/\/[^\s"<>]+)/gi;
const ADDRESS = /https?:\/\/[^\s"<>]*[^\s"<>.,;:!?)]/gi;
/** Two numbers at least, with a sign between them; bounded, as the search is as long as its square. */
const EXPRESSION = /[\d(][\d\s.()]{0,50}[-+*/^][-+*/^\d\s.()]{0,200}[\d)]/g;

/** Answers as an endpoint of chat completions would. */
export function scriptedCompletion({ messages, tool_choice }: ChatRequest): object {
  const asked = messages.findLastIndex(({ role }) => role === "user");
  const since = messages.slice(asked + 1);
  const calls = since.length === 0 && tool_choice === "auto" ? wanted(messages[asked]) : [];
  const content = calls.length > 0 ? null : listed(since);
  const message = {
    content,
    tool_calls: calls.map(([name, input], index) => ({
      id: `call_${messages.length}_${index + 1}`,
      type: "function",
      function: { name, arguments: JSON.stringify(input) },
    })),
  };
  return { choices: [{ finish_reason: calls.length > 0 ? "tool_calls" : "stop", message }] };
}

/** The tools that fit a task, with their arguments. */
function wanted(task: Message | undefined): (readonly [string, object])[] {
  let text = task?.content ?? "";
  const found: (readonly [string, object])[] = [];
  // Each rule takes what it knows out of the text, so that the next one does not find it again.
  const take = (pattern: RegExp, call: (match: RegExpMatchArray) => readonly [string, object]) => {
    found.push(...Array.from(text.matchAll(pattern), call));
    text = text.replaceAll(pattern, " ");
  };
  take(SEND, ([, words, url]) => ["send_message", { url, text: words }]);
  take(ADDRESS, ([url]) => ["read_page", { url }]);
  take(EXPRESSION, ([expression]) => ["calculate", { expression }]);
  return found;
}

function listed(since: readonly Message[]): string {
  const names = new Map(
    since.flatMap((message) => callsOf(message).map((call) => [call.id, call.function.name])),
  );
  const results = since.flatMap((message) =>
    message.role === "tool" ? [`${names.get(message.tool_call_id)}: ${message.content}`] : [],
  );
  if (results.length > 0) return results.join("\n");
  return (
    "I am a script and no model: I can calculate, read the addresses in a task, and " +
    'send "a text" to an address. For anything else set AGENT_MODEL_URL.'
  );
}
