/** Wrangler's commands on the local D1, run with this process's own Node. */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { startGroup } from "./process-group.ts";

/** The project's folder. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** How the local D1 is bound in wrangler.toml. */
export const DATABASE = "DB";

const require = createRequire(import.meta.url);

/** The script that starts Wrangler; run it with Node. */
export const WRANGLER = join(dirname(require.resolve("wrangler/package.json")), "bin/wrangler.js");

/** The environment of a Wrangler nobody looks at: plain output, no questions, no network. */
export function wranglerEnvironment(): NodeJS.ProcessEnv {
  return {
    ...process.env,
    CLOUDFLARE_CF_FETCH_ENABLED: "false",
    WRANGLER_SEND_METRICS: "false",
    WRANGLER_HIDE_BANNER: "true",
    X_LOCAL_OBSERVABILITY: "false",
    X_LOCAL_EXPLORER: "false",
    NO_COLOR: "1",
    FORCE_COLOR: "0",
    CI: "1", // answers questions by itself
  };
}

/** Runs a command to its end, which is not later than this process's; its output. */
async function runWrangler(args: readonly string[]): Promise<string> {
  const group = startGroup([WRANGLER, ...args], {
    cwd: ROOT,
    env: wranglerEnvironment(),
    stdio: ["ignore", "pipe", "pipe"],
  });
  const { stdout, stderr } = group.leader;
  if (stdout === null || stderr === null) throw new Error("wrangler runs without its output");
  const [output, complaints, code] = await Promise.all([text(stdout), text(stderr), group.exited]);
  await group.kill(); // nothing of it is left, even where it went wrong
  if (code === 0) return output;
  throw new Error(`wrangler ${args.slice(0, 3).join(" ")} failed:\n${output}${complaints}`);
}

/** Where the local D1 is; Wrangler's usual place if left out. */
const local = (persistTo: string | undefined) => [
  "--local",
  ...(persistTo === undefined ? [] : ["--persist-to", persistTo]),
];

/** Brings the local D1 up to the last migration. */
export async function applyMigrations(persistTo?: string): Promise<void> {
  await runWrangler(["d1", "migrations", "apply", DATABASE, ...local(persistTo)]);
}

/** Runs a file of SQL on the local D1. */
export async function executeFile(file: string, persistTo?: string): Promise<void> {
  await runWrangler(["d1", "execute", DATABASE, ...local(persistTo), "--file", file]);
}

/** The rows of each of these queries on the local D1. */
export async function query(
  statements: readonly string[],
  persistTo?: string,
): Promise<readonly (readonly Record<string, unknown>[])[]> {
  const command = statements.join(";\n");
  const args = ["d1", "execute", DATABASE, ...local(persistTo), "--json", "--command", command];
  const answers = JSON.parse(await runWrangler(args)) as readonly {
    readonly results: readonly Record<string, unknown>[];
  }[];
  return answers.map(({ results }) => results);
}
