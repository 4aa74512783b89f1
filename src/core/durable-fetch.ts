/**
 * `ctx.fetch`: a request as a step, and where the answer is 202 with a Location, timers and further requests
 * as steps until the work it began has ended. All of them are ordinary activities and timers, so that replay,
 * history and retries are theirs; this is the code between them, and a replay runs it again.
 *
 * - What follows from an answer is derived from what is recorded of it, and from `driver.now` (W6).
 * - The steps of a poll are named after the first one, so that other fetches do not shift them (W7).
 */
import { activity } from "./activity.ts";
import { askTimer } from "./asks.ts";
import type { Driver } from "./driver.ts";
import { type Duration, durationMillis } from "./duration.ts";
import { WaymarkError } from "./errors.ts";
import { type FetchOptions, requestHeaders, storedRequest } from "./fetch-options.ts";
import {
  checkedUrl,
  type HttpRequest,
  type HttpResponse,
  headersFor,
  headersWithoutBody,
  isPending,
  isRetried,
  type PerformRequest,
  type RequestRules,
  refused,
  retryAfterMillis,
} from "./http-request.ts";
import { LIMITS } from "./limits.ts";
import { countedIdentity, keyedIdentity, type StepIdentity } from "./names.ts";
import { encode } from "./payload.ts";
import { uuidFrom } from "./random.ts";

type AnyResponse = HttpResponse<string | Uint8Array>;
type Attempts = Pick<FetchOptions, "retry" | "signal" | "sensitive"> & {
  readonly timeout: Duration;
};

const NAME = "fetch";
const DEFAULT_TIMEOUT: Duration = "1 minute";
const DEFAULT_INTERVAL: Duration = "30 seconds";

/** The method of one execution. */
export function fetchMethod(driver: Driver, perform: PerformRequest) {
  let unkeyed = 0;
  return async (url: string | URL, options: FetchOptions = {}): Promise<AnyResponse> => {
    const { key, poll = true, retryOn = isRetried } = options;
    const request = storedRequest(url, options);
    const headers = requestHeaders(options);
    const attempts = { ...options, timeout: options.timeout ?? DEFAULT_TIMEOUT };
    const { interval = DEFAULT_INTERVAL, timeout } = typeof poll === "object" ? poll : {};
    const intervalMillis = durationMillis(interval);
    const endsAt = timeout === undefined ? null : driver.now + durationMillis(timeout);
    if (typeof retryOn !== "function") throw refused("retryOn is a function of the status");
    const identity =
      key === undefined ? countedIdentity(NAME, ++unkeyed) : keyedIdentity(NAME, key);
    const ask = askRequest(driver, perform, attempts);
    const first = await ask(NAME, key, request, { headers, polling: false, retryOn });
    return follow({ driver, ask, identity, request, endsAt, intervalMillis }, first, {
      headers: headersWithoutBody(headers),
      polling: true,
      retryOn,
    });
  };
}

interface Following {
  readonly driver: Driver;
  readonly ask: ReturnType<typeof askRequest>;
  readonly identity: StepIdentity;
  readonly request: HttpRequest;
  readonly endsAt: number | null;
  readonly intervalMillis: number;
}

/** Asks again as long as the answer is that the work has not ended. */
async function follow(
  { driver, ask, identity, request, endsAt, intervalMillis }: Following,
  first: AnyResponse,
  rules: RequestRules,
): Promise<AnyResponse> {
  const { body: _body, ...wanted } = request;
  let { headers } = rules;
  let asked = request.url;
  let answer = first;
  for (let poll = 1; ; poll++) {
    const location = answer.headers.location ?? null;
    if (!isPending(request, { polling: poll > 1 }, answer.status, location)) return answer;
    const { now } = driver;
    if (endsAt !== null && now >= endsAt) throw timedOut(asked);
    const url = location === null ? asked : checkedUrl(location, answer.url);
    // A redirect may have led away before the Location does: what was dropped there stays dropped.
    headers = headersFor(headersFor(headers, asked, answer.url), answer.url, url);
    const after = retryAfterMillis(answer.headers["retry-after"], now);
    const wait = after === null ? intervalMillis : Math.max(after, LIMITS.pollLeastMillis);
    const due = Math.min(now + wait, endsAt ?? Number.POSITIVE_INFINITY);
    const key = pollKey(identity, poll);
    await ask.pause(key, due, wait);
    answer = await ask(
      `${NAME} poll`,
      key,
      { ...wanted, method: "GET", url },
      { ...rules, headers },
    );
    asked = url;
  }
}

function askRequest(driver: Driver, perform: PerformRequest, attempts: Attempts) {
  const { retry = {}, timeout, signal, sensitive } = attempts;
  const ask = (
    name: string,
    key: string | undefined,
    request: HttpRequest,
    rules: RequestRules,
  ): Promise<AnyResponse> => {
    const run = activity<HttpRequest, AnyResponse>(name, { retry, timeout }, (input, ctx) =>
      perform(input, rules, ctx),
    );
    const asked = driver.ask({
      name,
      key,
      input: encode(request, `the request to ${request.url}`),
      signal,
      sensitive,
      request: { kind: "activity", activity: run, retry, timeout, stageStatus: null },
    });
    return asked as Promise<AnyResponse>; // what `perform` returned, as the codec keeps it
  };
  const pause = (key: string, due: number, wait: number) =>
    askTimer(driver, `${NAME} wait`, due, encode(wait, "a duration"), { key, signal });
  return Object.assign(ask, { pause });
}

/** The key of both steps of a poll. */
function pollKey(identity: StepIdentity, poll: number): string {
  const key = `${identity}/${poll}`;
  return key.length <= LIMITS.stepKeyLength ? key : `${uuidFrom(identity)}/${poll}`;
}

const timedOut = (url: string): WaymarkError =>
  new WaymarkError("FETCH_TIMEOUT", `${url} still answers 202, and the time to follow it is over`);
