/**
 * A Worker bundled once and served as it is: a file saved meanwhile must not restart it, and a start
 * after a kill does not bundle it again.
 */
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { ROOT, WRANGLER, wranglerEnvironment } from "./wrangler.ts";

const MAIN = 'main = "worker/worker.ts"';

/**
 * Bundles the Worker of a configuration whose main file is `worker/worker.ts`.
 *
 * @param config its path within the project
 * @param folder where the bundle goes
 * @returns the path of a configuration that serves the bundle
 * @throws Error where it cannot be bundled
 */
export async function bundleWorker(config: string, folder: string): Promise<string> {
  const outdir = join(folder, "bundle");
  const args = ["deploy", "--dry-run", "--config", config, "--outdir", outdir];
  const options = { cwd: ROOT, env: wranglerEnvironment() };
  await promisify(execFile)(process.execPath, [WRANGLER, ...args], options);
  const text = readFileSync(join(ROOT, config), "utf8");
  if (!text.includes(MAIN)) throw new Error(`${config} has no line ${MAIN}`);
  const served = join(folder, "wrangler.toml");
  writeFileSync(served, text.replace(MAIN, 'main = "bundle/worker.js"\nno_bundle = true'));
  return served;
}
