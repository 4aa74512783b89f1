/**
 * The development servers under measurement, one for each Worker: the same Wrangler, the same workerd, the
 * same flags, local tracing off on both. A Worker is bundled once and served from the bench's own
 * folder: a file saved meanwhile must not restart it in the middle of a round.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { bundleWorker } from "../scripts/bundle.ts";
import { type DevServer, startDevServer } from "../scripts/dev-server.ts";
import type { ServerName } from "./job.ts";

const CONFIGS: { readonly [Name in ServerName]: string } = {
  waymark: "bench/wrangler.toml",
  cloudflare: "bench/cloudflare/wrangler.toml",
};

/** One of them, which may be lost and come back. */
export interface BenchServer {
  readonly url: string;
  readonly groupId: number;
  /** Where its state is. */
  readonly state: string;
  readonly logFile: string;
  /** SIGKILL to the whole group. */
  kill(): Promise<void>;
  /** Starts it again, with the same state at the same address; resolves once it answers. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

export type BenchServers = { readonly [Name in ServerName]: BenchServer };

/** @param folder where the bundles, the states and the logs go */
export async function startBenchServers(folder: string): Promise<BenchServers> {
  const waymark = await startBenchServer("waymark", join(folder, "waymark"));
  try {
    return {
      waymark,
      cloudflare: await startBenchServer("cloudflare", join(folder, "cloudflare")),
    };
  } catch (error) {
    await waymark.stop();
    throw error;
  }
}

/** @param folder of its own */
export async function startBenchServer(name: ServerName, folder: string): Promise<BenchServer> {
  mkdirSync(folder, { recursive: true });
  const config = await bundleWorker(CONFIGS[name], folder);
  const state = join(folder, "state");
  const logFile = join(folder, "server.log");
  const options = { config, persistTo: state, logFile };
  let server: DevServer = await startDevServer(options);
  const { url } = server;
  return {
    url,
    state,
    logFile,
    get groupId() {
      return server.groupId;
    },
    kill: () => server.kill(),
    start: async () => {
      server = await startDevServer({ ...options, port: Number(new URL(url).port) });
    },
    stop: () => server.stop(),
  };
}
