/** The workflows under measurement. */
import { activity, workflow } from "../../src/index.ts";
import { type LapsJob, markUrl, type NapJob, wokenUrl } from "../job.ts";

const noop = activity("Noop", () => {});

export const chain = workflow("Chain", async (ctx, steps: number) => {
  for (let step = 0; step < steps; step++) await ctx.call(noop);
});

export const fanOut = workflow("FanOut", async (ctx, steps: number) => {
  await Promise.all(Array.from({ length: steps }, () => ctx.call(noop)));
});

const read = activity("Read", async (url: string) => (await fetch(url)).text());

export const fetches = workflow("Fetches", async (ctx, input: { steps: number; url: string }) => {
  for (let step = 0; step < input.steps; step++) await ctx.call(read, input.url);
});

interface SlowInput {
  readonly steps: number;
  readonly url: string;
  readonly millis: number;
}

const readLater = activity("ReadLater", async ({ url, millis }: SlowInput) => {
  await scheduler.wait(millis);
  return (await fetch(url)).text();
});

export const slowFetches = workflow("SlowFetches", async (ctx, input: SlowInput) => {
  for (let step = 0; step < input.steps; step++) await ctx.call(readLater, input);
});

const wait = activity("Wait", (millis: number) => scheduler.wait(millis));

export const waits = workflow("Waits", async (ctx, input: { steps: number; millis: number }) => {
  for (let step = 0; step < input.steps; step++) await ctx.call(wait, input.millis);
});

interface MarksInput {
  readonly steps: number;
  readonly url: string;
  readonly marks: readonly number[];
}

export const marks = workflow("Marks", async (ctx, { steps, url, marks }: MarksInput) => {
  for (let step = 0; step < steps; step++) {
    if (marks.includes(step)) await ctx.call(read, markUrl(url, step));
    else await ctx.call(noop);
  }
});

/**
 * A history, of activities alone or of activities, timers, waits and inline steps, and then a fetch after each
 * event: all that a restart must replay before it goes on.
 */
export const laps = workflow("Laps", async (ctx, { steps, url, mixed = false }: LapsJob) => {
  for (let step = 0; step < steps; step++) {
    const kind = mixed ? step % 4 : 0;
    if (kind === 1) await ctx.sleep(0);
    else if (kind === 2) await ctx.waitForEvent("none", { timeout: 0 }).catch(() => {});
    else if (kind === 3) await ctx.run("inline", () => step);
    else await ctx.call(noop);
  }
  for (;;) {
    await ctx.call(read, url);
    await ctx.waitForEvent("lap");
  }
});

export const naps = workflow("Naps", async (ctx, { url, millis }: NapJob) => {
  await ctx.call(read, url);
  await ctx.sleep(millis);
  await ctx.call(read, wokenUrl(url));
});

const checkpoints = activity("Checkpoints", async (count: number, ctx) => {
  for (let id = 1; id <= count; id++) await ctx.checkpoint(id);
});

/** The kinds of step whose rows are counted beside the short one. */
export const checkpointed = workflow("Checkpointed", (ctx, count: number) =>
  ctx.call(checkpoints, count),
);

const flaky = activity("Flaky", { retry: { firstInterval: 50 } }, (failures: number, ctx) => {
  if (ctx.attempt <= failures) throw new Error(`attempt ${ctx.attempt} fails`);
});

export const retried = workflow("Retried", (ctx, failures: number) => ctx.call(flaky, failures));

export const sleeps = workflow("Sleeps", (ctx, millis: number) => ctx.sleep(millis));

export const collects = workflow("Collects", async (ctx, events: number) => {
  for (let taken = 0; taken < events; taken++) await ctx.waitForEvent("lap");
});
