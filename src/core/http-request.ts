/**
 * HTTP requests of workflow code as plain data: what may be asked, where an answer leads, and what it says
 * of time. Nothing here reaches the network: an attempt does, in the layer above.
 *
 * - What is stored of a request is its method, URL and body. Its headers are kept in memory only, as the code
 *   gives them again on each replay: any of them may be a credential.
 * - Beyond its first origin a request keeps only headers that are known to be no credentials.
 */
import type { ActivityContext } from "./activity.ts";
import { WaymarkError } from "./errors.ts";
import { LIMITS } from "./limits.ts";

/** What a request was answered with: plain data, as any step's result. */
export interface HttpResponse<Body = string> {
  /** The address that answered, after redirects. */
  readonly url: string;
  readonly status: number;
  /** Whether the status is from 200 to 299. */
  readonly ok: boolean;
  /** By their names in lower case; several of one name are joined by `", "`. Cookies are left out. */
  readonly headers: { readonly [name: string]: string };
  readonly body: Body;
}

/** What is stored of a request, and compared on a replay. */
export interface HttpRequest {
  readonly method: string;
  readonly url: string;
  readonly body?: string | Uint8Array;
  /** There where a 202 is an answer as any other. */
  readonly poll?: false;
  /** There where the body is wanted as bytes. */
  readonly responseType?: "bytes";
}

/** What an attempt needs beside the stored request. */
export interface RequestRules {
  readonly headers: Headers;
  /** Whether the request asks how far an earlier one has come: then each 202 says that it has not ended. */
  readonly polling: boolean;
  /** Whether an answer with that status is a failure, to be tried again. */
  readonly retryOn: (status: number) => boolean;
}

/** Makes one attempt at a request: how a host reaches the network. */
export type PerformRequest = (
  request: HttpRequest,
  rules: RequestRules,
  ctx: ActivityContext,
) => Promise<HttpResponse<string | Uint8Array>>;

/** One request on its way through redirects. */
export interface Hop {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  readonly body: string | Uint8Array | undefined;
}

/** The error for what cannot be asked, or leads where nothing may be asked. */
export const refused = (why: string): WaymarkError => new WaymarkError("FETCH_REFUSED", why);

/**
 * An address that may be asked, without its fragment.
 *
 * @param base what a relative one is relative to
 * @throws WaymarkError `FETCH_REFUSED` for none, one that is not http or https, or one with a password in it
 */
export function checkedUrl(address: string | URL, base?: string): string {
  const text = String(address);
  const what = base === undefined ? "the address" : `the Location of ${base}`;
  if (!URL.canParse(text, base)) throw refused(`${what} is no URL: ${JSON.stringify(cut(text))}`);
  const url = new URL(text, base);
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    throw refused(`${what} is ${url.protocol}, and only http: and https: may be asked`);
  }
  if (url.username !== "" || url.password !== "") {
    throw refused(`${what} holds a user or password; send an Authorization header instead`);
  }
  url.hash = "";
  return url.href;
}

const cut = (text: string): string => (text.length <= 200 ? text : `${text.slice(0, 199)}…`);

const originOf = (url: string): string => new URL(url).origin;

/** Headers that tell of a body, which a request without one does not send. */
const BODY_HEADERS = [
  "content-encoding",
  "content-language",
  "content-length",
  "content-location",
  "content-type",
];

/** What another origin gets to see; whatever else the code has set may be a credential. */
const HARMLESS_HEADERS = new Set([
  ...BODY_HEADERS,
  "accept",
  "accept-language",
  "idempotency-key",
  "user-agent",
]);

/** The headers for an address that another one has led to. */
export function headersFor(headers: Headers, from: string, to: string): Headers {
  if (originOf(from) === originOf(to)) return headers;
  return new Headers([...headers].filter(([name]) => HARMLESS_HEADERS.has(name)));
}

/** The headers of a GET that asks what has become of a request. */
export function headersWithoutBody(headers: Headers): Headers {
  const left = new Headers(headers);
  for (const name of BODY_HEADERS) left.delete(name);
  left.delete("idempotency-key");
  return left;
}

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/**
 * The request that an answer redirects to, by the rules of the Fetch standard; null where it does not.
 *
 * @throws WaymarkError `FETCH_REFUSED` where it leads to what may not be asked
 */
export function redirectOf(hop: Hop, status: number, location: string | null): Hop | null {
  if (location === null || !REDIRECTS.has(status)) return null;
  const url = checkedUrl(location, hop.url);
  const headers = headersFor(hop.headers, hop.url, url);
  const { method } = hop;
  const changed =
    status === 303 ? method !== "GET" && method !== "HEAD" : status < 303 && method === "POST";
  if (!changed) return { ...hop, url, headers };
  return { method: "GET", url, headers: headersWithoutBody(headers), body: undefined };
}

/** Whether an answer says that the work has begun and where to ask for its end. */
export const isPending = (
  { poll }: HttpRequest,
  { polling }: Pick<RequestRules, "polling">,
  status: number,
  location: string | null,
): boolean => poll !== false && status === 202 && (polling || location !== null);

/**
 * How long a `Retry-After` asks to wait, in milliseconds, at most a day; null where it says nothing.
 *
 * @param value the header: seconds, or a date
 */
export function retryAfterMillis(value: string | null | undefined, now: number): number | null {
  if (value == null) return null;
  const text = value.trim();
  const millis = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - now;
  if (Number.isNaN(millis)) return null;
  return Math.min(Math.max(0, millis), LIMITS.retryAfterMillis);
}

/** Whether another attempt may bring something else: the server is busy, slow or broken. */
export const isRetried = (status: number): boolean =>
  status === 408 || status === 429 || status >= 500;
