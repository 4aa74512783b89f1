/**
 * Every SQL statement over the source and the target of the record migration, `legacy_places` and
 * `places` of `migrations/0001_places.sql`.
 *
 * Pages move set-wise, because of D1's limits: 100 bound parameters and 100 KB a statement, 1000
 * queries an invocation, 30 seconds a query. A page is found by id (`city_id > ? ORDER BY city_id
 * LIMIT ?`), so the last page costs what the first does. Each write is an upsert that leaves a row
 * alone which holds the same already: a repeated page changes nothing and costs no rows written.
 */

declare global {
  namespace Cloudflare {
    interface Env {
      DB: D1Database;
    }
  }
}

/** The columns both tables have: ActivityOne copies them, ActivityThree compares them. */
export const COPIED_COLUMNS = [
  "city_id",
  "name",
  "alt_name",
  "country",
  "feature_code",
  "admin_code",
  "muni",
  "muni_sub",
  "population",
  "coordinates",
] as const;

/** A record's copied columns. */
export type PlaceRow = { readonly [column in (typeof COPIED_COLUMNS)[number]]: string | number } & {
  readonly city_id: number;
  readonly name: string;
  readonly country: string;
  readonly population: number;
  readonly coordinates: string;
};

/** What ActivityTwo adds to a record. */
export interface Enrichment {
  readonly displayName: string;
  readonly searchName: string;
  readonly countryName: string;
  readonly populationBand: string;
  readonly latitude: number;
  readonly longitude: number;
  readonly geohash: string;
}

/** A run of records in the order of their ids. */
export interface Page {
  readonly firstId: number;
  readonly lastId: number;
  readonly records: number;
}

/** A target row as it is compared: whether ActivityTwo has been there is part of it. */
export type TargetRow = PlaceRow & { readonly enriched: 0 | 1 };

export interface Sides {
  readonly source: readonly PlaceRow[];
  readonly target: readonly TargetRow[];
}

export type PlacesTable = "legacy_places" | "places";

const COLUMNS = COPIED_COLUMNS.join(", ");
const ENRICHED_COLUMNS =
  "display_name, search_name, country_name, population_band, latitude, longitude, geohash";

/** How many records a table has, and how many of them up to an id. One scan, for once per attempt. */
export async function countRecords(
  db: D1Database,
  table: PlacesTable,
  throughId: number,
): Promise<{ done: number; total: number }> {
  const counted = await db
    .prepare(
      `SELECT count(*) AS total, count(*) FILTER (WHERE city_id <= ?1) AS done FROM ${table}`,
    )
    .bind(throughId)
    .first<{ done: number; total: number }>();
  return counted ?? { done: 0, total: 0 };
}

// A record that changed has to be enriched again: without its geohash it counts as not enriched.
const COPY_PAGE = `
  INSERT INTO places (${COLUMNS})
  SELECT ${COLUMNS} FROM legacy_places WHERE city_id > ?1 ORDER BY city_id LIMIT ?2
  ON CONFLICT (city_id) DO UPDATE SET
    (${COLUMNS}, geohash) = (${COPIED_COLUMNS.map((column) => `excluded.${column}`).join(", ")}, NULL)
  WHERE (${COPIED_COLUMNS.map((column) => `places.${column}`).join(", ")})
    IS NOT (${COPIED_COLUMNS.map((column) => `excluded.${column}`).join(", ")})`;

const PAGE_BOUNDS = `
  SELECT min(city_id) AS firstId, max(city_id) AS lastId, count(*) AS records
  FROM (SELECT city_id FROM legacy_places WHERE city_id > ?1 ORDER BY city_id LIMIT ?2)`;

/** Copies the page after an id from source to target; null where there is none. */
export async function copyPage(
  db: D1Database,
  afterId: number,
  limit: number,
): Promise<Page | null> {
  // A batch is one transaction, so both statements see the same page.
  const [, bounds] = await db.batch<Page>([
    db.prepare(COPY_PAGE).bind(afterId, limit),
    db.prepare(PAGE_BOUNDS).bind(afterId, limit),
  ]);
  const page = bounds?.results[0];
  return page === undefined || page.records === 0 ? null : page;
}

/** The target's page after an id. */
export async function readPage(
  db: D1Database,
  afterId: number,
  limit: number,
): Promise<readonly PlaceRow[]> {
  const page = await db
    .prepare(`SELECT ${COLUMNS} FROM places WHERE city_id > ?1 ORDER BY city_id LIMIT ?2`)
    .bind(afterId, limit)
    .all<PlaceRow>();
  return page.results;
}

// A record that another migration has copied anew meanwhile is left to that one.
const ENRICH_PAGE = `
  UPDATE places SET (${ENRICHED_COLUMNS}) = (
    given.value ->> 1, given.value ->> 2, given.value ->> 3, given.value ->> 4,
    given.value ->> 5, given.value ->> 6, given.value ->> 7)
  FROM json_each(?1) AS given
  WHERE places.city_id = given.value ->> 0
    AND (name, country, population, coordinates) IS (
      given.value ->> 8, given.value ->> 9, given.value ->> 10, given.value ->> 11)
    AND (${ENRICHED_COLUMNS}) IS NOT (
      given.value ->> 1, given.value ->> 2, given.value ->> 3, given.value ->> 4,
      given.value ->> 5, given.value ->> 6, given.value ->> 7)`;

/** Writes what was found out about a page's records; the page travels as one JSON parameter. */
export async function enrichPage(
  db: D1Database,
  page: readonly { readonly place: PlaceRow; readonly found: Enrichment }[],
): Promise<void> {
  const rows = page.map(({ place, found }) => [
    place.city_id,
    found.displayName,
    found.searchName,
    found.countryName,
    found.populationBand,
    found.latitude,
    found.longitude,
    found.geohash,
    place.name,
    place.country,
    place.population,
    place.coordinates,
  ]);
  await db.prepare(ENRICH_PAGE).bind(JSON.stringify(rows)).run();
}

const SOURCE_PAGE = `
  SELECT ${COLUMNS} FROM legacy_places WHERE city_id > ?1 ORDER BY city_id LIMIT ?2`;

// All the target has in the range of the source's page. One row above the page's size is enough to
// know that there are too many.
const TARGET_RANGE = `
  SELECT ${COLUMNS}, geohash IS NOT NULL AS enriched FROM places
  WHERE city_id > ?1 AND city_id <= (
    SELECT max(city_id)
    FROM (SELECT city_id FROM legacy_places WHERE city_id > ?1 ORDER BY city_id LIMIT ?2))
  ORDER BY city_id LIMIT ?2 + 1`;

/** The source's page after an id, and what the target has in the same range of ids. */
export async function readSides(db: D1Database, afterId: number, limit: number): Promise<Sides> {
  // A batch is one transaction: nothing changes between the two reads.
  const [source, target] = await db.batch([
    db.prepare(SOURCE_PAGE).bind(afterId, limit),
    db.prepare(TARGET_RANGE).bind(afterId, limit),
  ]);
  return {
    source: (source?.results ?? []) as PlaceRow[],
    target: (target?.results ?? []) as TargetRow[],
  };
}
