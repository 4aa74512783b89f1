/** What the types of a handler follow from: `npm run types` checks this file. */
import { expectTypeOf, test } from "vitest";
import { z } from "zod";
import type { WorkflowContext } from "../../src/definitions.ts";

/** Never called: only its types are of interest. */
function typed(ctx: WorkflowContext) {
  const input = z.object({ at: z.string().transform((text) => new Date(text)) });
  ctx.handle("total", { readOnly: true }, () => 42);
  ctx.handle("since", { readOnly: true, input }, ({ at }) => {
    expectTypeOf(at).toEqualTypeOf<Date>();
    return at;
  });
  const validate = ({ at }: { at: Date }) => void at.getTime();
  ctx.handle("move", { input, validate }, async ({ at }) => {
    expectTypeOf(at).toEqualTypeOf<Date>();
    await ctx.sleepUntil(at);
    return at;
  });
  ctx.handle("add", {}, (amount: number) => amount);
  ctx.handle("any", {}, (given) => expectTypeOf(given).toEqualTypeOf<unknown>());
  // @ts-expect-error: a query is answered at once
  ctx.handle("late", { readOnly: true }, async () => 42);
  // @ts-expect-error: a query refuses by throwing
  ctx.handle("total", { readOnly: true, validate }, () => 42);
  // @ts-expect-error: the schema makes no number
  ctx.handle("add", { input }, (amount: number) => amount);
}

test("types only", () => {
  expectTypeOf(typed).toBeFunction();
});
