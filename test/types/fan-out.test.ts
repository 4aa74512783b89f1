/** What the compiler refuses, and what types results have: `npm run types` checks this file. */
import { expectTypeOf, test } from "vitest";
import { activity, type MapEntry, type WorkflowContext } from "../../src/definitions.ts";

interface Order {
  readonly id: string;
  readonly amount: number;
}

const charge = activity("Charge", async (order: Order): Promise<string> => order.id);
const orders: readonly (Order & { readonly region: string })[] = [];

/** Never called: only its types are of interest. */
async function typed(ctx: WorkflowContext) {
  // @ts-expect-error: an order has an amount
  await ctx.call(charge, { id: "1" });
  // @ts-expect-error: its input is missing
  await ctx.call(charge);
  // @ts-expect-error: a signal is an AbortSignal
  await ctx.sleep(5, { signal: true });

  expectTypeOf(await ctx.map(orders, charge)).toEqualTypeOf<string[]>();
  expectTypeOf(await ctx.map(orders, charge, { tolerate: 2 })).toEqualTypeOf<MapEntry<string>[]>();
  expectTypeOf(
    await ctx.map(orders, (order, step) => ctx.call(charge, order, step), {
      key: (order) => `${order.region}-${order.id}`,
      concurrency: 5,
    }),
  ).toEqualTypeOf<string[]>();
  // @ts-expect-error: an order is no number
  await ctx.map([1, 2], charge);
  // @ts-expect-error: an order has no name
  await ctx.map(orders, charge, { key: (order) => order.name });
  // @ts-expect-error: a key is text
  await ctx.map(orders, charge, { key: (_order, index) => index });

  const first = await ctx.race({
    receipt: (signal) => ctx.call(charge, { id: "1", amount: 1 }, { signal }),
    answer: (signal) => ctx.waitForEvent<boolean>("answer", { signal }),
    late: (signal) => ctx.sleep("1 day", { signal }),
  });
  expectTypeOf(first.winner).toEqualTypeOf<"receipt" | "answer" | "late">();
  if (first.winner === "receipt") expectTypeOf(first.value).toEqualTypeOf<string>();
  if (first.winner === "answer") expectTypeOf(first.value).toEqualTypeOf<boolean>();
  // @ts-expect-error: there is no such branch
  if (first.winner === "nobody") return;
  // @ts-expect-error: a branch is a function
  await ctx.race({ late: ctx.sleep(5) });
}

test("calls, maps and races take what their activities take, and give what they give", () => {
  expectTypeOf(typed).parameters.toEqualTypeOf<[WorkflowContext]>();
});
