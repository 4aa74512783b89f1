/** The Worker's lives: one state directory, and a process group after the other on it. */
import { join } from "node:path";
import { bundleWorker } from "../scripts/bundle.ts";
import { type DevServer, startDevServer } from "../scripts/dev-server.ts";
import { instant, type Kill } from "./evidence.ts";

export interface World {
  /** Where the Worker is, once it is there: nobody answers between a kill and the next start. */
  url(): Promise<string>;
  readonly kills: readonly Kill[];
  /** Where the server of a life writes its log; the first life is 0. */
  logFile(life: number): string;
  /** SIGKILL for the whole process group, and another start. */
  crash(): Promise<void>;
  stop(): Promise<void>;
}

/** @param folder where bundle, state and logs go */
export async function openWorld(folder: string, ledger: string): Promise<World> {
  const config = await bundleWorker("chaos/wrangler.toml", folder);
  const kills: Kill[] = [];
  const logFile = (life: number) => join(folder, `server-${life}.log`);
  const start = (life: number): Promise<DevServer> =>
    startDevServer({
      config,
      persistTo: join(folder, "state"),
      logFile: logFile(life),
      vars: { LEDGER: ledger },
    });
  let server = await start(0);
  let up: Promise<unknown> = Promise.resolve();
  return {
    url: async () => {
      await up;
      return server.url;
    },
    kills,
    logFile,
    crash: async () => {
      const started = Promise.withResolvers<void>();
      up = started.promise;
      const killedAt = instant();
      await server.kill();
      const goneAt = instant();
      server = await start(kills.length + 1);
      kills.push({ killedAt, goneAt, upAt: instant() });
      started.resolve();
    },
    stop: () => server.stop(),
  };
}
