/**
 * `npm run mutations [-- WORDS]`: breaks the engine on purpose, one fault at a time, in a copy, and sees whether the
 * simulation notices within 1,000 seeds. A fault that nothing notices means that something is not tried.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MUTATIONS, type Mutation } from "./mutations.ts";

const ROOT = join(import.meta.dirname, "../..");
const SEEDS = "1000";
const LONGEST_MILLIS = 120_000;

const folder = mkdtempSync(join(tmpdir(), "waymark-mutations-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
for (const name of ["src", "test", "package.json"]) {
  cpSync(join(ROOT, name), join(folder, name), {
    recursive: true,
    filter: (path) => !path.includes(".wrangler"),
  });
}
symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));

let unnoticed = 0;
const words = process.argv.slice(2).join(" ");
const chosen = MUTATIONS.filter(({ fault }) => fault.includes(words));
if (chosen.length === 0) throw new Error(`no fault has the words "${words}"`);
for (const mutation of chosen) {
  const verdict = await tryOut(mutation);
  unnoticed += verdict === null ? 1 : 0;
  console.log(`${verdict === null ? "UNNOTICED" : "noticed"}: ${mutation.fault}`);
  if (verdict !== null) console.log(`  ${verdict}`);
}
console.log(`${chosen.length - unnoticed} of ${chosen.length} faults were noticed`);
process.exitCode = unnoticed === 0 ? 0 : 1;

/** What the simulation says to a fault; null where it does not notice. */
async function tryOut({ file, find, replace }: Mutation): Promise<string | null> {
  const path = join(folder, "src", file);
  const sound = readFileSync(path, "utf8");
  writeFileSync(
    path,
    sound.replace(find, () => replace),
  );
  try {
    return await firstWords();
  } finally {
    writeFileSync(path, sound);
  }
}

async function firstWords(): Promise<string | null> {
  const args = [join(folder, "test/simulation/main.ts"), "--seeds", SEEDS];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
  const limit = setTimeout(() => child.kill("SIGKILL"), LONGEST_MILLIS);
  const closed = once(child, "close");
  let told = "";
  for await (const chunk of child.stderr) told += chunk;
  await closed; // before that there is no exit code
  clearTimeout(limit);
  if (child.exitCode === 0) return null;
  if (told.includes("SyntaxError")) throw new Error(`the fault is no code:\n${told}`);
  const lines = told.split("\n").filter((line) => /^seed|^- |Error/.test(line));
  return lines.slice(0, 2).join(" ").slice(0, 300) || "it never ended";
}
