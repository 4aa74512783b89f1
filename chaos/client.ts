/**
 * Requests to a Worker that is killed all the time: each is sent again, with the same key, until it is
 * answered. What is answered 202 to a call is asked for again as well.
 */
import { setTimeout as wait } from "node:timers/promises";
import type { LedgerRecord } from "./evidence.ts";

const PAUSE_MILLIS = 50;
const REQUEST_MILLIS = 10_000;

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export interface Client {
  /** Sends a request with an `Idempotency-Key` until it is answered. */
  post(path: string, body: unknown, key: string): Promise<Answer>;
  get(path: string): Promise<Answer>;
  /** Waits until something holds. */
  until(what: string, holds: () => boolean | Promise<boolean>): Promise<void>;
  wait(millis: number): Promise<void>;
  /** What the ledger has of an instance so far. */
  told(instance: string): readonly LedgerRecord[];
}

export interface ClientOptions {
  /** Where the Worker is, once it is up. */
  readonly url: () => Promise<string>;
  readonly records: readonly LedgerRecord[];
  /** Aborts when the run gives up. */
  readonly signal: AbortSignal;
  /** Told of each request that had to be sent again. */
  readonly repeated: () => void;
}

export function clientOf({ url, records, signal, repeated }: ClientOptions): Client {
  async function insist(path: string, init: RequestInit): Promise<Answer> {
    for (;;) {
      signal.throwIfAborted();
      const answer = await attempt(path, init);
      if (answer !== null) return answer;
      repeated();
      await wait(PAUSE_MILLIS);
    }
  }

  /** Null where it must be sent again. */
  async function attempt(path: string, init: RequestInit): Promise<Answer | null> {
    try {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(REQUEST_MILLIS)]);
      const response = await fetch(`${await url()}${path}`, { ...init, signal: limit });
      const text = await response.text();
      const accepted = response.status === 202 && path.includes("/calls/");
      if (accepted || response.status === 429 || response.status >= 500) return null;
      return { status: response.status, body: text === "" ? null : JSON.parse(text) };
    } catch {
      return null; // nobody is there, or it was killed in the middle
    }
  }

  const client: Client = {
    post: (path, body, key) => {
      const headers = { "content-type": "application/json", "idempotency-key": key };
      return insist(path, { method: "POST", headers, body: JSON.stringify(body) });
    },
    get: (path) => insist(path, {}),
    until: async (what, holds) => {
      while (!(await holds())) {
        if (signal.aborted)
          throw new Error(`it never came to this: ${what}`, { cause: signal.reason });
        await wait(PAUSE_MILLIS);
      }
    },
    wait: (millis) => wait(millis),
    told: (instance) => records.filter((record) => record.instance === instance),
  };
  return client;
}
