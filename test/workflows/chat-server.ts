/** An endpoint of chat completions on the loopback address, which answers as a test wants and keeps what it was asked. */
import { createServer, type IncomingHttpHeaders } from "node:http";
import { listenOnLoopback } from "../../scripts/loopback.ts";

export interface Asked {
  readonly headers: IncomingHttpHeaders;
  readonly body: {
    readonly model?: string;
    readonly messages: readonly { role: string; content: string; tool_call_id?: string }[];
    readonly tools: readonly { function: { name: string; parameters: object } }[];
    readonly tool_choice: string;
  };
}

export interface Answered {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  /** Sent as JSON where it is no text. */
  readonly body?: unknown;
}

/** @param answer what the request is answered, from 0 for the first */
export async function chatServer(answer: (count: number, asked: Asked) => Answered) {
  const asked: Asked[] = [];
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += chunk;
    const one = { headers: request.headers, body: JSON.parse(text) };
    asked.push(one);
    const { status = 200, headers = {}, body = "" } = answer(asked.length - 1, one);
    response.writeHead(status, headers);
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  });
  const { url, close } = await listenOnLoopback(server);
  return {
    asked,
    url: `${url}/v1/chat`,
    [Symbol.asyncDispose]: async () => close(),
  };
}

/** A call as a model asks for it. */
export const calling = (name: string, input: unknown, id?: string | null) => ({
  ...(id === undefined ? {} : { id }),
  type: "function",
  function: { name, arguments: typeof input === "string" ? input : JSON.stringify(input) },
});

/** A chat completion that says something, or asks for tools. */
export const completion = (content: string | null, ...tool_calls: object[]) => ({
  choices: [{ message: { role: "assistant", content, tool_calls }, finish_reason: "stop" }],
  usage: { total_tokens: 100 },
});
