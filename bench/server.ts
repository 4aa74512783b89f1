/**
 * The development servers under measurement, one for each Worker: the same Wrangler, the same workerd, the
 * same flags, local tracing off on both. A Worker is bundled once and served from the bench's own
 * folder: a file saved meanwhile must not restart it in the middle of a round.
 */
import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { type DevServer, startDevServer } from "../scripts/dev-server.ts";
import { ROOT, WRANGLER, wranglerEnvironment } from "../scripts/wrangler.ts";
import type { ServerName } from "./job.ts";

const CONFIGS: { readonly [Name in ServerName]: string } = {
  waymark: "bench/wrangler.toml",
  cloudflare: "bench/cloudflare/wrangler.toml",
};
const MAIN = 'main = "worker/worker.ts"';

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
  const config = await bundle(CONFIGS[name], folder);
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

/** Bundles the Worker; the path of a configuration that serves the bundle as it is. */
async function bundle(configFile: string, folder: string): Promise<string> {
  const outdir = join(folder, "bundle");
  const args = ["deploy", "--dry-run", "--config", configFile, "--outdir", outdir];
  const options = { cwd: ROOT, env: wranglerEnvironment() };
  await promisify(execFile)(process.execPath, [WRANGLER, ...args], options);
  const config = readFileSync(join(ROOT, configFile), "utf8");
  if (!config.includes(MAIN)) throw new Error(`${configFile} has no line ${MAIN}`);
  const served = join(folder, "wrangler.toml");
  writeFileSync(served, config.replace(MAIN, 'main = "bundle/worker.js"\nno_bundle = true'));
  return served;
}
