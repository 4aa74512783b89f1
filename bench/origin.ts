/** A server on loopback that activities fetch from, and that tells when they do. */
import { createServer } from "node:http";
import { listenOnLoopback } from "../scripts/loopback.ts";

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
  const { url, close } = await listenOnLoopback(server);
  return {
    url: (path) => `${url}${path}`,
    visit: (path, waitMillis = VISIT_MILLIS) =>
      new Promise((resolve, reject) => {
        const late = () => reject(new Error(`nobody asked for ${path} in ${waitMillis} ms`));
        const timer = setTimeout(late, waitMillis);
        waiting.set(path, (at) => {
          clearTimeout(timer);
          resolve(at);
        });
      }),
    close,
  };
}
