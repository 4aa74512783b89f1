/** The examples of docs/testing.md, run as they stand there. */
import { expect, test } from "vitest";
import { activity, entity, workflow } from "waymark";
import { Cluster, checkHistory, explore, type FakeFetch, mock } from "waymark/testing";
import { documentText, examplesOf } from "./examples.ts";

const document = documentText("testing.md");

interface Order {
  readonly id: string;
  readonly amount: number;
}

const charge = activity("Charge", async (_: Order): Promise<string> => {
  throw new Error("no test charges a card");
});
const ship = activity("Ship", async (_: string): Promise<void> => {
  throw new Error("no test ships anything");
});
const order = workflow("Order", async (ctx, input: Order) => {
  const receipt = await ctx.call(charge, input);
  await ctx.sleep("3 days");
  const answer = await ctx.waitForEvent<string>("address", { timeout: "30 days" });
  await ctx.call(ship, answer);
  return receipt;
});
const ORDER: Order = { id: "o-1", amount: 10 };

// ── in eight lines
test("an order is charged, and shipped three days later", async () => {
  const activities = [mock(charge, () => "receipt-1"), mock(ship, () => {})];
  const cluster = new Cluster({ workflows: [order], activities });
  const instance = await cluster.start(order, { id: "o-1", amount: 10 });
  instance.send("address", "12 Elm Street");
  await cluster.run(); // three days, in milliseconds
  expect(instance.output()).toBe("receipt-1");
});
// ──

const counter = entity("Counter", {
  initial: () => 0,
  operations: {
    add: (ctx, n: number) => {
      ctx.state += n;
      return ctx.state;
    },
  },
});
const counting = workflow("Counting", async (ctx) => {
  await ctx.sleep("1 hour");
  return await ctx.entity(counter, "visits").add(1);
});

// ── entities
test("a workflow and a client count together", async () => {
  const cluster = new Cluster({ workflows: [counting], entities: [counter] });
  const instance = await cluster.start(counting);
  expect(await cluster.entity(counter, "visits").call("add", 5)).toBe(5);
  await cluster.run();
  expect(instance.output()).toBe(6);
  expect(cluster.entity(counter, "visits").state()).toBe(6);
  const { failures, report } = await explore(counting, undefined, { entities: [counter] });
  expect(failures, report).toEqual([]);
});
// ──

const printLabel = workflow("PrintLabel", async (ctx): Promise<unknown> => {
  const answer = await ctx.fetch("https://warehouse.test/labels", { method: "POST" });
  return JSON.parse(answer.body);
});

// ── requests
test("a label is printed by the warehouse, which takes its time", async () => {
  const fetch: FakeFetch = ({ url }) =>
    url.endsWith("/labels")
      ? new Response(null, {
          status: 202,
          headers: { location: "/labels/1", "retry-after": "3600" },
        })
      : Response.json({ label: 1 });
  const cluster = new Cluster({ workflows: [printLabel], fetch });
  const instance = await cluster.start(printLabel);
  await cluster.run(); // an hour
  expect(instance.output()).toEqual({ label: 1 });
  expect(cluster.effects).toMatchObject([{ what: "POST https://warehouse.test/labels" }]);
});
// ──

// ── time
test("without an address an order fails after 33 days, and not before", async () => {
  const activities = [mock(charge, () => "receipt-1"), mock(ship, () => {})];
  const cluster = new Cluster({ workflows: [order], activities });
  const instance = await cluster.start(order, ORDER);
  await cluster.advance("32 days");
  expect(instance.document()).toMatchObject({
    status: "Running",
    waitingFor: [{ name: "address" }],
  });
  await cluster.advance("1 day");
  expect(instance.document()).toMatchObject({ status: "Failed", error: { code: "EVENT_TIMEOUT" } });
});
// ──

