/** An order with updates and queries: people fill it, look at it and close it while it waits. */
import { z } from "zod";
import { workflow } from "../core/workflow.ts";
import { post } from "./web.ts";

const itemSchema = z.object({
  sku: z.string().min(1).max(100),
  cents: z.int().min(0).max(100_000_000),
});
type Item = z.infer<typeof itemSchema>;

const inputSchema = z.strictObject({
  /** Where each item is reserved; nowhere, and there is always enough. */
  stock: z.url().optional(),
  /** Where the order goes in the end. */
  sendTo: z.url().optional(),
  openHours: z.int().min(1).max(720).default(24),
});

/** How an order stands. */
export interface OrderSummary {
  readonly status: "open" | "ordered" | "expired";
  readonly items: readonly Item[];
  readonly cents: number;
}

const MOST_ITEMS = 100;

/**
 * The query `summary` tells how it stands, in every status of the instance. The updates: `add` with
 * `{ "sku": "...", "cents": 450 }` replies when the item is reserved, `remove` with its sku, `order` closes it.
 */
export const takeOrder = workflow(
  "TakeOrder",
  { input: inputSchema },
  async (ctx, { stock, sendTo, openHours }): Promise<OrderSummary> => {
    let status: OrderSummary["status"] = "open";
    const items = new Map<string, Item>();
    const reserving = new Set<Promise<void>>();
    const summary = (): OrderSummary => {
      const all = [...items.values()];
      return { status, items: all, cents: all.reduce((sum, { cents }) => sum + cents, 0) };
    };
    const checkOpen = () => {
      if (status !== "open") throw new Error(`the order is ${status}`);
    };

    ctx.handle("summary", { readOnly: true }, summary);
    ctx.handle(
      "add",
      {
        input: itemSchema,
        validate: ({ sku }) => {
          checkOpen();
          if (items.size === MOST_ITEMS && !items.has(sku)) throw new Error("the order is full");
        },
      },
      async (item) => {
        items.set(item.sku, item); // before any wait: the next validator sees it
        if (stock === undefined) return summary();
        const reserved = ctx.call(post, { url: stock, body: item });
        reserving.add(reserved);
        try {
          await reserved;
        } catch (error) {
          items.delete(item.sku);
          throw error; // to who has called: the order itself goes on
        } finally {
          reserving.delete(reserved);
        }
        return summary();
      },
    );
    ctx.handle("remove", { input: z.string(), validate: checkOpen }, (sku) => {
      items.delete(sku);
      return summary();
    });
    const ordered = new Promise<void>((resolve) => {
      ctx.handle("order", { validate: checkOpen }, async () => {
        status = "ordered"; // none is added from here on
        await Promise.allSettled(reserving); // and none is left in the middle
        resolve();
        return summary();
      });
    });

    const { winner } = await ctx.race({
      ordered: () => ordered,
      late: (signal) => ctx.sleep(openHours * 3_600_000, { signal }),
    });
    if (winner === "late" && summary().status === "open") {
      status = "expired";
      return summary();
    }
    await ordered;
    if (sendTo !== undefined) await ctx.call(post, { url: sendTo, body: summary() });
    return summary();
  },
);
