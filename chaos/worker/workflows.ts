/** Workflows whose every step has an effect in the ledger, for shapes that no workflow of the gallery has. */
import { ActivityFailedError, type ActivityStatus, activity, workflow } from "../../src/index.ts";
import {
  type ChainInput,
  type FanOutInput,
  type RetriesInput,
  type RoundsInput,
  STAGE_FLAKY,
  STAGE_NAMES,
  STAGE_RECORDS,
  type TimersInput,
} from "../job.ts";
import { PATIENT, report, type Told, tell } from "./ledger-client.ts";

/** One step after the other; each tells what the one before it was given. */
export const chain = workflow("Chain", async (ctx, { steps, flaky }: ChainInput) => {
  let previous: string | null = null;
  for (let step = 0; step < steps; step++) {
    const told: Told = { value: { step, previous }, flaky };
    previous = await ctx.call(tell, told, { key: String(step) });
  }
  return previous;
});

/** Many at a time, and then one that tells of all. */
export const fanOut = workflow("FanOut", async (ctx, input: FanOutInput) => {
  const { items, concurrency, flaky } = input;
  const receipts = await ctx.map(
    Array.from({ length: items }, (_, item) => item),
    (item, step) => ctx.call(tell, { value: { item }, flaky }, step),
    { concurrency, key: (item) => String(item) },
  );
  await ctx.call(tell, { value: { receipts }, flaky }, { key: "all" });
  return receipts;
});

/** Steps that fail again and again, and one that is refused for good, which the code deals with. */
export const retries = workflow("Retries", async (ctx, { steps, flaky }: RetriesInput) => {
  const receipts: string[] = [];
  for (let step = 0; step < steps; step++) {
    receipts.push(await ctx.call(tell, { value: { step }, flaky }, { key: String(step) }));
  }
  try {
    await ctx.call(tell, { value: "no", refuse: 422 }, { key: "refused" });
  } catch (error) {
    if (!(error instanceof ActivityFailedError)) throw error;
    receipts.push(await ctx.call(tell, { value: "sorry", flaky }, { key: "sorry" }));
  }
  return receipts;
});

/** Effects with sleeps between them. */
export const timers = workflow("Timers", async (ctx, { sleeps }: TimersInput) => {
  let previous = await ctx.call(tell, { value: null }, { key: "0" });
  for (const [index, millis] of sleeps.entries()) {
    await ctx.sleep(millis);
    previous = await ctx.call(tell, { value: { previous } }, { key: String(index + 1) });
  }
  return previous;
});

/** Rounds: each takes one event and tells of it. Events that come early go along. */
export const rounds = workflow("Rounds", async (ctx, input: RoundsInput) => {
  const { round, rounds: wanted, flaky } = input;
  const token = await ctx.waitForEvent<number>("token");
  const told = { value: { round, token }, flaky };
  const receipts = [...input.receipts, await ctx.call(tell, told, { key: String(round) })];
  if (round === wanted) return receipts;
  return ctx.continueAsNew({ ...input, round: round + 1, receipts });
});

/** A stage: an effect for each record, and a checkpoint after it. */
const stage = (name: string) =>
  activity(name, { retry: PATIENT }, async (_status: ActivityStatus, ctx) => {
    const done = Number(ctx.status.lastProcessedId);
    for (let id = Number.isNaN(done) ? 1 : done + 1; id <= STAGE_RECORDS; id++) {
      const names = { what: `${name}/${id}`, key: `${ctx.idempotencyKey}/${id}` };
      await report({ value: { id }, flaky: STAGE_FLAKY }, ctx, names);
      await ctx.checkpoint(id, { done: id, total: STAGE_RECORDS });
    }
    return ctx.status;
  });

const [one, two, three] = [stage(STAGE_NAMES[0]), stage(STAGE_NAMES[1]), stage(STAGE_NAMES[2])];

/** The resilient workflow. */
export const stages = workflow(
  "Stages",
  { stages: [one, two, three] },
  async (ctx, status: ActivityStatus) => {
    const first = await ctx.call(one, status);
    const second = await ctx.call(two, first);
    return ctx.call(three, second);
  },
);
