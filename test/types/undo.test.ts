/** What the compiler says of undos: each line that is wrong is marked, and an unneeded mark is an error. */
import { expectTypeOf, test } from "vitest";
import type { WorkflowContext } from "../../src/core/context.ts";
import { activity, type UndoneStep, workflow } from "../../src/definitions.ts";

interface Trip {
  readonly to: string;
}
interface Booking {
  readonly number: string;
}

const book = activity("book", (_trip: Trip): Booking => ({ number: "1" }));
const cancel = activity("cancel", ({ input, result }: UndoneStep<Trip, Booking>) => {
  expectTypeOf(input).toEqualTypeOf<Trip>();
  expectTypeOf(result).toEqualTypeOf<Booking | undefined>();
});
const byInput = activity("by input", (_: { readonly input: Trip }) => "gone");
const byKey = activity("by key", (_: Pick<UndoneStep, "idempotencyKey" | "error">) => {});
const forgetful = activity("forgetful", () => {});
const certain = activity("certain", (_: { readonly result: Booking }) => {});
const other = activity("other", (_: UndoneStep<number, Booking>) => {});
const plain = activity("plain", (_: Trip) => {});
const tidy = activity("tidy", () => "tidied");
const ship = workflow("Ship", (_ctx, trip: Trip): Booking => ({ number: trip.to }));

/** Never called: it is only checked. */
async function checked(ctx: WorkflowContext): Promise<void> {
  expectTypeOf(await ctx.call(book, { to: "Rome" }, { undo: cancel })).toEqualTypeOf<Booking>();
  await ctx.call(book, { to: "Rome" }, { undo: byInput, key: "a", retry: { maxAttempts: 2 } });
  await ctx.call(book, { to: "Rome" }, { undo: byKey });
  await ctx.call(book, { to: "Rome" }, { undo: forgetful });
  await ctx.call(tidy, undefined, { undo: byKey });
  expectTypeOf(await ctx.call(ship, { to: "Rome" }, { undo: cancel })).toEqualTypeOf<Booking>();
  ctx.onCompensate((error) => expectTypeOf(error).toBeUnknown());
  ctx.onCompensate(() => ctx.call(tidy));

  // @ts-expect-error it may not be known what the step returned
  await ctx.call(book, { to: "Rome" }, { undo: certain });
  // @ts-expect-error the undo of a step with another input
  await ctx.call(book, { to: "Rome" }, { undo: other });
  // @ts-expect-error it is told of the step, and not given its input alone
  await ctx.call(book, { to: "Rome" }, { undo: plain });
  // @ts-expect-error a step that returns something else
  await ctx.call(tidy, undefined, { undo: cancel });
  // @ts-expect-error a function is no activity: see onCompensate
  await ctx.call(book, { to: "Rome" }, { undo: () => {} });
  // @ts-expect-error a workflow is no activity
  await ctx.call(book, { to: "Rome" }, { undo: ship });
  // @ts-expect-error nobody waits for a child that is only started
  await ctx.start(ship, { to: "Rome" }, { undo: cancel });
  // @ts-expect-error a timer has no effect
  await ctx.sleep(1, { undo: forgetful });
  // @ts-expect-error no function
  ctx.onCompensate(tidy);
}

test("an undo is typed by the step that it undoes", () => {
  expectTypeOf(checked).toBeFunction();
});
