/** The record migration through every crash, on a D1 that is node:sqlite behind the same queries. */
import { expect, test } from "vitest";
import { initialStatus } from "../../src/core/activity-status.ts";
import { explore, type Scene } from "../../src/testing/explore.ts";
import { migrateRecords, PAGE_RECORDS } from "../../src/workflows/migrate-records.ts";
import { createDatabase } from "../workflows/d1.ts";
import { insertMany } from "../workflows/legacy.ts";

const RECORDS = 2 * PAGE_RECORDS + 17;

function scene(): Scene {
  const { sqlite, d1 } = createDatabase();
  insertMany(sqlite, RECORDS);
  const rows = (sql: string) => sqlite.prepare(sql).all();
  return {
    env: { DB: d1 },
    observe: () => ({
      places: rows("SELECT * FROM places ORDER BY city_id"),
      pages: rows("SELECT * FROM reconciled_pages ORDER BY run_key, through_id"),
      reports: rows("SELECT run_key, pages, records, checksum FROM migration_reports"),
    }),
  };
}

test("the record migration ends the same, to the last row, whatever it is lost at", async () => {
  const input = initialStatus("ActivityOne", Date.UTC(2026, 0, 1));
  const found = await explore(migrateRecords, input, {
    scene,
    compare: ({ lastUpdated: _, ...status }) => status,
  });
  expect(found.failures, found.report).toEqual([]);
  // Three stages of three pages: each checkpoint's commit, each attempt's ends, each answer of D1.
  expect(found.points).toBe(58);
  console.info(found.report);
}, 60_000);
