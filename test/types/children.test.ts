/** What the compiler says of children: each line that is wrong is marked, and an unneeded mark is an error. */
import { expectTypeOf, test } from "vitest";
import type { WorkflowContext } from "../../src/core/context.ts";
import { type StartedChild, workflow } from "../../src/definitions.ts";

const ship = workflow("Ship", (_ctx, order: { readonly id: string }) => order.id.length);
const tidy = workflow("Tidy", () => "tidied");

/** Never called: it is only checked. */
async function checked(ctx: WorkflowContext): Promise<void> {
  expectTypeOf(await ctx.call(ship, { id: "1" })).toEqualTypeOf<number>();
  expectTypeOf(await ctx.call(tidy)).toEqualTypeOf<string>();
  expectTypeOf(await ctx.start(ship, { id: "1" }, { key: "a" })).toEqualTypeOf<StartedChild>();
  await ctx.call(ship, { id: "1" }, { retry: { maxAttempts: 2 }, parentClose: "cancel" });

  // @ts-expect-error a wrong input
  await ctx.call(ship, { id: 1 });
  // @ts-expect-error a missing input
  await ctx.call(ship);
  // @ts-expect-error a wrong input
  await ctx.start(ship, "1");
  // @ts-expect-error no such end
  await ctx.call(tidy, undefined, { parentClose: "forget" });
  // @ts-expect-error a start does not wait, so it has no timeout
  await ctx.start(tidy, undefined, { timeout: "1 hour" });
  // @ts-expect-error an activity's option
  await ctx.call(tidy, undefined, { where: "worker" });
  // @ts-expect-error an id is text
  await ctx.sendEvent(7, "paid");
}

test("children and their results are typed by their workflow", () => {
  expectTypeOf(checked).toBeFunction();
});
