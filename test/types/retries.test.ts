/** What the compiler takes as a retry: each line that is wrong is marked, and an unneeded mark is an error. */
import { expectTypeOf, test } from "vitest";
import {
  activity,
  type Failure,
  type RetryHandler,
  type WorkflowContext,
  workflow,
} from "../../src/definitions.ts";

const patient: RetryHandler = ({ failure, attempt, elapsed, retryAfter }) => {
  expectTypeOf(failure).toEqualTypeOf<Failure>();
  expectTypeOf(attempt).toEqualTypeOf<number>();
  expectTypeOf(elapsed).toEqualTypeOf<number>();
  return attempt < 3 ? (retryAfter ?? "2 minutes") : null;
};
const work = activity("Work", { retry: patient }, () => "done");
const child = workflow("Child", () => "done");

activity("Inferred", { retry: ({ attempt }) => (attempt < 3 ? 1_000 : null) }, () => {});
// @ts-expect-error a handler answers at once
activity("Asynchronous", { retry: async () => 5 }, () => {});
// @ts-expect-error it gives up with null, so that a forgotten return is found
activity("Forgetful", { retry: () => {} }, () => {});
// @ts-expect-error that is no duration
activity("Vague", { retry: () => "soon" }, () => {});

/** Never called: it is only checked. */
async function checked(ctx: WorkflowContext): Promise<void> {
  expectTypeOf(await ctx.call(work, undefined, { retry: patient })).toEqualTypeOf<string>();
  expectTypeOf(await ctx.call(child, undefined, { retry: () => null })).toEqualTypeOf<string>();
  await ctx.run("look", () => 1, { retry: ({ elapsed }) => (elapsed > 5_000 ? null : 0) });
  await ctx.call(work, undefined, { retry: { maxAttempts: 2 } });
  // @ts-expect-error a start does not wait, so it has no retry
  await ctx.start(child, undefined, { retry: patient });
}

test("a retry is a policy, or a function that decides at once", () => {
  expectTypeOf(checked).toBeFunction();
});
