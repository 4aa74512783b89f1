/** Legacy records for tests: few, but with what real ones are known for. */
import type { DatabaseSync } from "node:sqlite";
import { COPIED_COLUMNS, type PlaceRow } from "../../src/workflows/places.ts";

const NAMES = [
  "Łódź",
  "Sant Julià de Lòria",
  "Muzayri‘",
  "L'Aquila",
  "東京",
  "Москва",
  "Ísafjörður",
];

/** A place with an id; what is not given is plausible. */
export function place(cityId: number, given: Partial<PlaceRow> = {}): PlaceRow {
  return {
    city_id: cityId,
    name: NAMES[cityId % NAMES.length] ?? "",
    alt_name: "",
    country: "AD",
    feature_code: "PPL",
    admin_code: "02",
    muni: "",
    muni_sub: "",
    population: cityId,
    coordinates: `${(cityId % 180) - 89.5},${(cityId % 360) - 179.25}`,
    ...given,
  };
}

/** Adds records to the legacy table. */
export function insertLegacy(sqlite: DatabaseSync, places: readonly PlaceRow[]): void {
  const marks = COPIED_COLUMNS.map(() => "?").join(", ");
  const insert = sqlite.prepare(`INSERT INTO legacy_places VALUES (${marks})`);
  for (const row of places) insert.run(...COPIED_COLUMNS.map((column) => row[column]));
}

/** Adds `count` records with gaps between their ids, as real ones have. */
export function insertMany(sqlite: DatabaseSync, count: number): void {
  insertLegacy(
    sqlite,
    Array.from({ length: count }, (_, index) => place(index * 3 + 7)),
  );
}