// ── faults
test("a charge is asked for again after a crash, and happens once", async () => {
  const cluster = new Cluster({
    workflows: [order],
    activities: [
      mock(charge, async (input, ctx) => {
        ctx.effect("charged", { key: ctx.idempotencyKey, value: input.amount });
        await ctx.sleep("1 minute");
        return "receipt-1";
      }),
      mock(ship, () => {}),
    ],
  });
  const instance = await cluster.start(order, ORDER);
  await cluster.advance("30 seconds");
  instance.crash(); // in the middle of the charge
  instance.send("address", "12 Elm Street");
  await cluster.run();
  expect(instance.output()).toBe("receipt-1");
  expect(cluster.trace.filter(({ kind }) => kind === "effect")).toHaveLength(2);
  expect(cluster.effects).toMatchObject([{ what: "charged", value: 10 }]);
});
// ──

const events = [{ name: "address", payload: "12 Elm Street" }];

// ── explore
test("no crash charges an order twice", async () => {
  const { failures, report } = await explore(order, ORDER, {
    activities: [
      mock(charge, (input, ctx) => {
        ctx.effect("charged", { key: ctx.idempotencyKey, value: input.amount });
        return "receipt-1";
      }),
      mock(ship, (address, ctx) =>
        ctx.effect("shipped", { key: ctx.idempotencyKey, value: address }),
      ),
    ],
    events: [{ name: "address", payload: "12 Elm Street" }],
  });
  expect(failures, report).toEqual([]);
});
// ──

test("the bug of the document is found, in the words of the document", async () => {
  const { report } = await explore(order, ORDER, {
    activities: [
      // ── bug
      mock(charge, (input, ctx) => {
        ctx.effect("charged", { value: input.amount }); // the key is forgotten
        return "receipt-1";
      }),
      // ──
      mock(ship, () => {}),
    ],
    events,
  });
  expect(document).toContain(report);
});

test("the clock of the document is found, in the words of the document", async () => {
  // ── clock
  const stamped = workflow("Stamped", async (ctx, input: Order) => {
    return await ctx.call(charge, { ...input, id: `${input.id}-${Date.now()}` });
  });
  // ──
  const { report } = await explore(stamped, ORDER, { activities: [mock(charge, () => "")] });
  const told = report.split("\n").find((line) => line.startsWith("- a replay")) ?? "";
  const times = ["o-1-1795593600002", "o-1-1795593600004"];
  const fixed = told.replaceAll(/o-1-\d{13}/g, () => times.shift() ?? "one too many");
  expect(document).toContain(fixed);
});

// ── scene
test("no crash leaves a row out of the table, or in it twice", async () => {
  const { failures, report } = await explore(order, ORDER, {
    scene: () => {
      const rows: string[] = []; // made anew for each run
      return {
        activities: [
          mock(charge, (input) => {
            if (!rows.includes(input.id)) rows.push(input.id); // an upsert
            return "receipt-1";
          }),
          mock(ship, () => {}),
        ],
        observe: () => rows,
      };
    },
    events: [{ name: "address", payload: "12 Elm Street" }],
  });
  expect(failures, report).toEqual([]);
});
// ──

const shop = workflow("Shop", (ctx, input: Order) =>
  ctx.call(order, input, { id: `order-${input.id}` }),
);
const activities = [mock(charge, () => "receipt-1"), mock(ship, () => {})];

// ── children
test("no crash of a shop, or of the order that it calls, changes how it ends", async () => {
  const { failures, report } = await explore(shop, ORDER, {
    workflows: [order],
    activities,
    events: [{ to: "order-o-1", name: "address", payload: "12 Elm Street", afterMillis: 60_000 }],
  });
  expect(failures, report).toEqual([]);
});
// ──

test("a change that instances out there could not go on with is found", async () => {
  const activities = [mock(charge, () => "receipt-1"), mock(ship, () => {})];
  const cluster = new Cluster({ workflows: [order], activities });
  const instance = await cluster.start(order, ORDER);
  await cluster.advance("1 day");
  const history = instance.export();
  const changed = workflow("Order", async (ctx, input: Order) => {
    return await ctx.call(charge, { ...input, amount: input.amount * 100 }); // cents now
  });
  // ── history
  const { fits, problem } = await checkHistory(changed, history);
  // ──
  expect(fits).toBe(false);
  expect(problem).toContain('step "Charge" is recorded with the input');
});

test("each of these examples stands in the document as it is here", () => {
  const examples = examplesOf(import.meta.filename);
  expect(examples.length).toBe(11);
  for (const example of examples) expect(document).toContain(example);
});
