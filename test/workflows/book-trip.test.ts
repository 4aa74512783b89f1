/** The gallery's saga: what it does, and that no crash leaves a booking that nobody wants. */
import { describe, expect, test } from "vitest";
import { NonRetryableError } from "../../src/core/failure.ts";
import { Cluster } from "../../src/testing/cluster.ts";
import { explore } from "../../src/testing/explore.ts";
import { mock } from "../../src/testing/mock.ts";
import { book, bookTrip, cancelBooking } from "../../src/workflows/book-trip.ts";
import { atEachCommit } from "../engine/harness.ts";

const [flight, hotel, car] = ["flight", "hotel", "car"].map((name) => `https://${name}.example/`);
const input = { trip: "Rome", flight, hotel, car } as Parameters<typeof bookTrip.run>[1];

/** Books at once, and is slow to say so; that address has nothing left. */
const booking = (soldOut = "") =>
  mock(book, async ({ url }, ctx) => {
    if (url === soldOut) {
      await ctx.sleep("20 seconds"); // until the others are booked, whatever is lost on the way
      throw new NonRetryableError("sold out");
    }
    ctx.effect(`book ${url}`, { key: ctx.idempotencyKey });
    await ctx.sleep("1 second");
    return { url, reference: ctx.idempotencyKey };
  });

const cancelling = mock(cancelBooking, ({ input: { url } }, ctx) =>
  ctx.effect(`cancel ${url}`, { key: ctx.idempotencyKey }),
);

const told = (web: Cluster) => web.effects.map(({ what }) => what);

describe("saga: BookTrip", () => {
  test("books all three", async () => {
    const web = new Cluster({ workflows: [bookTrip], activities: [booking(), cancelling] });
    const instance = await web.start(bookTrip, input);
    await web.run();
    expect(instance.output().map(({ url }) => url)).toEqual([flight, hotel, car]);
    expect(told(web)).toEqual([flight, hotel, car].map((url) => `book ${url}`));
  });

  test("cancels what it has booked where one cannot be had, and says why", async () => {
    const web = new Cluster({ workflows: [bookTrip], activities: [booking(car), cancelling] });
    const instance = await web.start(bookTrip, input);
    await web.run();
    expect(instance.document()).toMatchObject({
      status: "Failed",
      error: { code: "ACTIVITY_FAILED", cause: { message: "sold out" } },
    });
    expect(told(web).slice(2)).toEqual([car, hotel, flight].map((url) => `cancel ${url}`));
  });

  test("cancels what it had begun to book where the trip is cancelled meanwhile", async () => {
    const web = new Cluster({ workflows: [bookTrip], activities: [booking(), cancelling] });
    const instance = await web.start(bookTrip, input);
    await web.advance("1500 milliseconds"); // the flight is booked, the others are on their way
    instance.cancel("the customer called");
    await web.run();
    expect(instance.document().status).toBe("Terminated");
    expect(told(web).slice(3)).toEqual([car, hotel, flight].map((url) => `cancel ${url}`));
  });

  test.each([
    ["nothing", ""],
    ["the car", car],
    ["the hotel", hotel],
  ])("is crash-proof, with %s sold out", async (_what, soldOut) => {
    const { failures, report } = await explore(bookTrip, input, {
      activities: [booking(soldOut), cancelling],
      compare: (bookings) => bookings.map(({ url }) => url),
    });
    expect(failures, report).toEqual([]);
  });

  test("killed at every write makes every undo, in order, each under one idempotency key", async () => {
    const commits = await atEachCommit(async ({ commit, when }) => {
      const made: { url: string; key: string; undoes: string }[] = [];
      const noting = mock(cancelBooking, ({ input: { url }, idempotencyKey }, ctx) => {
        made.push({ url, key: ctx.idempotencyKey, undoes: idempotencyKey });
      });
      const web = new Cluster({
        workflows: [bookTrip],
        activities: [booking(car), noting],
        faults: {
          crash: (_object, moment) =>
            moment.kind === "commit" && moment.commit === commit && moment.when === when,
        },
      });
      const instance = await web.start(bookTrip, input, { id: "trip" });
      await web.run();
      expect(instance.document().status).toBe("Failed");
      const order = made.filter(({ url }, index) => made[index - 1]?.url !== url);
      expect(order.map(({ url }) => url)).toEqual([car, hotel, flight]);
      const keys = new Set(made.map(({ url, key, undoes }) => `${url} ${key} ${undoes}`));
      expect(keys.size).toBe(3);
      return web.object("trip");
    });
    expect(commits).toBeGreaterThan(9);
  });
});
