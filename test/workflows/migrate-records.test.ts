import type { DatabaseSync } from "node:sqlite";
import { beforeEach, describe, expect, test } from "vitest";
import { initialStatus } from "../../src/core/activity-status.ts";
import { NonRetryableError } from "../../src/core/failure.ts";
import { jsonSchemaOf, parseWith } from "../../src/core/schema.ts";
import type { StageActivity } from "../../src/core/workflow.ts";
import { enrich } from "../../src/workflows/enrich.ts";
import {
  activityOne,
  activityThree,
  activityTwo,
  migrateRecords,
  PAGE_RECORDS,
} from "../../src/workflows/migrate-records.ts";
import { enrichPage, readPage } from "../../src/workflows/places.ts";
import { createDatabase, type TestDatabase } from "./d1.ts";
import { insertLegacy, insertMany, place } from "./legacy.ts";
import { attempt, attemptUntilDone, Died } from "./stage.ts";

const STAGES: readonly StageActivity[] = [activityOne, activityTwo, activityThree];
const RECORDS = 3 * PAGE_RECORDS + 17;

let database: TestDatabase;
let sqlite: DatabaseSync;
let db: D1Database;

beforeEach(() => {
  database = createDatabase();
  ({ sqlite, d1: db } = database);
});

const rows = (sql: string) => sqlite.prepare(sql).all();
const dump = () => ({
  places: rows("SELECT * FROM places ORDER BY city_id"),
  pages: rows("SELECT * FROM reconciled_pages ORDER BY run_key, through_id"),
  reports: rows("SELECT run_key, pages, records, checksum FROM migration_reports"),
});

/** The stages before `stage`, from the start. */
async function runBefore(stage: StageActivity): Promise<void> {
  for (const earlier of STAGES.slice(0, STAGES.indexOf(stage))) await attempt(earlier, { db });
}

describe.each(STAGES)("$name", (stage) => {
  test("does every record in order, a checkpoint a page", async () => {
    insertMany(sqlite, RECORDS);
    await runBefore(stage);
    const { error, checkpoints, status } = await attempt(stage, { db });
    expect(error).toBeNull();
    expect(checkpoints.map(({ progress }) => progress)).toEqual([
      { done: PAGE_RECORDS, total: RECORDS },
      { done: 2 * PAGE_RECORDS, total: RECORDS },
      { done: 3 * PAGE_RECORDS, total: RECORDS },
      { done: RECORDS, total: RECORDS },
    ]);
    expect(status.lastProcessedId).toBe(String((RECORDS - 1) * 3 + 7));
  });

  test.each([true, false])(
    "resumes after each checkpoint; the one it dies at is durable: %s",
    async (durable) => {
      insertMany(sqlite, RECORDS);
      await runBefore(stage);
      await attempt(stage, { db, runKey: "whole" });
      const whole = dump();
      sqlite.exec("DELETE FROM reconciled_pages; DELETE FROM migration_reports");
      if (stage === activityOne) sqlite.exec("DELETE FROM places");
      if (stage === activityTwo) sqlite.exec("UPDATE places SET geohash = NULL");
      const dieAt = durable ? 1 : 2; // an attempt that keeps nothing would never come to an end
      const attempts = await attemptUntilDone(stage, { db, dieAt, durable, runKey: "whole" });
      expect(attempts.length).toBeGreaterThan(3);
      expect(dump()).toEqual(whole);
      const last = attempts.at(-1);
      expect(last?.error).toBeNull();
      expect(
        attempts.flatMap(({ checkpoints }) => checkpoints.at(-1)?.progress ?? []),
      ).toContainEqual({ done: RECORDS, total: RECORDS });
    },
  );

  test("starts strictly after lastProcessedId, and says so", async () => {
    insertMany(sqlite, RECORDS);
    await runBefore(stage);
    const after = String(400 * 3 + 7); // in the middle of a page, as a stored status may be
    const { logs, checkpoints } = await attempt(stage, { db, after });
    const counted = { done: 401, total: RECORDS };
    const firstId = 401 * 3 + 7;
    expect(logs[0]).toMatchObject({ message: "first page", after, firstId, ...counted });
    expect(checkpoints.at(-1)?.progress).toEqual({ done: RECORDS, total: RECORDS });
  });

  test("changes nothing when it runs again", async () => {
    insertMany(sqlite, RECORDS);
    await runBefore(stage);
    await attempt(stage, { db });
    const once = dump();
    const { changes: before } = sqlite.prepare("SELECT total_changes() AS changes").get() ?? {};
    const again = await attempt(stage, { db });
    expect(again.error).toBeNull();
    expect(dump()).toEqual(once);
    const { changes: after } = sqlite.prepare("SELECT total_changes() AS changes").get() ?? {};
    // Stage three writes its notes and its report anew; the places are not touched at all.
    const notes = stage === activityThree ? 2 * once.pages.length + 1 : 0;
    expect(Number(after) - Number(before)).toBe(notes);
  });

  test("does nothing to an empty table", async () => {
    const { error, checkpoints, status } = await attempt(stage, { db });
    expect(error).toBeNull();
    expect(checkpoints).toEqual([]);
    expect(status.lastProcessedId).toBe("initialId");
  });

  test.each(["", "abc", "-1", "1.5", "99999999999999999999"])(
    "refuses to go on after %j for good",
    async (after) => {
      const { error } = await attempt(stage, { db, after });
      expect(error).toBeInstanceOf(NonRetryableError);
    },
  );
});

