/**
 * `npm run record-histories -- [NAME ...]`: runs the workflows of the stored histories in a real Worker, kills it
 * twice on the way, and keeps what it exports. A file that is there is history: it is not written again.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { startDevServer } from "../../scripts/dev-server.ts";
import type { StoredHistoryPage } from "../../src/core/history.ts";
import { HISTORY_WORKFLOWS } from "./workflows.ts";

const folder = mkdtempSync(join(tmpdir(), "waymark-histories-"));
const boot = () =>
  startDevServer({
    persistTo: join(folder, "state"),
    logFile: join(folder, "dev.log"),
    config: join(import.meta.dirname, "wrangler.toml"),
    vars: { AUTH: "none" },
  });

/** Where this machine keeps the Worker, in the stacks of errors. */
const FOLDERS = /file:\/\/[^\s)]*\//g;

const fileOf = (name: string) => join(import.meta.dirname, `${name}.json`);
const asked = process.argv.slice(2);
const names = HISTORY_WORKFLOWS.map(({ name }) => name)
  .filter((name) => asked.length === 0 || asked.includes(name))
  .filter((name) => !existsSync(fileOf(name)));

let server = await boot();

async function request<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
  const response = await fetch(`${server.url}/v1${path}`, {
    method,
    headers: { "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!response.ok)
    throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as Answer;
}

try {
  for (const name of names) await request("POST", `/workflows/${name}/instances`, { id: name });
  for (const [name, event] of [
    ["Races", "early"],
    ["Waiting", "unasked"],
    ["Rounds", "kept"],
  ] as const) {
    if (names.includes(name)) {
      await request("POST", `/instances/${name}/events/${event}`, { sent: event });
    }
  }
  for (const millis of [150, 400]) {
    await wait(millis);
    await server.kill();
    server = await boot();
  }
  for (const name of names) {
    const seconds = name === "Waiting" ? 1 : 30;
    await request("GET", `/instances/${name}?wait=${seconds}`);
    const { cursor, ...history } = await request<StoredHistoryPage>(
      "GET",
      `/instances/${name}/export`,
    );
    if (cursor !== null) throw new Error(`the history of ${name} has more than a page`);
    const text = JSON.stringify(history, null, 2).replaceAll(FOLDERS, "");
    writeFileSync(fileOf(name), `${text}\n`);
    console.log(`${name}: ${history.status}, ${history.steps.length} steps`);
  }
} finally {
  await server.kill();
  rmSync(folder, { recursive: true, force: true });
}
