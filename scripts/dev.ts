/**
 * `npm run dev`: the Worker on this machine, for use by hand. It listens on the loopback address only
 * and asks for no token. Arguments go to `wrangler dev`, such as `-- --port 9000`; `-- --places` fills
 * an empty legacy table with real places first.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readCities } from "./demo/cities.ts";
import { loadPlaces } from "./demo/load.ts";
import { applyMigrations, query, ROOT, WRANGLER } from "./wrangler.ts";

const PLACES = "--places";
const args = process.argv.slice(2);
const passedOn = args.filter((arg: string) => arg !== PLACES);

await applyMigrations();
if (args.includes(PLACES)) await fillLegacyTable();

const command = [WRANGLER, "dev", "--ip", "127.0.0.1", "--var", "AUTH:none", ...passedOn];
const child = spawn(process.execPath, command, {
  stdio: "inherit",
  cwd: ROOT,
  env: { ...process.env, CLOUDFLARE_CF_FETCH_ENABLED: "false", WRANGLER_SEND_METRICS: "false" },
});
// Ctrl-C reaches Wrangler by itself, as it shares this terminal; it ends first.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => child.kill());
const [code] = await once(child, "exit");
process.exitCode = typeof code === "number" ? code : 1;

async function fillLegacyTable(): Promise<void> {
  const [counted] = await query(["SELECT count(*) AS records FROM legacy_places"]);
  if (counted?.[0]?.records !== 0) return;
  const folder = mkdtempSync(join(tmpdir(), "waymark-"));
  try {
    await loadPlaces(readCities(), folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
