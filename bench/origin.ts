/** A server on loopback that activities fetch from, and that tells when they do. */
import { once } from "node:events";
import { createServer } from "node:http";

const VISIT_MILLIS = 30_000;
const BODY = JSON.stringify({ rate: 1.0843, of: "EUR" });

export interface Origin {
  url(path: string): string;
  /** The moment of the next request for a path, as `performance.now()` counts. */
  visit(path: string, waitMillis?: number): Promise<number>;
  close(): void;
}

export async function startOrigin(): Promise<Origin> {
  const waiting = new Map<string, (at: number) => void>();
  const server = createServer((request, response) => {
    const path = request.url ?? "";
    waiting.get(path)?.(performance.now());
    waiting.delete(path);
    response.setHeader("content-type", "application/json");
    response.end(BODY);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port is free");
  return {
    url: (path) => `http://127.0.0.1:${address.port}${path}`,
    visit: (path, waitMillis = VISIT_MILLIS) =>
      new Promise((resolve, reject) => {
        const late = () => reject(new Error(`nobody asked for ${path} in ${waitMillis} ms`));
        const timer = setTimeout(late, waitMillis);
        waiting.set(path, (at) => {
          clearTimeout(timer);
          resolve(at);
        });
      }),
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
