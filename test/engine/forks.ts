/** What the tests of forks share. */
import { workflow } from "../../src/core/workflow.ts";
import type { Faults } from "../../src/testing/faults.ts";

/** Waits for an event behind so many steps, each with a result that differs. */
export const chain = workflow("Chain", async (ctx, steps: number) => {
  const drawn: string[] = [];
  for (let step = 0; step < steps; step++) {
    drawn.push(await ctx.run(`step ${step}`, () => ctx.uuid()));
  }
  const end = await ctx.waitForEvent<string>("end");
  return { drawn, end };
});

/** Each question of a fork takes so long; the source may change before it comes. */
export const slow: Faults = {
  message: (_object, what) => (what.endsWith("for a fork") ? { delayMillis: 10_000 } : {}),
};
