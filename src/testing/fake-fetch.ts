/** What answers the requests of `ctx.fetch` in a test. */
import { NonRetryableError } from "../core/failure.ts";
import { type Mortal, never } from "./fence.ts";

/**
 * Answers a request; what it throws is a network that failed. Each request that may have an effect, as a
 * POST, is among `cluster.effects` by its method and URL, once for each `Idempotency-Key`.
 *
 * @example
 * const fetch: FakeFetch = ({ url }) => Response.json({ asked: url });
 */
export type FakeFetch = (request: Request) => Response | Promise<Response>;

/** What an object is told of the requests it makes. */
export interface WebWitness {
  effect(what: string, key: string | undefined): void;
  answered(): void;
}

const SAFE_METHODS = new Set(["GET", "HEAD", "OPTIONS"]);

/** The web as one life of an object sees it: it never answers the dead. */
export function fakeWeb(answer: FakeFetch | undefined, life: Mortal, witness: WebWitness) {
  return async (request: Request): Promise<Response> => {
    if (life.dead) return never();
    if (answer === undefined) {
      throw new NonRetryableError(
        `a test makes no requests, and none to ${request.url}: give it a \`fetch\` that answers`,
      );
    }
    const { method, url, headers } = request;
    if (!SAFE_METHODS.has(method)) {
      witness.effect(`${method} ${url}`, headers.get("idempotency-key") ?? undefined);
      if (life.dead) return never();
    }
    const asking = async () => answer(request);
    const answered = Promise.race([asking(), aborted(request.signal)]);
    const [outcome] = await Promise.allSettled([answered]);
    if (!life.dead) witness.answered();
    if (life.dead) return never();
    if (outcome.status === "rejected") throw outcome.reason;
    return outcome.value;
  };
}

/** Rejects when the attempt is over: as the network's, the answer no longer comes. */
const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
  });
