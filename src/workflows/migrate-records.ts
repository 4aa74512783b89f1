/**
 * The record migration: the resilient workflow that Waymark is made for. Three activities pass an
 * ActivityStatus along; each goes through the records in the order of their ids, page by page, and
 * resumes after `lastProcessedId`, whatever happened to the attempt before it.
 *
 * - Each page is idempotent, and its checkpoint follows it: a crash between the two repeats one page,
 *   which changes nothing.
 * - Progress counts from the start of the table, also after a resume.
 */
import { type ActivityContext, activity } from "../core/activity.ts";
import type { ActivityStatus } from "../core/activity-status.ts";
import { workflow } from "../core/workflow.ts";
import { enrich } from "./enrich.ts";
import {
  copyPage,
  countRecords,
  enrichPage,
  type Page,
  type PlacesTable,
  readPage,
} from "./places.ts";
import { reconcilePage, reportRun } from "./reconcile.ts";
import { forgetPagesAfter } from "./reports.ts";
import { recordIdOf, storedStatusSchema } from "./stored-status.ts";

/**
 * Records in a page: small enough that a crash repeats little and people see it move, large enough
 * that a checkpoint is seldom. A page costs at most two requests to D1, which answers 1000 to one
 * invocation: it is the engine's budget of checkpoints that ends a turn in time.
 */
export const PAGE_RECORDS = 250;

const retry = { maxAttempts: 5, firstInterval: "1 second", backoff: 2 } as const;

/** Copies the legacy records into the target. */
export const activityOne = activity(
  "ActivityOne",
  { retry },
  async (_status: ActivityStatus, ctx): Promise<ActivityStatus> => {
    const { DB } = ctx.env;
    await eachPage(ctx, "legacy_places", (afterId) => copyPage(DB, afterId, PAGE_RECORDS));
    return ctx.status;
  },
);

/** Normalises and enriches the copied records. */
export const activityTwo = activity(
  "ActivityTwo",
  { retry },
  async (_status: ActivityStatus, ctx): Promise<ActivityStatus> => {
    const { DB } = ctx.env;
    await eachPage(ctx, "places", async (afterId) => {
      const places = await readPage(DB, afterId, PAGE_RECORDS);
      const found = places.map((place) => ({ place, found: enrich(place) }));
      if (found.length > 0) await enrichPage(DB, found);
      return boundsOf(places);
    });
    return ctx.status;
  },
);

/** Compares source and target, page by page, and writes the report. */
export const activityThree = activity(
  "ActivityThree",
  { retry },
  async (_status: ActivityStatus, ctx): Promise<ActivityStatus> => {
    const { DB } = ctx.env;
    const runKey = ctx.idempotencyKey;
    await forgetPagesAfter(DB, runKey, recordIdOf(ctx.status.lastProcessedId));
    await eachPage(ctx, "legacy_places", async (afterId) =>
      boundsOf(await reconcilePage(DB, runKey, afterId, PAGE_RECORDS)),
    );
    const { instanceId, executionId } = ctx;
    const report = await reportRun(DB, { runKey, instanceId, executionId });
    const { records, sourceCount, targetCount, checksum } = report;
    ctx.log("reconciled", { records, sourceCount, targetCount, checksum });
    return ctx.status;
  },
);

const stages = [activityOne, activityTwo, activityThree];

/**
 * Moves all records. Start it without input, or with a stored ActivityStatus to go on from there.
 * When a stage fails for good the instance is Failed with the reason, and its status says how far it
 * came: once the cause is gone, a new instance started from that status does the rest.
 */
export const migrateRecords = workflow(
  "MigrateRecords",
  { stages, input: storedStatusSchema(stages.map(({ name }) => name)) },
  async (ctx, input: ActivityStatus): Promise<ActivityStatus> => {
    try {
      const copied = await ctx.call(activityOne, input);
      const enriched = await ctx.call(activityTwo, copied);
      return await ctx.call(activityThree, enriched);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      ctx.log("the migration failed", { reason });
      throw error;
    }
  },
);

/** Works through a table's pages after the last checkpoint, and notes each one that is done. */
async function eachPage(
  ctx: ActivityContext,
  table: PlacesTable,
  work: (afterId: number) => Promise<Page | null>,
): Promise<void> {
  const after = ctx.status.lastProcessedId;
  let afterId = recordIdOf(after);
  let { done, total } = await countRecords(ctx.env.DB, table, afterId);
  for (let first = true; ; first = false) {
    const page = await work(afterId);
    if (page === null) return;
    const { firstId, lastId, records } = page;
    if (first) ctx.log("first page", { after, firstId, lastId, done, total });
    afterId = lastId;
    done += records;
    total = Math.max(total, done); // records may be added while the stage runs
    await ctx.checkpoint(lastId, { done, total });
  }
}

function boundsOf(places: readonly { readonly city_id: number }[]): Page | null {
  const first = places[0];
  const last = places.at(-1);
  if (first === undefined || last === undefined) return null;
  return { firstId: first.city_id, lastId: last.city_id, records: places.length };
}
