/** The workflows under measurement. */
import { activity, workflow } from "../../src/index.ts";

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

const wait = activity("Wait", (millis: number) => scheduler.wait(millis));

export const waits = workflow("Waits", async (ctx, input: { steps: number; millis: number }) => {
  for (let step = 0; step < input.steps; step++) await ctx.call(wait, input.millis);
});

/**
 * A history of activities, timers, waits and inline steps, and then a fetch after each event: all that a
 * restart must replay before it goes on.
 */
export const laps = workflow("Laps", async (ctx, input: { steps: number; url: string }) => {
  for (let step = 0; step < input.steps; step++) {
    if (step % 4 === 1) await ctx.sleep(0);
    else if (step % 4 === 2) await ctx.waitForEvent("none", { timeout: 0 }).catch(() => {});
    else if (step % 4 === 3) await ctx.run("inline", () => step);
    else await ctx.call(noop);
  }
  for (;;) {
    await ctx.call(read, input.url);
    await ctx.waitForEvent("lap");
  }
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
