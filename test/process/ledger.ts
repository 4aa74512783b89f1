/**
 * The outside world of a crash test: an HTTP server that keeps every effect it was told of, and takes a job,
 * which ends when the test says so.
 */
import { createServer, type IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { listenOnLoopback } from "../../scripts/loopback.ts";

export interface Effect {
  readonly what: string;
  readonly value: unknown;
  readonly idempotencyKey: string;
  /** When it came, in milliseconds since 1970. */
  readonly at: number;
}

export interface Ledger {
  readonly url: string;
  readonly effects: readonly Effect[];
  of(what: string): readonly Effect[];
  /** From now on its job has ended. */
  endJob(): void;
  close(): void;
}

export async function openLedger(): Promise<Ledger> {
  const effects: Effect[] = [];
  let jobEnded = false;
  const server = createServer(async (request, response) => {
    effects.push({ ...(await told(request)), at: Date.now() });
    const ended = request.method === "GET" && jobEnded;
    if (request.url === "/") response.end();
    else if (ended) response.end("the job is done");
    else response.writeHead(202, { location: "/jobs/1", "retry-after": "1" }).end();
  });
  const { url, close } = await listenOnLoopback(server);
  return {
    url,
    effects,
    of: (what) => effects.filter((effect) => effect.what === what),
    endJob: () => {
      jobEnded = true;
    },
    close,
  };
}

async function told(request: IncomingMessage): Promise<Omit<Effect, "at">> {
  const body = await text(request);
  if (request.url === "/") return JSON.parse(body);
  const idempotencyKey = String(request.headers["idempotency-key"]);
  return { what: `${request.method} ${request.url}`, value: body, idempotencyKey };
}
