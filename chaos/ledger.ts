/**
 * The outside world: an HTTP server that keeps every effect with its idempotency key, takes each key once,
 * and fails as it is told to. `POST /{instance}/{effect}`, with these in the query:
 *
 * - `flaky`: of a hundred requests so many fail, with 503 or with the end of the connection, half of them
 *   after the effect was had.
 * - `refuse`: a status with which it is refused each time, but for what undoes it.
 * - `job`: answered 202; `GET` of its `Location` says so that many times more before it gives the receipt.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { setTimeout as wait } from "node:timers/promises";
import { listenOnLoopback } from "../scripts/loopback.ts";
import type { Draw } from "./draw.ts";
import { type Ending, instant, type LedgerRecord } from "./evidence.ts";

/** The longest that an answer takes: long enough for a kill to come first, now and then. */
const SLOWEST_MILLIS = 150;

export interface Ledger {
  readonly url: string;
  /** In the order in which they came; what is open is ended in place. */
  readonly records: readonly LedgerRecord[];
  /** When it last had an effect that it had not had before. */
  readonly newestAt: number;
  close(): void;
}

type Entry = { -readonly [Field in keyof LedgerRecord]: LedgerRecord[Field] };

export async function openLedger(draw: Draw): Promise<Ledger> {
  const records: Entry[] = [];
  const receipts = new Map<string, string>();
  const looks = new Map<string, number>();
  let newestAt = instant();
  const server = createServer((request, response) => {
    const handled = request.method === "GET" ? look(request, response) : take(request, response);
    handled.catch(() => response.destroy()); // its Worker was killed in the middle
  });

  async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { instance, path, query } = addressOf(request);
    const value: unknown = JSON.parse(await text(request));
    const what = effectOf(path, value);
    const key = String(request.headers["idempotency-key"] ?? "");
    const at = instant();
    const refuse = what.startsWith("undo/") ? null : query.get("refuse");
    const failure = refuse === null ? failureOf(draw, Number(query.get("flaky") ?? 0)) : null;
    const taken = refuse === null && failure?.taken !== false;
    if (taken && !receipts.has(key)) {
      receipts.set(key, `receipt-${receipts.size + 1}`);
      newestAt = at;
    }
    const receipt = taken ? (receipts.get(key) ?? null) : null;
    const entry: Entry = {
      ...{ instance, what, key, value, at, taken, receipt },
      ...{ ending: "open", endedAt: null },
    };
    records.push(entry);
    await wait(draw.fraction() * SLOWEST_MILLIS);
    if (response.destroyed) return; // nobody is there to be answered
    const end = (ending: Ending) => Object.assign(entry, { ending, endedAt: instant() });
    if (failure?.ending === "dropped") {
      end("dropped");
      response.destroy();
    } else if (failure !== null) {
      end("failed");
      answer(response, 503, { error: "try again" });
    } else if (refuse !== null) {
      end("refused");
      answer(response, Number(refuse), { error: "refused" });
    } else {
      end("answered");
      const job = query.get("job");
      if (job !== null) response.setHeader("location", jobAddress(path, job, key));
      answer(response, job === null ? 200 : 202, { receipt });
    }
  }

  async function look(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { path, query } = addressOf(request);
    const key = query.get("key") ?? "";
    const looked = (looks.get(key) ?? 0) + 1;
    looks.set(key, looked);
    if (looked > Number(query.get("looks"))) {
      answer(response, 200, { receipt: receipts.get(key) });
      return;
    }
    response.setHeader("location", `${path}?${query}`);
    answer(response, 202, { looked });
  }

  const { url, close } = await listenOnLoopback(server);
  return {
    url,
    records,
    get newestAt() {
      return newestAt;
    },
    close,
  };
}

/** Where a job that was handed over under a key is asked about, so many times. */
export const jobAddress = (path: string, looks: string, key: string): string =>
  `${path}?${new URLSearchParams({ looks, key })}`;

interface Failing {
  readonly ending: Ending;
  readonly taken: boolean;
}

const FAILINGS: readonly Failing[] = [
  { ending: "failed", taken: false },
  { ending: "failed", taken: true },
  { ending: "dropped", taken: false },
  { ending: "dropped", taken: true },
];

const failureOf = (draw: Draw, percent: number): Failing | null =>
  draw.chance(percent / 100) ? draw.pick(FAILINGS) : null;

function addressOf(request: IncomingMessage) {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://ledger");
  const [, instance = "", path = ""] = pathname.split("/").map(decodeURIComponent);
  return { instance, path, query: searchParams };
}

/** The gallery's workflows say in the body what of an address they mean. */
function effectOf(path: string, body: unknown): string {
  const said = typeof body === "object" && body !== null ? body : {};
  if ("cancel" in said) return `undo/${path}`;
  if ("callBack" in said) return `back/${path}`;
  if ("sku" in said) return `${path}/${said.sku}`;
  if ("digest" in said && "number" in said) return `${path}/${said.number}`;
  return path;
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
