/**
 * Saga: a trip of three bookings in other people's systems, all of them or none. Where one cannot be had, or
 * the trip is cancelled, those that were begun are cancelled again, the last one first.
 */
import { z } from "zod";
import { activity } from "../core/activity.ts";
import type { UndoneStep } from "../core/compensation.ts";
import { workflow } from "../core/workflow.ts";
import { post } from "./web.ts";

/** What is to be booked. */
export interface Wanted {
  readonly trip: string;
  /** Where it is booked, and cancelled. */
  readonly url: string;
}

/** A booking that was confirmed. */
export interface Booking {
  readonly url: string;
  /** By which it can be cancelled. */
  readonly reference: string;
}

/** Books under a reference that is known before anybody answers. */
export const book = activity(
  "Book",
  { retry: { maxAttempts: 3, firstInterval: "1 second" }, timeout: "30 seconds" },
  async ({ trip, url }: Wanted, ctx): Promise<Booking> => {
    const reference = ctx.idempotencyKey;
    await post.run({ url, body: { book: trip, reference } }, ctx);
    return { url, reference };
  },
);

/** Cancels a booking by its reference: also one of which nobody knows whether it was made. */
export const cancelBooking = activity(
  "CancelBooking",
  { retry: { maxAttempts: 20, firstInterval: "1 second", backoff: 2 }, timeout: "30 seconds" },
  ({ input, idempotencyKey }: UndoneStep<Wanted, Booking>, ctx) =>
    post.run({ url: input.url, body: { cancel: input.trip, reference: idempotencyKey } }, ctx),
);

const inputSchema = z.strictObject({
  trip: z.string().min(1).max(100),
  flight: z.url(),
  hotel: z.url(),
  car: z.url(),
});

/** Books the flight, and then hotel and car at the same time. */
export const bookTrip = workflow(
  "BookTrip",
  { input: inputSchema },
  async (ctx, { trip, flight, hotel, car }): Promise<Booking[]> => {
    const booking = (key: string, url: string) =>
      ctx.call(book, { trip, url }, { key, undo: cancelBooking });
    const first = await booking("flight", flight);
    return [first, ...(await Promise.all([booking("hotel", hotel), booking("car", car)]))];
  },
);
