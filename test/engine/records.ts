/** An activity that goes through records with a checkpoint after each, as engine tests need it. */
import type { ActivityContext } from "../../src/core/activity.ts";

/** Never settles: what is left of an activity whose object is gone. */
export const NEVER = new Promise<never>(() => {});

/** One visit of a record. */
export interface Visit {
  readonly record: number;
  readonly attempt: number;
}

/** Visits the records after the last checkpoint up to `last`, each with a checkpoint of its own. */
export async function eachRecord(
  ctx: ActivityContext,
  last: number,
  visit: (record: number) => unknown,
): Promise<void> {
  const after = ctx.status.lastProcessedId;
  for (let record = after === "initialId" ? 1 : Number(after) + 1; record <= last; record++) {
    await visit(record);
    await ctx.checkpoint(record, { done: record, total: last });
  }
}

/** 1, 2, ... up to `last`. */
export const upTo = (last: number): number[] =>
  Array.from({ length: last }, (_, index) => index + 1);
