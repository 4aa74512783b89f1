/** Requests to the Worker from outside, as any client sends them. */
import type { Send } from "./contender.ts";

const REQUEST_MILLIS = 90_000;

export function clientOf(url: string): Send {
  return async (path, body) => {
    const headers = { "content-type": "application/json" };
    const init = body === undefined ? {} : { method: "POST", headers, body: JSON.stringify(body) };
    const signal = AbortSignal.timeout(REQUEST_MILLIS);
    const response = await fetch(`${url}${path}`, { ...init, signal });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${text}`);
    return JSON.parse(text);
  };
}
