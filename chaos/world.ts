/** The Worker's lives: one state directory, and a process group after the other on it. */
import { join } from "node:path";
import { bundleWorker } from "../scripts/bundle.ts";
import { type DevServer, startDevServer } from "../scripts/dev-server.ts";
import { instant, type Kill } from "./evidence.ts";

export interface World {
  /** Where the Worker is; nobody answers there between a kill and the next start. */
  url(): string;
  readonly kills: readonly Kill[];
  /** Where the server that was started last writes its log. */
  logFile(): string;
  /** SIGKILL for the whole process group, and another start. */
  crash(): Promise<void>;
  stop(): Promise<void>;
}

/** @param folder where bundle, state and logs go */
export async function openWorld(folder: string, ledger: string): Promise<World> {
  const config = await bundleWorker("chaos/wrangler.toml", folder);
  const kills: Kill[] = [];
  const logFile = () => join(folder, `server-${kills.length}.log`);
  const start = (lives: number): Promise<DevServer> =>
    startDevServer({
      config,
      persistTo: join(folder, "state"),
      logFile: join(folder, `server-${lives}.log`),
      vars: { LEDGER: ledger },
    });
  let server = await start(0);
  return {
    url: () => server.url,
    kills,
    logFile,
    crash: async () => {
      const killedAt = instant();
      await server.kill();
      const goneAt = instant();
      server = await start(kills.length + 1);
      kills.push({ killedAt, goneAt, upAt: instant() });
    },
    stop: () => server.stop(),
  };
}
