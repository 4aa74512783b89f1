/** The outside world of a crash test: an HTTP server that keeps every effect it was told of. */
import { once } from "node:events";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";

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
  close(): void;
}

export async function openLedger(): Promise<Ledger> {
  const effects: Effect[] = [];
  const server = createServer(async (request, response) => {
    effects.push({ ...JSON.parse(await text(request)), at: Date.now() });
    response.end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the ledger has no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    effects,
    of: (what) => effects.filter((effect) => effect.what === what),
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
