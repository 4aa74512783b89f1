/** What the type of an event follows from: `npm run types` checks this file. */
import { expectTypeOf, test } from "vitest";
import { z } from "zod";
import type { Schema, WorkflowContext } from "../../src/definitions.ts";

interface Answer {
  readonly approved: boolean;
}

/** Never called: only its types are of interest. */
async function typed(ctx: WorkflowContext, byHand: Schema<Answer>) {
  const schema = z.object({ at: z.string().transform((text) => new Date(text)) });
  expectTypeOf(await ctx.waitForEvent("go", { schema })).toEqualTypeOf<{ at: Date }>();
  expectTypeOf(
    await ctx.waitForEvent("go", { schema: byHand, timeout: "1 day", key: "a" }),
  ).toEqualTypeOf<Answer>();
  expectTypeOf(await ctx.waitForEvent("go", { timeout: 5 })).toEqualTypeOf<unknown>();
  expectTypeOf(await ctx.waitForEvent<Answer>("go")).toEqualTypeOf<Answer>();
  // @ts-expect-error: that schema makes no answer
  await ctx.waitForEvent<Answer>("go", { schema });
  // @ts-expect-error: that is no schema
  await ctx.waitForEvent("go", { schema: { parse: () => 1 } });

  const first = await ctx.race({
    answer: (signal) => ctx.waitForEvent("answer", { schema: byHand, signal }),
    late: (signal) => ctx.sleep("1 day", { signal }),
  });
  if (first.winner === "answer") expectTypeOf(first.value).toEqualTypeOf<Answer>();
}

test("what a wait gives has the type that its schema makes", () => {
  expectTypeOf(typed).parameters.toEqualTypeOf<[WorkflowContext, Schema<Answer>]>();
});
