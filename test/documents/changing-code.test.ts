/** The examples of docs/changing-code.md, run as they stand there. */
import { expect, test } from "vitest";
import { activity, workflow } from "waymark";
import { Cluster, checkHistory } from "waymark/testing";
import { documentText, examplesOf } from "./examples.ts";

const document = documentText("changing-code.md");

interface Order {
  readonly id: string;
  readonly amount: number;
  readonly items: readonly string[];
}

const charge = activity("Charge", async (_: Order) => "receipt-1");
const reserve = activity("Reserve", async (_: string) => {});
const ship = activity("Ship", async (_: string) => {});
const thank = activity("Thank", async (_: string) => {});
const ORDER: Order = { id: "o-1", amount: 10, items: ["pen", "ink"] };

// ── before
const order = workflow("Order", async (ctx, input: Order) => {
  const receipt = await ctx.call(charge, input);
  await ctx.sleep("3 days");
  await ctx.call(ship, input.id);
  return receipt;
});
// ──

/** An instance of the order as it was, so long under way, and the code deployed under it. */
async function underWay() {
  const cluster = new Cluster({ workflows: [order] });
  const instance = await cluster.start(order, ORDER);
  await cluster.advance("1 day");
  return { cluster, instance };
}

test("a running instance goes on with steps that were added and moved", async () => {
  // ── after
  const changed = workflow("Order", async (ctx, input: Order) => {
    await Promise.all(input.items.map((item) => ctx.call(reserve, item, { key: item })));
    const receipt = await ctx.call(charge, input);
    await ctx.sleep("3 days");
    await ctx.call(thank, input.id);
    await ctx.call(ship, input.id);
    return receipt;
  });
  // ──
  const { cluster, instance } = await underWay();
  cluster.deploy([changed]);
  await cluster.run();
  expect(instance.output()).toBe("receipt-1");
  const steps = instance.history().map(({ step, state }) => `${step} ${state}`);
  expect(steps.sort()).toEqual([
    "Charge done",
    "Reserve:ink done",
    "Reserve:pen done",
    "Ship done",
    "Thank done",
    "sleep done",
  ]);
});

test("a change that does not fit is said in the words of the document, and mended as it says", async () => {
  // ── cents
  const cents = workflow("Order", async (ctx, input: Order) => {
    return await ctx.call(charge, { ...input, amount: input.amount * 100 });
  });
  // ──
  const { cluster, instance } = await underWay();
  const history = instance.export();
  const { fits, problem } = await checkHistory(cents, history);
  expect(fits).toBe(false);
  expect(document).toContain(`order-17.json: does not fit: ${problem}\n`);
  cluster.deploy([cents]);
  await cluster.advance("3 days");
  const { status, error } = instance.document();
  expect(status).toBe("Suspended");
  expect(document).toContain(`"code": "${error?.code}"`);
  expect(document).toContain(JSON.stringify(error?.message));
  cluster.deploy([order]);
  await cluster.run();
  expect(instance.output()).toBe("receipt-1");
});

test("versions stand side by side, and each instance keeps its own", async () => {
  // ── versions
  const orderOne = workflow("Order", { version: "1" }, async (ctx, input: Order) => {
    return await ctx.call(charge, input);
  });
  const orderTwo = workflow("Order", { version: "2" }, async (ctx, input: Order) => {
    return await ctx.call(charge, { ...input, amount: input.amount * 100 });
  });
  const workflows = [orderOne, orderTwo]; // the last one of a name is the newest: new instances get it
  // ──
  const cluster = new Cluster({ workflows: [order] });
  const instance = await cluster.start(order, ORDER);
  await cluster.advance("1 day");
  cluster.deploy([orderTwo]);
  await cluster.advance("3 days");
  expect(instance.document()).toMatchObject({
    status: "Suspended",
    error: { code: "VERSION_MISSING" },
  });
  expect(document).toContain(JSON.stringify(instance.document().error?.message));
  cluster.deploy(workflows);
  await cluster.run();
  expect(instance.document()).toMatchObject({ version: "1", status: "Completed" });
});

test("a life in rounds moves on to the newest version where a round ends", async () => {
  // ── rounds
  const monitor = workflow("Monitor", { version: "1" }, async (ctx, rounds: number) => {
    await ctx.sleep("1 hour");
    return ctx.continueAsNew(rounds + 1, { version: "latest" });
  });
  // ──
  const two = workflow("Monitor", { version: "2" }, async (_, rounds: number) => rounds);
  const cluster = new Cluster({ workflows: [monitor] });
  const instance = await cluster.start(monitor, 0);
  await cluster.advance("90 minutes");
  cluster.deploy([monitor, two]);
  await cluster.run();
  expect(instance.document()).toMatchObject({ version: "2", output: 2 });
});

test("a history that is kept beside the tests is checked as the document says", async () => {
  const { instance } = await underWay();
  const history = JSON.parse(JSON.stringify(instance.export()));
  // ── kept
  expect(await checkHistory(order, history)).toMatchObject({ fits: true });
  // ──
});

test("each of these examples stands in the document as it is here", () => {
  const examples = examplesOf(import.meta.filename);
  expect(examples.length).toBe(6);
  for (const example of examples) expect(document).toContain(example);
});
