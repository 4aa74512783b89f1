/** What `ctx.fetch` takes, and what of it cannot be sent. */
import type { StepOptions } from "./context.ts";
import type { Duration } from "./duration.ts";
import { checkedUrl, type HttpRequest, type HttpResponse, refused } from "./http-request.ts";
import type { Retry } from "./retry.ts";

/** How a 202 is followed. */
export interface PollOptions {
  /** The wait before each poll where the answer has no `Retry-After`; 30 seconds if left out. */
  readonly interval?: Duration;
  /** How long, from the call on, it is followed; without it, as long as an execution may have steps. */
  readonly timeout?: Duration;
}

/** What `ctx.fetch` takes beside the address. */
export interface FetchOptions extends StepOptions {
  /** `"GET"` if left out. */
  readonly method?: string;
  /** Sent and never stored: the code gives them again on each replay. */
  readonly headers?: HeadersInit;
  readonly body?: string | Uint8Array;
  /** A body that is sent as JSON, with that content type where the headers name none. */
  readonly json?: unknown;
  /** How a failed attempt is repeated: a policy, or a `RetryHandler`. */
  readonly retry?: Retry;
  /** Which statuses are failures, to be tried again: 408, 429 and from 500 on, if left out. */
  readonly retryOn?: (status: number) => boolean;
  /** How long one attempt may take, with its redirects and the body; one minute if left out. */
  readonly timeout?: Duration;
  /** Whether and how a 202 with a Location is followed; it is, if left out. */
  readonly poll?: boolean | PollOptions;
  /** What the body comes as: `"text"`, decoded from UTF-8, if left out. */
  readonly responseType?: "text" | "bytes";
}

/** The method as the context offers it. */
export interface FetchMethod {
  (
    url: string | URL,
    options: FetchOptions & { readonly responseType: "bytes" },
  ): Promise<HttpResponse<Uint8Array>>;
  (
    url: string | URL,
    options?: FetchOptions & { readonly responseType?: "text" },
  ): Promise<HttpResponse>;
}

/**
 * What is stored of a request.
 *
 * @throws WaymarkError `FETCH_REFUSED` for one that cannot be made
 */
export function storedRequest(address: string | URL, options: FetchOptions): HttpRequest {
  const url = checkedUrl(address);
  const { method: given = "GET", body, json, poll, responseType = "text" } = options;
  const method = String(given).toUpperCase();
  if (!/^[!#$%&'*+.^_`|~0-9A-Z-]+$/.test(method) || FORBIDDEN_METHODS.has(method)) {
    throw refused(`${JSON.stringify(given)} is no method of a request`);
  }
  if (body !== undefined && json !== undefined) throw refused("a request has a body or a json");
  const sent = json === undefined ? body : jsonText(json);
  if (sent !== undefined && (method === "GET" || method === "HEAD")) {
    throw refused(`a ${method} has no body`);
  }
  if (sent !== undefined && typeof sent !== "string" && !(sent instanceof Uint8Array)) {
    throw refused("a body is text or a Uint8Array");
  }
  if (responseType !== "text" && responseType !== "bytes") {
    throw refused('responseType is "text" or "bytes"');
  }
  return {
    method,
    url,
    ...(sent === undefined ? {} : { body: sent }),
    ...(poll === false ? { poll } : {}),
    ...(responseType === "bytes" ? { responseType } : {}),
  };
}

/** Those that the Fetch standard forbids. */
const FORBIDDEN_METHODS = new Set(["CONNECT", "TRACE", "TRACK"]);

function jsonText(value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    throw refused(`the json cannot be written: ${(error as Error).message}`);
  }
  if (text === undefined) throw refused(`a ${typeof value} is no JSON`);
  return text;
}

/** What is sent, and never stored. */
export function requestHeaders({ headers: given, json }: FetchOptions): Headers {
  let headers: Headers;
  try {
    headers = new Headers(given);
  } catch {
    throw refused("a header has a name or a value that cannot be sent"); // it is not repeated here
  }
  if (json !== undefined && !headers.has("content-type")) {
    headers.set("content-type", "application/json");
  }
  return headers;
}