describe("the stages together", () => {
  test("stay below the queries D1 answers to one invocation, per record", async () => {
    insertMany(sqlite, 10 * PAGE_RECORDS);
    for (const stage of STAGES) await attempt(stage, { db });
    expect(database.queries() / 10).toBeLessThan(10);
  });

  test("bring every name over unchanged, whatever its script", async () => {
    const names = [
      "Ísafjörður",
      "東京",
      "Lo\u0301dz",
      'O\'Brien "x"',
      "𝔘𝔫𝔦",
      " two  spaces ",
      "\\n",
    ];
    const places = names.map((name, index) => place(index + 1, { name }));
    insertLegacy(sqlite, places);
    for (const stage of STAGES) expect((await attempt(stage, { db })).error).toBeNull();
    expect(rows("SELECT name FROM places ORDER BY city_id")).toEqual(
      names.map((name) => ({ name })),
    );
    expect(rows("SELECT display_name AS name FROM places WHERE city_id = 3")).toEqual([
      { name: "L\u00f3dz" },
    ]);
  });

  test("take over a change in the source, and enrich it again", async () => {
    insertMany(sqlite, 10);
    for (const stage of STAGES) await attempt(stage, { db });
    sqlite.exec("UPDATE legacy_places SET name = 'Núñez' WHERE city_id = 13");
    await attempt(activityOne, { db });
    const early = await attempt(activityThree, { db, runKey: "early" });
    expect(String(early.error)).toContain("id 13 was copied, but not enriched");
    await attempt(activityTwo, { db });
    expect((await attempt(activityThree, { db })).error).toBeNull();
    expect(rows("SELECT search_name AS name FROM places WHERE city_id = 13")).toEqual([
      { name: "nunez" },
    ]);
  });

  test("leave a record alone that another migration has copied anew meanwhile", async () => {
    insertMany(sqlite, 3);
    await attempt(activityOne, { db });
    const [stale] = await readPage(db, 0, 1);
    if (stale === undefined) throw new Error("nothing was copied");
    sqlite.exec(`UPDATE legacy_places SET coordinates = '1,2' WHERE city_id = ${stale.city_id}`);
    await attempt(activityOne, { db });
    await enrichPage(db, [{ place: stale, found: enrich(stale) }]);
    const { error } = await attempt(activityThree, { db });
    expect(String(error)).toContain(`id ${stale.city_id} was copied, but not enriched`);
  });
});

