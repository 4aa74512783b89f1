/**
 * The development server under measurement. The Worker is bundled once and served from the bench's
 * own folder: a file saved meanwhile must not restart it in the middle of a round.
 */
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { type DevServer, startDevServer } from "../scripts/dev-server.ts";
import { ROOT, WRANGLER, wranglerEnvironment } from "../scripts/wrangler.ts";

const CONFIG = "bench/wrangler.toml";
const MAIN = 'main = "worker/worker.ts"';

/** @param folder where the bundle, the state and the log go */
export async function startBenchServer(folder: string): Promise<DevServer> {
  const config = await bundle(folder);
  return startDevServer({
    config,
    persistTo: join(folder, "state"),
    logFile: join(folder, "server.log"),
  });
}

/** Bundles the Worker; the path of a configuration that serves the bundle as it is. */
async function bundle(folder: string): Promise<string> {
  const outdir = join(folder, "bundle");
  const args = ["deploy", "--dry-run", "--config", CONFIG, "--outdir", outdir];
  const options = { cwd: ROOT, env: wranglerEnvironment() };
  await promisify(execFile)(process.execPath, [WRANGLER, ...args], options);
  const config = readFileSync(join(ROOT, CONFIG), "utf8");
  if (!config.includes(MAIN)) throw new Error(`${CONFIG} has no line ${MAIN}`);
  const served = join(folder, "wrangler.toml");
  writeFileSync(served, config.replace(MAIN, 'main = "bundle/worker.js"\nno_bundle = true'));
  return served;
}
