/** Activities over HTTP that several patterns share. They ask the way a good client does. */
import { activity } from "../core/activity.ts";
import { NonRetryableError, RetryAfterError } from "../core/failure.ts";
import { retryAfterMillis } from "../core/http-request.ts";

/** What a page answered. */
export interface Page {
  readonly url: string;
  readonly status: number;
  /** Its beginning: a result is stored, so it is kept small. */
  readonly text: string;
}

/** A message to somebody's webhook. */
export interface Message {
  readonly url: string;
  readonly body: unknown;
}

const TEXT_LENGTH = 100_000;

const retry = { maxAttempts: 6, firstInterval: "2 seconds", backoff: 3 } as const;

/** Reads a page. What is not there is not asked for again; who asks for patience gets it. */
export const download = activity(
  "Download",
  { retry, timeout: "30 seconds" },
  async (url: string, ctx): Promise<Page> => {
    const response = await fetch(url, { signal: ctx.signal });
    refuseFailure(response, url);
    return { url, status: response.status, text: (await response.text()).slice(0, TEXT_LENGTH) };
  },
);

/** Asks once whether something answers, and with what: whatever comes is a result. */
export const probe = activity(
  "Probe",
  { retry: { maxAttempts: 2, firstInterval: "1 second" }, timeout: "10 seconds" },
  async (url: string, ctx): Promise<number> => {
    const response = await fetch(url, { method: "HEAD", redirect: "manual", signal: ctx.signal });
    return response.status;
  },
);

/** Sends a message. The key is the same in every attempt, so that the receiver can drop a second one. */
export const post = activity(
  "Post",
  { retry, timeout: "30 seconds" },
  async ({ url, body }: Message, ctx): Promise<void> => {
    const headers = { "content-type": "application/json", "idempotency-key": ctx.idempotencyKey };
    const request = { method: "POST", headers, body: JSON.stringify(body), signal: ctx.signal };
    const response = await fetch(url, request);
    await response.body?.cancel();
    refuseFailure(response, url);
  },
);

/**
 * @param said what the server says of it, for the message
 * @throws RetryAfterError, NonRetryableError or Error, by what the status says of another attempt
 */
export function refuseFailure(
  { ok, status, headers }: Response,
  url: string,
  said: string = "",
): void {
  if (ok) return;
  const message = `${url} answered ${status}${said === "" ? "" : `: ${said}`}`;
  const after = retryAfterMillis(headers.get("retry-after"), Date.now());
  if (after !== null && (status === 429 || status === 503)) {
    throw new RetryAfterError(message, after);
  }
  if (status >= 500 || status === 429 || status === 408) throw new Error(message);
  throw new NonRetryableError(message);
}
