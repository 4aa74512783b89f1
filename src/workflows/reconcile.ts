/** ActivityThree's work: are source and target the same, record by record? */
import { NonRetryableError } from "../core/failure.ts";
import { COPIED_COLUMNS, countRecords, type PlaceRow, readSides, type Sides } from "./places.ts";
import { notePage, type Report, readNotes, writeReport } from "./reports.ts";

/** Whose report it is. */
export type Run = Pick<Report, "runKey" | "instanceId" | "executionId">;

/**
 * Compares the page after an id on both sides by count and checksum, and notes it.
 *
 * @returns the source's page; empty where there is none
 * @throws NonRetryableError with the range of ids where they differ: only a new copy can mend it
 */
export async function reconcilePage(
  db: D1Database,
  runKey: string,
  afterId: number,
  limit: number,
): Promise<readonly PlaceRow[]> {
  const sides = await readSides(db, afterId, limit);
  const { source, target } = sides;
  const last = source.at(-1);
  if (last === undefined) return source;
  const checksum = await checksumOf(source);
  const same = target.length === source.length && (await checksumOf(target)) === checksum;
  if (!same) throw mismatch(afterId, sides);
  const bare = target.find(({ enriched }) => enriched === 0);
  if (bare !== undefined) {
    throw new NonRetryableError(`the record with id ${bare.city_id} was copied, but not enriched`);
  }
  await notePage(db, runKey, { throughId: last.city_id, records: source.length, checksum });
  return source;
}

/**
 * Sums up the pages a run has compared, and writes its report.
 *
 * @throws NonRetryableError where the target has records the source has not
 */
export async function reportRun(db: D1Database, run: Run): Promise<Report> {
  const notes = await readNotes(db, run.runKey);
  const { total: sourceCount } = await countRecords(db, "legacy_places", 0);
  const { total: targetCount } = await countRecords(db, "places", 0);
  if (sourceCount !== targetCount) {
    // Every page of the source fits, so what is too many lies behind the last one.
    throw new NonRetryableError(
      `the source has ${sourceCount} records, the target ${targetCount}; ` +
        `look after id ${notes.at(-1)?.throughId ?? 0}`,
    );
  }
  const report: Report = {
    ...run,
    pages: notes.length,
    records: notes.reduce((sum, { records }) => sum + records, 0),
    checksum: await sha256(notes.map(({ checksum }) => checksum).join("\n")),
    sourceCount,
    targetCount,
    reportedAt: new Date().toISOString(),
  };
  await writeReport(db, report);
  return report;
}

function mismatch(afterId: number, { source, target }: Sides): NonRetryableError {
  const lastId = source.at(-1)?.city_id;
  const index = source.findIndex((row, at) => {
    const other = target[at];
    return other === undefined || contentOf(row) !== contentOf(other);
  });
  const first = index === -1 ? target[source.length] : source[index];
  return new NonRetryableError(
    `source and target differ between ids ${afterId + 1} and ${lastId}: ` +
      `${source.length} and ${target.length} records, the first difference about id ${first?.city_id}`,
  );
}

/** The checksum of a page's content, from the rows as one side has them. */
const checksumOf = (rows: readonly PlaceRow[]): Promise<string> =>
  sha256(rows.map(contentOf).join("\n"));

const contentOf = (row: PlaceRow): string =>
  JSON.stringify(COPIED_COLUMNS.map((column) => row[column]));

async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  const bytes = [...new Uint8Array(digest)];
  return bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
