/**
 * Critical section: money goes from one account to another, and nobody sees, or changes, one of them in between. Two
 * transfers between the same accounts, one each way, do not wait for each other: locks are taken in one order.
 */
import { z } from "zod";
import { entity } from "../core/entity.ts";
import { WaymarkError } from "../core/errors.ts";
import { workflow } from "../core/workflow.ts";

const centsSchema = z.int().min(1).max(1_000_000_000);

/** One account for each key: its balance, in cents. */
export const account = entity("Account", {
  initial: () => 0,
  operations: {
    balance: (ctx) => ctx.state,
    deposit: { input: centsSchema, run: (ctx, cents: number) => (ctx.state += cents) },
    withdraw: {
      input: centsSchema,
      run: (ctx, cents: number) => {
        if (ctx.state < cents) throw new Error(`"${ctx.key}" has ${ctx.state} cents only`);
        ctx.state -= cents;
        return ctx.state;
      },
    },
  },
});

const keySchema = z.string().min(1).max(100);

const inputSchema = z
  .strictObject({ from: keySchema, to: keySchema, cents: centsSchema })
  .refine(({ from, to }) => from !== to, { message: "from and to are the same account" });

/** Both balances after a transfer; or that of the payer, which was too low for it. */
export type Transferred =
  | { readonly moved: true; readonly from: number; readonly to: number }
  | { readonly moved: false; readonly from: number };

/** Moves money, whole or not at all. */
export const transferMoney = workflow(
  "TransferMoney",
  { input: inputSchema },
  async (ctx, { from, to, cents }): Promise<Transferred> => {
    const [payer, payee] = [ctx.entity(account, from), ctx.entity(account, to)];
    await using _lock = await ctx.lock(payer, payee);
    const balance = await payer.balance();
    if (balance < cents) return { moved: false, from: balance };
    const left = await payer.withdraw(cents);
    if (left !== balance - cents) {
      throw new WaymarkError("INTERNAL", `"${from}" was changed by another in this section`);
    }
    return { moved: true, from: left, to: await payee.deposit(cents) };
  },
);