describe("the reconciliation", () => {
  beforeEach(async () => {
    insertMany(sqlite, RECORDS);
    await runBefore(activityThree);
  });

  test("reports counts and a checksum that an interruption does not change", async () => {
    await attempt(activityThree, { db, runKey: "a" });
    await attemptUntilDone(activityThree, { db, runKey: "b", dieAt: 1, durable: true });
    const [a, b] = rows(
      "SELECT pages, records, checksum, source_count, target_count FROM migration_reports",
    );
    expect(a).toMatchObject({ pages: 4, records: RECORDS, source_count: RECORDS });
    expect(a).toMatchObject({ target_count: RECORDS });
    expect(b).toEqual(a);
  });

  test.each([
    ["a changed record", "UPDATE places SET population = population + 1 WHERE city_id = 1006"],
    ["a changed mark", "UPDATE places SET name = name || char(769) WHERE city_id = 1006"],
    ["a missing record", "DELETE FROM places WHERE city_id = 1006"],
    [
      "a record too many",
      `INSERT INTO places SELECT 1005, name, alt_name, country, feature_code, admin_code, muni,
         muni_sub, population, coordinates, '', '', '', '', 0, 0, '' FROM places WHERE city_id = 7`,
    ],
  ])("finds %s, and names the range of ids", async (_what, change) => {
    sqlite.exec(change);
    const { error, status } = await attempt(activityThree, { db });
    expect(error).toBeInstanceOf(NonRetryableError);
    expect(String(error)).toContain("between ids 755 and 1504");
    expect(String(error)).toMatch(/first difference about id 100[56]$/);
    expect(status.lastProcessedId).toBe("754");
    expect(rows("SELECT * FROM migration_reports")).toEqual([]);
  });

  test("finds records behind the source's last one", async () => {
    sqlite.exec("DELETE FROM legacy_places WHERE city_id > 2250");
    const { error } = await attempt(activityThree, { db });
    expect(error).toBeInstanceOf(NonRetryableError);
    expect(String(error)).toContain("look after id 2248");
  });

  test("goes on from the status it failed with, once the cause is gone", async () => {
    sqlite.exec("UPDATE places SET country = 'XX' WHERE city_id = 1006");
    const failed = await attempt(activityThree, { db });
    sqlite.exec("UPDATE places SET country = 'AD' WHERE city_id = 1006");
    const after = failed.status.lastProcessedId;
    const { error, logs } = await attempt(activityThree, { db, after, runKey: "second" });
    expect(error).toBeNull();
    expect(logs.at(-1)).toMatchObject({ message: "reconciled", records: RECORDS - PAGE_RECORDS });
  });
});

describe("the input of a migration", () => {
  const schema = migrateRecords.options.input;
  if (schema === undefined) throw new Error("the workflow has no schema");
  const status = initialStatus("ActivityOne", 0);

  test("is any status a stage of it may have", async () => {
    for (const stage of STAGES) {
      const stored = { ...initialStatus(stage.name, 0), lastProcessedId: "3041563" };
      await expect(parseWith(schema, stored)).resolves.toEqual(stored);
    }
    await expect(parseWith(schema, status)).resolves.toEqual(status);
  });

  test.each([
    ["text", "ActivityTwo"],
    ["another stage", { ...status, processingStage: "ActivityFour" }],
    ["another status", { ...status, processingStatus: "Running" }],
    ["an id that is none", { ...status, lastProcessedId: "abc" }],
    ["a time that is none", { ...status, lastUpdated: "yesterday" }],
  ])("is not %s", async (_what, input) => {
    await expect(parseWith(schema, input)).rejects.toMatchObject({ code: "INPUT_INVALID" });
  });

  test("is described as JSON Schema", () => {
    expect(jsonSchemaOf(schema)).toMatchObject({ type: "object" });
  });
});

test("an attempt of the test kit dies where it is told to", async () => {
  insertMany(sqlite, RECORDS);
  const { error, checkpoints } = await attempt(activityOne, { db, dieAt: 2 });
  expect(error).toBeInstanceOf(Died);
  expect(checkpoints).toHaveLength(1);
});
