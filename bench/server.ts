/** The development server under measurement, with a bundle of its own in the bench's folder. */
import { join } from "node:path";
import { bundleWorker } from "../scripts/bundle.ts";
import { type DevServer, startDevServer } from "../scripts/dev-server.ts";

/** @param folder where the bundle, the state and the log go */
export async function startBenchServer(folder: string): Promise<DevServer> {
  return startDevServer({
    config: await bundleWorker("bench/wrangler.toml", folder),
    persistTo: join(folder, "state"),
    logFile: join(folder, "server.log"),
  });
}
