/** The gallery's child workflows: what they do, and that no crash of any of them changes it. */
import { describe, expect, test } from "vitest";
import { NonRetryableError } from "../../src/core/failure.ts";
import { Cluster } from "../../src/testing/cluster.ts";
import { explore } from "../../src/testing/explore.ts";
import type { CrashMoment, Faults } from "../../src/testing/faults.ts";
import { mock } from "../../src/testing/mock.ts";
import { shipOrder, shipParcel } from "../../src/workflows/ship-order.ts";
import { post } from "../../src/workflows/web.ts";

const warehouses = ["https://north.example", "https://south.example", "https://west.example"];
const input = {
  order: "o-1",
  parcels: warehouses.map((warehouse) => ({ warehouse, items: ["a chair"] })),
  pickupSeconds: 600,
};

/** Tells of each message; that warehouse has nothing left. */
const posting = (empty = "") =>
  mock(post, async ({ url, body }, ctx) => {
    if (url === empty) {
      await ctx.sleep("20 seconds"); // until the others are booked, whatever is lost on the way
      throw new NonRetryableError("sold out");
    }
    const [what] = Object.keys(body as object);
    ctx.effect(`${what} ${url}`, { key: ctx.idempotencyKey });
  });

const workflows = [shipOrder, shipParcel];
const told = (web: Cluster) => web.effects.map(({ what }) => what).toSorted();
const booked = warehouses.map((url) => `book ${url}`);

describe("child workflows: ShipOrder", () => {
  test("ships a parcel from each warehouse, as a child", async () => {
    const web = new Cluster({ workflows, activities: [posting()] });
    const instance = await web.start(shipOrder, input, { id: "order" });
    await web.run();
    const shipments = instance.output();
    expect(shipments.map(({ warehouse }) => warehouse)).toEqual(warehouses);
    for (const { parcel } of shipments) {
      expect(web.instance(parcel).document()).toMatchObject({
        status: "Completed",
        parent: { id: "order" },
      });
    }
    expect(told(web)).toEqual(booked);
  });

  test("calls the others back where one warehouse has nothing left, and says why", async () => {
    const [, south = ""] = warehouses;
    const web = new Cluster({ workflows, activities: [posting(south)] });
    const instance = await web.start(shipOrder, input);
    await web.run();
    expect(instance.document()).toMatchObject({
      status: "Failed",
      error: { code: "CHILD_FAILED", cause: { cause: { message: "sold out" } } },
    });
    const others = warehouses.filter((url) => url !== south);
    expect(told(web)).toEqual(
      [...others.map((url) => `book ${url}`), ...others.map((url) => `callBack ${url}`)].toSorted(),
    );
  });

  test("calls all back where the order is cancelled", async () => {
    const web = new Cluster({ workflows, activities: [posting()] });
    const instance = await web.start(shipOrder, input);
    await web.advance("1 minute");
    instance.cancel("changed my mind");
    await web.run();
    expect(instance.document().status).toBe("Terminated");
    expect(told(web)).toEqual(
      [...booked, ...warehouses.map((url) => `callBack ${url}`)].toSorted(),
    );
  });

  test.each(["", "https://south.example"])("is crash-proof, with %j sold out", async (empty) => {
    const { failures, report } = await explore(shipOrder, input, {
      workflows: [shipParcel],
      activities: [posting(empty)],
      compare: (shipments) => shipments.map(({ warehouse }) => warehouse),
    });
    expect(failures, report).toEqual([]);
  });
});

/** Ships an order; loses all objects at that moment of the cluster, counted from 1. Returns how many there are. */
async function shipped(
  losesAt: number,
  isMoment: (moment: CrashMoment) => boolean,
  faults: Faults = {},
): Promise<number> {
  let moments = 0;
  let losing = false;
  const web: Cluster = new Cluster({
    workflows: [shipOrder, shipParcel],
    activities: [posting()],
    faults: {
      ...faults,
      crash: (name, moment) => {
        if (losing || !isMoment(moment) || ++moments !== losesAt) return false;
        losing = true;
        for (const object of web.objects) if (object.name !== name) object.crash();
        losing = false;
        return true;
      },
    },
  });
  const instance = await web.start(shipOrder, input, { id: "order" });
  await web.run();
  const shipments = instance.output();
  expect(shipments.map(({ warehouse }) => warehouse)).toEqual(warehouses);
  expect(web.effects.map(({ what }) => what).toSorted()).toEqual(
    warehouses.map((url) => `book ${url}`),
  );
  expect(web.stuck()).toEqual([]);
  return moments;
}

const MOMENTS: Record<string, (moment: CrashMoment) => boolean> = {
  "before a commit": (moment) => moment.kind === "commit" && moment.when === "before",
  "after a commit": (moment) => moment.kind === "commit" && moment.when === "after",
  "in a wait": (moment) => moment.kind === "await",
};
const RESTARTS: Record<string, Faults> = {
  "the process restarts": { processLost: () => true },
  "the platform waits 2 s": { processLost: () => false },
  "messages are lost": lossy(),
};

function lossy(): Faults {
  let sent = 0;
  return {
    message: () => ({
      lost: ++sent % 3 === 0,
      unanswered: sent % 3 === 1,
      doubled: sent % 2 === 0,
    }),
  };
}

describe.each(Object.keys(RESTARTS))("all objects of an order die, %s", (restart) => {
  test.each(Object.keys(MOMENTS))("%s", async (when) => {
    const isMoment = MOMENTS[when] ?? (() => false);
    const all = await shipped(0, isMoment, RESTARTS[restart]);
    expect(all).toBeGreaterThan(20);
    for (let moment = 2; moment <= all; moment++)
      await shipped(moment, isMoment, RESTARTS[restart]);
  });
});
