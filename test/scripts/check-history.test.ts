/** `npm run check-history`, as a process: what it prints, and how it ends. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { StoredHistory } from "../../src/core/history.ts";
import { Cluster } from "../../src/testing/cluster.ts";
import { workflows } from "../../src/workflows/index.ts";

const ROOT = join(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "waymark-check-history-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function checkHistory(...args: string[]) {
  const script = join(ROOT, "scripts/check-history.ts");
  const child = spawn(process.execPath, [script, ...args], { cwd: folder, stdio: "pipe" });
  const exit = once(child, "exit");
  const told = { out: "", error: "" };
  child.stdout.on("data", (chunk) => {
    told.out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    told.error += chunk;
  });
  await once(child, "close");
  const [code] = await exit;
  return { code, lines: told.out.trim().split("\n"), error: told.error };
}

function write(name: string, content: unknown): string {
  writeFileSync(join(folder, name), JSON.stringify(content));
  return name;
}

/** The stored history of a migration whose first stage fails for good. */
async function shippedHistory(): Promise<StoredHistory> {
  const [migrateRecords] = workflows;
  if (migrateRecords === undefined) throw new Error("nothing is shipped");
  const cluster = new Cluster({ workflows });
  const status = {
    lastProcessedId: "initialId",
    processingStatus: "New",
    processingStage: "ActivityOne",
    lastUpdated: "2026-01-01T00:00:00.000Z",
  } as const;
  const instance = await cluster.start(migrateRecords, status);
  await cluster.run();
  return instance.export();
}

test("a history that fits is a line, and one that does not says why and fails the command", async () => {
  const history = await shippedHistory();
  expect(history.steps.length).toBeGreaterThan(0);
  const good = write("good.json", history);
  const fitting = await checkHistory(good);
  expect(fitting).toEqual({
    code: 0,
    error: "",
    lines: ["good.json: fits: MigrateRecords version 1, Failed, 1 recorded step"],
  });
  const steps = history.steps.map((step) => ({ ...step, kind: "timer" }));
  const bad = write("bad.json", { ...history, steps });
  const both = await checkHistory(good, bad);
  expect(both.code).toBe(1);
  expect(both.lines).toEqual([
    fitting.lines[0],
    expect.stringMatching(
      /^bad\.json: does not fit: step "ActivityOne" is recorded as timer, and the code asks for activity/,
    ),
  ]);
});

test("workflows of another module are checked where it is named", async () => {
  const module = join(ROOT, "test/histories/workflows.ts");
  const histories = ["Races", "Rounds", "Waiting"].map((name) =>
    join(ROOT, `test/histories/${name}.json`),
  );
  const { code, lines } = await checkHistory("--workflows", module, ...histories);
  expect([code, lines]).toEqual([
    0,
    [
      expect.stringMatching(/Races\.json: fits: Races version 1, Completed, \d+ recorded steps$/),
      expect.stringMatching(/Rounds\.json: fits: Rounds version 1, Completed, 3 recorded steps$/),
      expect.stringMatching(/Waiting\.json: fits: Waiting version 1, Running, 3 recorded steps$/),
    ],
  ]);
});

test("what is no history, a page of one, and a version that is gone are said in plain words", async () => {
  const history = await shippedHistory();
  const { code, lines } = await checkHistory(
    "nowhere.json",
    write("list.json", []),
    write("page.json", { ...history, cursor: "7" }),
    write("old.json", { ...history, version: "0" }),
    write("other.json", { ...history, workflow: "Other" }),
  );
  expect(code).toBe(1);
  expect(lines).toEqual([
    expect.stringMatching(/^nowhere\.json: cannot be checked: ENOENT/),
    "list.json: cannot be checked: it holds no history as GET /v1/instances/{id}/export answers it",
    "page.json: cannot be checked: it holds one page of a history; put the steps of all its pages into one file",
    'old.json: does not fit: "MigrateRecords" version "0" is not registered; of that name there is 1',
    'other.json: does not fit: "Other" version "1" is not registered; no workflow of that name is',
  ]);
});

test("without a file, or without workflows, it says what it takes", async () => {
  expect(await checkHistory()).toMatchObject({
    code: 2,
    error: expect.stringMatching(/^usage: /),
  });
  const module = join(ROOT, "src/core/limits.ts");
  const { code, error } = await checkHistory("--workflows", module, "any.json");
  expect([code, error]).toEqual([2, expect.stringMatching(/limits\.ts exports no workflow/)]);
});
