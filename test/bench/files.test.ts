import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { contentsOfFile } from "../../bench/files.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "waymark-bench-files-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A file with two rows in each of these tables. */
function fileOf(...tables: readonly string[]): string {
  const path = join(folder, "object.sqlite");
  const database = new DatabaseSync(path);
  database.exec("PRAGMA journal_mode = WAL");
  for (const table of tables) {
    database.exec(table);
    const name = /TABLE (\w+)/.exec(table)?.[1];
    database.exec(`INSERT INTO ${name} VALUES (1, 'a', 10), (2, 'b', 20)`);
  }
  database.close();
  return path;
}

test("a row counts once, and once more for each index over it", () => {
  const path = fileOf(
    "CREATE TABLE plain (id INTEGER PRIMARY KEY, name TEXT, size INTEGER)",
    "CREATE TABLE unique_too (id INTEGER PRIMARY KEY, name TEXT, size INTEGER, UNIQUE (name, size))",
    "CREATE TABLE text_key (id INTEGER, name TEXT PRIMARY KEY, size INTEGER)",
  );
  expect(contentsOfFile(path).tables).toEqual({ plain: 2, unique_too: 4, text_key: 4 });
});

test("a table without rowid is its own index, and a partial index counts no finished row", () => {
  const path = fileOf(
    "CREATE TABLE own (id INTEGER, name TEXT PRIMARY KEY, size INTEGER) WITHOUT ROWID",
    "CREATE TABLE step (id INTEGER PRIMARY KEY, name TEXT, size INTEGER)",
  );
  const database = new DatabaseSync(path);
  database.exec("CREATE INDEX open ON step (size) WHERE name IS NULL");
  database.close();
  expect(contentsOfFile(path).tables).toEqual({ own: 2, step: 2 });
});

test("the size is that of the whole file", () => {
  const path = fileOf("CREATE TABLE plain (id INTEGER PRIMARY KEY, name TEXT, size INTEGER)");
  expect(contentsOfFile(path).bytes).toBe(statSync(path).size);
  expect(contentsOfFile(path).bytes).toBeGreaterThan(4_096);
});

test("both Workers are served alike", () => {
  const dateOf = (file: string) =>
    /^compatibility_date = .*$/m.exec(readFileSync(join(import.meta.dirname, file), "utf8"))?.[0];
  const ours = dateOf("../../bench/wrangler.toml");
  expect(ours).toBeDefined();
  expect(dateOf("../../bench/cloudflare/wrangler.toml")).toBe(ours);
});
