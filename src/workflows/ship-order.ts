/**
 * Child workflows: an order that leaves from several warehouses, a child for each. The first one that fails
 * has the others called back, and so has a cancel of the order.
 */
import { z } from "zod";
import { workflow } from "../core/workflow.ts";
import { post } from "./web.ts";

/** What leaves one warehouse. */
export interface Parcel {
  readonly order: string;
  /** Where it is booked, and called back. */
  readonly warehouse: string;
  readonly items: readonly string[];
  readonly pickupSeconds: number;
}

/** A parcel that has left. */
export interface Shipment {
  readonly warehouse: string;
  /** The child's instance, whose history says how it went. */
  readonly parcel: string;
}

/** Books a parcel and waits until it is picked up. Asked to end before that, it calls the parcel back. */
export const shipParcel = workflow("ShipParcel", async (ctx, parcel: Parcel): Promise<Shipment> => {
  const { order, warehouse, items, pickupSeconds } = parcel;
  try {
    await ctx.call(post, { url: warehouse, body: { book: order, items } });
    await ctx.sleep(pickupSeconds * 1_000);
  } catch (error) {
    // Also where the booking itself was cancelled on its way: it may have arrived.
    if (ctx.signal.aborted) {
      await ctx.call(post, { url: warehouse, body: { callBack: order } }, { key: "call back" });
    }
    throw error;
  }
  return { warehouse, parcel: ctx.instanceId };
});

const inputSchema = z.strictObject({
  order: z.string().min(1).max(100),
  parcels: z
    .array(z.strictObject({ warehouse: z.url(), items: z.array(z.string()).max(100) }))
    .min(1)
    .max(50),
  pickupSeconds: z.int().min(1).max(604_800).default(3_600),
});

/** Ships an order: all of it, or nothing that has not left yet. */
export const shipOrder = workflow(
  "ShipOrder",
  { input: inputSchema },
  async (ctx, { order, parcels, pickupSeconds }): Promise<Shipment[]> => {
    const rest = new AbortController();
    const children = parcels.map((parcel) =>
      ctx.call(
        shipParcel,
        { ...parcel, order, pickupSeconds },
        { key: parcel.warehouse, parentClose: "cancel", signal: rest.signal },
      ),
    );
    try {
      return await Promise.all(children);
    } catch (error) {
      rest.abort(); // each of the others is asked to end, and calls its parcel back
      throw error;
    }
  },
);
