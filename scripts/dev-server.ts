/**
 * `wrangler dev` as the demo, crash tests and benches need it: on the loopback address, in a process
 * group of its own that can be killed as a whole, with its output in a file.
 */
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { rememberLeftovers } from "./leftovers.ts";
import { type ProcessGroup, startGroup } from "./process-group.ts";
import { ROOT, WRANGLER, wranglerEnvironment } from "./wrangler.ts";

const START_MILLIS = 60_000;
const STOP_MILLIS = 5_000;
const POLL_MILLIS = 10;
const TAIL_LINES = 40;

export interface DevServerOptions {
  /** A free one if left out. */
  readonly port?: number;
  /** The state directory: Durable Objects and D1. */
  readonly persistTo: string;
  /** Wrangler's configuration file; the project's wrangler.toml if left out. */
  readonly config?: string;
  /** Variables of the Worker, beside those of the configuration. */
  readonly vars?: { readonly [name: string]: string };
  /** Where the server's output is appended. */
  readonly logFile: string;
}

export interface DevServer {
  /** Such as `http://127.0.0.1:40123`. */
  readonly url: string;
  /** The id of its process group. */
  readonly groupId: number;
  /** SIGKILL to the whole group: what a power cut leaves behind. */
  kill(): Promise<void>;
  /** Asks it to end, and kills what has not ended soon after. */
  stop(): Promise<void>;
}

/**
 * Starts a server and waits until `GET /health` answers. No other request is sent.
 *
 * @throws Error with the end of the log where it does not come up
 */
export async function startDevServer(options: DevServerOptions): Promise<DevServer> {
  const port = options.port ?? (await freePort());
  const url = `http://127.0.0.1:${port}`;
  const removeLeftovers = rememberLeftovers(options.config ?? join(ROOT, "wrangler.toml"));
  const scratch = mkdtempSync(join(tmpdir(), "waymark-dev-")); // what is killed does not tidy up
  const group = startServer(options, port, scratch);
  const kill = async () => {
    await group.kill();
    removeLeftovers();
    rmSync(scratch, { recursive: true, force: true });
  };
  try {
    await untilHealthy(url, group);
  } catch (error) {
    await kill();
    const tail = logTail(options.logFile);
    throw new Error(`wrangler dev did not come up; its log ends:\n${tail}`, { cause: error });
  }
  return {
    url,
    groupId: group.id,
    kill,
    stop: async () => {
      group.signal("SIGTERM");
      await Promise.race([group.exited, wait(STOP_MILLIS, undefined, { ref: false })]);
      await kill();
    },
  };
}

/** The last lines of a server's log, without those about requests that went well. */
export function logTail(logFile: string): string {
  const lines = readFileSync(logFile, "utf8").trimEnd().split("\n");
  const telling = lines.filter((line) => !/^\[wrangler:info\] [A-Z]+ \S+ 2\d\d /.test(line));
  return telling.slice(-TAIL_LINES).join("\n");
}

function startServer(options: DevServerOptions, port: number, scratch: string): ProcessGroup {
  const { persistTo, config, vars = {}, logFile } = options;
  const args = [
    ...[WRANGLER, "dev", "--ip", "127.0.0.1", "--port", String(port), "--inspector-port", "0"],
    ...["--persist-to", persistTo, "--show-interactive-dev-session=false"],
    ...(config === undefined ? [] : ["--config", config]),
    ...Object.entries(vars).flatMap(([name, value]) => ["--var", `${name}:${value}`]),
  ];
  const env = { ...wranglerEnvironment(), TMPDIR: scratch };
  const log = openSync(logFile, "a");
  try {
    return startGroup(args, { cwd: ROOT, env, stdio: ["ignore", log, log] });
  } finally {
    closeSync(log);
  }
}

async function untilHealthy(url: string, { leader }: ProcessGroup): Promise<void> {
  const end = Date.now() + START_MILLIS;
  while (Date.now() < end) {
    if (leader.exitCode !== null || leader.signalCode !== null) throw new Error("it has ended");
    const health = await fetch(`${url}/health`, { signal: AbortSignal.timeout(2_000) }).catch(
      () => null, // it does not listen yet
    );
    await health?.body?.cancel();
    if (health?.ok) return;
    await wait(POLL_MILLIS);
  }
  throw new Error(`${url}/health did not answer within ${START_MILLIS / 1000} s`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port is free");
  return address.port;
}
