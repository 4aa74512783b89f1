/** Prepares a local D1: the migrations, and real places in the legacy table. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { PlaceRow } from "../../src/workflows/places.ts";
import { applyMigrations, executeFile } from "../wrangler.ts";
import { insertStatements } from "./cities.ts";

/** Fills an empty legacy table; `folder` takes the SQL file. */
export async function loadPlaces(
  places: readonly PlaceRow[],
  folder: string,
  persistTo?: string,
): Promise<void> {
  const file = join(folder, "legacy-places.sql");
  await applyMigrations(persistTo);
  await writeFile(file, insertStatements(places).join("\n"));
  await executeFile(file, persistTo);
}
