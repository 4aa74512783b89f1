/**
 * What an instance leaves in its SQLite file, for all sides in the same way: the file is copied and its rows are
 * counted, by table, and once more for each index over them. Rows that were overwritten or removed do
 * not show, so that this is the least that was written; Waymark's own count by statement is in rows.ts.
 */
import { copyFileSync, existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as wait } from "node:timers/promises";
import { CONTENDERS, type ContenderName, type Send } from "./contender.ts";
import type { ServerName } from "./job.ts";
import type { Bench } from "./workload.ts";

const STEPS = 1_000;
const SETTLE_MILLIS = 200;

/** Where a contender's objects have their files, below the server's state. */
const FOLDERS: { readonly [Name in ContenderName]?: string } = {
  waymark: "v3/do/waymark-bench-WorkflowInstance",
  cloudflare: "v3/workflows/miniflare-workflows-jobs",
  floor: "v3/do/waymark-bench-Floor",
};

export interface FileResult {
  readonly contender: ContenderName;
  /** Rows for each step, those of indexes included, by table. */
  readonly tables: { readonly [table: string]: number };
  readonly rowsPerStep: number;
  readonly bytesPerStep: number;
}

export interface Contents {
  readonly tables: { readonly [table: string]: number };
  readonly bytes: number;
}

/** Counts an instance with no step and one with many; the difference, for each step. */
export async function countFiles(bench: Bench, folder: string): Promise<readonly FileResult[]> {
  const results: FileResult[] = [];
  for (const [name, path = ""] of Object.entries(FOLDERS)) {
    const contender = name as ContenderName;
    const state = bench.servers[CONTENDERS[contender].server satisfies ServerName].state;
    const objects = join(state, path);
    const send = bench.sendTo(contender);
    const [none, many] = [
      await contentsOf(contender, { send, objects, steps: 0, folder }),
      await contentsOf(contender, { send, objects, steps: STEPS, folder }),
    ];
    const tables = Object.fromEntries(
      Object.entries(many.tables)
        .map(([table, rows]) => [table, (rows - (none.tables[table] ?? 0)) / STEPS] as const)
        .filter(([, rows]) => rows > 0),
    );
    results.push({
      contender,
      tables,
      rowsPerStep: Object.values(tables).reduce((sum, rows) => sum + rows, 0),
      bytesPerStep: (many.bytes - none.bytes) / STEPS,
    });
  }
  return results;
}

async function contentsOf(
  contender: ContenderName,
  from: { send: Send; objects: string; steps: number; folder: string },
): Promise<Contents> {
  const { send, objects, steps, folder } = from;
  const known = new Set(filesIn(objects));
  await CONTENDERS[contender].run(send, `file-${steps}-${contender}`, { steps });
  await wait(SETTLE_MILLIS);
  const [file, ...others] = filesIn(objects).filter((name) => !known.has(name));
  if (file === undefined || others.length > 0) throw new Error(`no one new file in ${objects}`);
  return contentsOfFile(copied(join(objects, file), join(folder, "copies")));
}

function filesIn(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).filter((name) => /^[0-9a-f]{64}\.sqlite$/.test(name));
}

/** The copy of a database that is in use, with what it has not merged yet. */
function copied(path: string, folder: string): string {
  mkdirSync(folder, { recursive: true });
  const copy = join(folder, `${readdirSync(folder).length}.sqlite`);
  for (const suffix of ["", "-wal"]) {
    if (existsSync(path + suffix)) copyFileSync(path + suffix, copy + suffix);
  }
  return copy;
}

/** What a database file holds: rows of its tables, those of their indexes included, and its size. */
export function contentsOfFile(path: string): Contents {
  const database = new DatabaseSync(path);
  database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  const names = database
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    .all();
  const tables = Object.fromEntries(
    names.map(({ name }) => [String(name), rowsOf(database, String(name))]),
  );
  database.close();
  return { tables, bytes: statSync(path).size };
}

const INDEXES = `SELECT count(*) AS beside FROM pragma_index_list(:name) AS i
  WHERE NOT partial AND NOT (origin = 'pk' AND (SELECT wr FROM pragma_table_list WHERE name = :name))`;

/** Each row once, and once more for each whole index beside the table's own. */
function rowsOf(database: DatabaseSync, name: string): number {
  const rows = database.prepare(`SELECT count(*) AS rows FROM "${name}"`).get()?.rows;
  const beside = database.prepare(INDEXES).get({ ":name": name })?.beside;
  return Number(rows) * (1 + Number(beside));
}
