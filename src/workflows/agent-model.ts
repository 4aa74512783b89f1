/**
 * One request to a model. The endpoint is that of the Worker's variables (`AGENT_MODEL_URL`, `AGENT_MODEL`, and the
 * secret `AGENT_MODEL_KEY`), or one that the input names, which is never given that key; without either a script answers.
 *
 * What comes back is checked here, so that a result of this step is one that the loop can go on with.
 */
import type { ActivityContext } from "../core/activity.ts";
import { NonRetryableError } from "../core/failure.ts";
import { type Answer, answerOf, type ChatRequest } from "./agent-chat.ts";
import { SCRIPT, scriptedCompletion } from "./agent-script.ts";
import { type CheckedCall, checkedCall } from "./agent-tools.ts";
import { refuseFailure } from "./web.ts";

declare global {
  namespace Cloudflare {
    interface Env {
      /** Takes chat completions, such as `https://api.example.com/v1/chat/completions`. */
      AGENT_MODEL_URL?: string;
      /** The model's name there. */
      AGENT_MODEL?: string;
      /** A secret: sent as a bearer token to the origin of `AGENT_MODEL_URL`, and nowhere else. */
      AGENT_MODEL_KEY?: string;
    }
  }
}

/** Which model is asked; what is left out is as the Worker's variables say. */
export interface ModelChoice {
  readonly url?: string | undefined;
  readonly name?: string | undefined;
}

/** An answer, and what its calls came to as they were held against their tools. */
export interface CheckedAnswer extends Answer {
  /** The model that gave it. */
  readonly model: string;
  /** By the id of the call. */
  readonly checked: Readonly<Record<string, CheckedCall>>;
}

const MOST_BYTES = 2_000_000;
const EXCERPT = 500;

/**
 * Asks once.
 *
 * @throws RetryAfterError where the endpoint asks for patience; NonRetryableError where it would not take the
 *   request another time either; Error where it is busy, broken, or answers what is no chat completion
 */
export async function askModel(
  choice: ModelChoice,
  request: ChatRequest,
  ctx: ActivityContext,
): Promise<CheckedAnswer> {
  const url = choice.url ?? ctx.env.AGENT_MODEL_URL;
  const name = choice.name ?? ctx.env.AGENT_MODEL;
  const body = url ? await ask(url, { model: name, ...request }, ctx) : scriptedCompletion(request);
  const answer = answerOf(body, request.messages);
  const checking = answer.calls.map(async (call) => [call.id, await checkedCall(call)] as const);
  const checked = Object.fromEntries(await Promise.all(checking));
  return { ...answer, model: url ? (name ?? addressOf(url).origin) : SCRIPT, checked };
}

async function ask(url: string, request: object, ctx: ActivityContext): Promise<unknown> {
  const { AGENT_MODEL_URL: trusted, AGENT_MODEL_KEY: key } = ctx.env;
  const { origin, pathname } = addressOf(url);
  const headers = new Headers({
    "content-type": "application/json",
    "idempotency-key": ctx.idempotencyKey,
  });
  if (key && trusted && addressOf(trusted).origin === origin) {
    headers.set("authorization", `Bearer ${key}`);
  }
  const response = await fetch(url, {
    method: "POST",
    headers,
    body: JSON.stringify(request),
    redirect: "manual", // a key does not follow to where a redirect leads
    signal: ctx.signal,
  });
  const where = `${origin}${pathname}`; // without its query, which may be a credential
  const text = await textOf(response, response.ok ? MOST_BYTES : EXCERPT);
  // A refusal of the key may quote it.
  const quoted = response.status !== 401 && response.status !== 403 ? text : "";
  refuseFailure(response, where, quoted);
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`the answer of ${where} is no JSON: ${text.slice(0, EXCERPT)}`);
  }
}

function addressOf(url: string): URL {
  try {
    return new URL(url);
  } catch {
    throw new NonRetryableError("the model's URL is none: see AGENT_MODEL_URL");
  }
}

/** The body as text; what is beyond so many bytes is not fetched, and then it is no JSON. */
async function textOf({ body }: Response, mostBytes: number): Promise<string> {
  const decoder = new TextDecoder();
  const reader = body?.getReader();
  let text = "";
  for (let bytes = 0; bytes < mostBytes; ) {
    const next = await reader?.read();
    if (next?.value === undefined) return text + decoder.decode();
    bytes += next.value.byteLength;
    text += decoder.decode(next.value, { stream: true });
  }
  await reader?.cancel();
  return text;
}
