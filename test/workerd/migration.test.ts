import { applyD1Migrations } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, expect, test, vi } from "vitest";
import type { HistoryPage } from "../../src/index.ts";
import { call, get, start, stubOf } from "./fixture/client.ts";
import { kill } from "./fixture/kill.ts";

const RECORDS = 10_000;

const insertLegacy = `INSERT INTO legacy_places
  WITH RECURSIVE id (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM id WHERE n < ${RECORDS})
  SELECT n * 3, ' Łódź  ' || n, '', 'PL', 'PPL', '74', '', '', n * 10, '51.75,19.46667' FROM id`;

beforeAll(async () => {
  const { DB, MIGRATIONS } = env as Cloudflare.Env & {
    MIGRATIONS: Parameters<typeof applyD1Migrations>[1];
  };
  await applyD1Migrations(DB, MIGRATIONS);
  await DB.exec(insertLegacy.replaceAll("\n", " "));
});

/** Reads the tables, not the instance: nothing here may wake it. */
const count = async (query: string): Promise<number> =>
  (await env.DB.prepare(`SELECT COUNT(*) AS n ${query}`).first<number>("n")) ?? 0;

/** Waits until a stage is in its middle, and kills every object there. */
async function killWhen(query: string): Promise<number> {
  let seen = 0;
  await vi.waitFor(
    async () => {
      seen = await count(query);
      expect(seen).toBeGreaterThan(0);
    },
    { timeout: 15_000, interval: 2 },
  );
  await kill(stubOf("migration"));
  return seen;
}

test("a migration killed in the middle of each activity arrives whole, with no request to it", async () => {
  await start("MigrateRecords", "migration");
  const killedAt = {
    one: await killWhen("FROM places"),
    two: await killWhen("FROM places WHERE geohash IS NOT NULL"),
    three: await killWhen("FROM reconciled_pages"),
  };
  expect(killedAt.one).toBeLessThan(RECORDS);
  expect(killedAt.two).toBeLessThan(RECORDS);
  expect(killedAt.three).toBeLessThan(RECORDS / 250);
  await vi.waitFor(async () => expect(await count("FROM migration_reports")).toBe(1), {
    timeout: 15_000,
    interval: 50,
  });

  const columns = "city_id, name, alt_name, country, feature_code, admin_code, population";
  const both = `SELECT ${columns} FROM legacy_places`;
  expect(await count(`FROM (${both} EXCEPT SELECT ${columns} FROM places)`)).toBe(0);
  expect(await count("FROM places")).toBe(RECORDS);
  expect(await count("FROM places WHERE search_name IS NULL")).toBe(0);

  expect(await get("migration", 10)).toMatchObject({
    status: "Completed",
    output: {
      lastProcessedId: String(RECORDS * 3),
      processingStatus: "Complete",
      processingStage: "ActivityThree",
    },
    progress: { done: RECORDS, total: RECORDS },
  });
  const page: HistoryPage = await (await call("/v1/instances/migration/history")).json();
  expect(page.items.map((item) => [item.step, item.state])).toEqual([
    ["ActivityOne", "done"],
    ["ActivityTwo", "done"],
    ["ActivityThree", "done"],
  ]);
}, 60_000);
