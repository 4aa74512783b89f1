/**
 * What ActivityThree writes down: the pages a run has compared, and its report. Every statement over
 * these two tables is here. All are upserts under the step's idempotency key (`runKey`), so that a
 * repeated page is noted once.
 */

/** What a page came to: its last id, its records, and the checksum both sides share. */
export interface ReconciledPage {
  readonly throughId: number;
  readonly records: number;
  readonly checksum: string;
}

/** A run's report. `records` are those this run compared; the counts are the whole tables'. */
export interface Report {
  readonly runKey: string;
  readonly instanceId: string;
  readonly executionId: string;
  readonly pages: number;
  readonly records: number;
  readonly checksum: string;
  readonly sourceCount: number;
  readonly targetCount: number;
  readonly reportedAt: string;
}

/** Drops notes beyond an id: pages that were compared, but not checkpointed, come again. */
export async function forgetPagesAfter(
  db: D1Database,
  runKey: string,
  afterId: number,
): Promise<void> {
  await db
    .prepare("DELETE FROM reconciled_pages WHERE run_key = ?1 AND through_id > ?2")
    .bind(runKey, afterId)
    .run();
}

/** Notes that a page is the same on both sides. */
export async function notePage(
  db: D1Database,
  runKey: string,
  page: ReconciledPage,
): Promise<void> {
  await db
    .prepare(
      `INSERT INTO reconciled_pages (run_key, through_id, records, checksum)
       VALUES (?1, ?2, ?3, ?4)
       ON CONFLICT (run_key, through_id) DO UPDATE SET
         (records, checksum) = (excluded.records, excluded.checksum)`,
    )
    .bind(runKey, page.throughId, page.records, page.checksum)
    .run();
}

/** The pages a run has compared, in the order of their ids. */
export async function readNotes(
  db: D1Database,
  runKey: string,
): Promise<readonly ReconciledPage[]> {
  const notes = await db
    .prepare(
      `SELECT through_id AS throughId, records, checksum FROM reconciled_pages
       WHERE run_key = ?1 ORDER BY through_id`,
    )
    .bind(runKey)
    .all<ReconciledPage>();
  return notes.results;
}

/** Writes a run's report, over an earlier one of the same run. */
export async function writeReport(db: D1Database, report: Report): Promise<void> {
  await db
    .prepare(
      `INSERT INTO migration_reports (run_key, instance_id, execution_id, pages, records, checksum,
         source_count, target_count, reported_at)
       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
       ON CONFLICT (run_key) DO UPDATE SET
         (pages, records, checksum, source_count, target_count, reported_at) =
           (excluded.pages, excluded.records, excluded.checksum, excluded.source_count,
            excluded.target_count, excluded.reported_at)`,
    )
    .bind(
      report.runKey,
      report.instanceId,
      report.executionId,
      report.pages,
      report.records,
      report.checksum,
      report.sourceCount,
      report.targetCount,
      report.reportedAt,
    )
    .run();
}
