/**
 * One attempt at a request of `ctx.fetch`, through the host's `fetch`. Redirects are followed here and not
 * by the platform, so that no credential goes to another origin, and every address is checked. What comes
 * from outside is bounded (W10): the redirects, and the body while it is read.
 */
import { WaymarkError } from "../core/errors.ts";
import { RetryAfterError } from "../core/failure.ts";
import {
  checkedUrl,
  type Hop,
  type HttpRequest,
  type HttpResponse,
  isPending,
  type PerformRequest,
  type RequestRules,
  redirectOf,
  refused,
  retryAfterMillis,
} from "../core/http-request.ts";
import { LIMITS } from "../core/limits.ts";
import type { Host } from "./host.ts";

type Web = Pick<Host, "fetch" | "now">;

/** How a host makes one attempt at a request. */
export function requestPerformer(web: Web): PerformRequest {
  return async (request, rules, { signal, idempotencyKey }) => {
    const { method, url, body } = request;
    const headers = new Headers(rules.headers);
    if (!SAFE_METHODS.has(method) && !headers.has("idempotency-key")) {
      headers.set("idempotency-key", idempotencyKey);
    }
    let hop: Hop = { method, url, headers, body };
    for (let redirects = 0; ; redirects++) {
      const response = await web.fetch(toRequest(hop, signal));
      const next = redirectOf(hop, response.status, response.headers.get("location"));
      if (next === null) return answerOf(web, request, rules, hop.url, response);
      await response.body?.cancel();
      if (redirects === LIMITS.redirects) {
        throw refused(`${url} redirects more than ${LIMITS.redirects} times`);
      }
      hop = next;
    }
  };
}

/** Those that have no effect, so that repeating them needs no key. */
const SAFE_METHODS = new Set(["GET", "HEAD", "OPTIONS"]);

function toRequest({ url, method, headers, body }: Hop, signal: AbortSignal): Request {
  const sent = body === undefined ? {} : { body };
  return new Request(url, { method, headers, redirect: "manual", signal, ...sent });
}

/** @throws the failure that the answer is, where the rules say so */
async function answerOf(
  web: Web,
  request: HttpRequest,
  rules: RequestRules,
  url: string,
  response: Response,
): Promise<HttpResponse<string | Uint8Array>> {
  const { status, headers } = response;
  if (rules.retryOn(status)) throw await failureOf(web, request, url, response);
  const location = headers.get("location");
  const pending = isPending(request, rules, status, location);
  if (pending && location !== null) checkedUrl(location, url);
  return {
    url,
    status,
    ok: status >= 200 && status <= 299,
    headers: recorded(headers),
    body: await bodyOf(request, url, response, pending),
  };
}

/** Headers as they are stored: without cookies, which are credentials, and one name no object can hold. */
const recorded = (headers: Headers): { readonly [name: string]: string } =>
  Object.fromEntries(
    [...headers].filter(([name]) => name !== "set-cookie" && name !== "__proto__"),
  );

/** That of an answer which says only that the work goes on is not kept: there may be thousands. */
async function bodyOf(
  { responseType }: HttpRequest,
  url: string,
  response: Response,
  pending: boolean,
): Promise<string | Uint8Array> {
  const most = pending ? 0 : LIMITS.payloadBytes;
  const { bytes, whole } = await read(response, most);
  if (!whole && !pending) {
    throw new WaymarkError(
      "PAYLOAD_TOO_LARGE",
      `the answer of ${url} has more than ${most} bytes, which is the limit. Fetch it in an activity, ` +
        "store it elsewhere, such as R2, and return its key",
    );
  }
  return responseType === "bytes" ? bytes : new TextDecoder().decode(bytes);
}

/** The body up to so many bytes; what is beyond is not fetched. */
async function read(
  { body }: Response,
  most: number,
): Promise<{ readonly bytes: Uint8Array; readonly whole: boolean }> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = body?.getReader();
  for (;;) {
    const next = length > most ? undefined : await reader?.read();
    if (next?.value === undefined) break;
    chunks.push(next.value);
    length += next.value.byteLength;
  }
  const whole = length <= most;
  if (!whole) await reader?.cancel();
  const bytes = new Uint8Array(Math.min(length, most));
  let at = 0;
  for (const chunk of chunks) {
    const fits = chunk.subarray(0, bytes.length - at);
    bytes.set(fits, at);
    at += fits.length;
  }
  return { bytes, whole };
}

/** An answer as a failure: its status, and what the server says of it. */
async function failureOf(
  web: Web,
  request: HttpRequest,
  url: string,
  response: Response,
): Promise<Error> {
  const { status } = response;
  const { bytes } = await read(response, LIMITS.answerExcerptBytes);
  const message = `${request.method} ${url} answered ${status}`;
  const after = retryAfterMillis(response.headers.get("retry-after"), web.now());
  const error = after === null ? new Error(message) : new RetryAfterError(message, after);
  return Object.assign(error, { status, url, body: new TextDecoder().decode(bytes) });
}
