/** HTTP servers of benches and tests: on loopback only, at a port that is free. */
import { once } from "node:events";
import type { Server } from "node:http";

/**
 * Lets a server listen.
 *
 * @returns its address, and how to close it with all its connections
 * @throws Error where it gets no port
 */
export async function listenOnLoopback(
  server: Server,
): Promise<{ readonly url: string; close(): void }> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
