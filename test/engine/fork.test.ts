import { describe, expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import { workflow } from "../../src/core/workflow.ts";
import { Cluster } from "../../src/testing/cluster.ts";
import { mock } from "../../src/testing/mock.ts";
import { codeOf } from "../core/thrown.ts";
import { crashesAt } from "./harness.ts";

const charge = activity("charge", async (_: unknown) => "");
const ship = activity("ship", async (_: unknown) => "");

/** Draws before each of two steps, and after them. */
const order = workflow("Order", async (ctx, amount: number) => {
  const first = ctx.uuid();
  const charged = await ctx.call(charge, { amount, first });
  const second = ctx.random();
  const at = ctx.now;
  const shipped = await ctx.call(ship, { charged, second });
  await ctx.waitForEvent("received");
  return { charged, shipped, at, last: ctx.uuid() };
});

/** A cluster in which each attempt is told, with its key. */
function shop(options: Partial<ConstructorParameters<typeof Cluster>[0]> = {}) {
  const attempts: { name: string; key: string; input: unknown }[] = [];
  const told =
    (name: string, result: () => string) => (input: unknown, ctx: { idempotencyKey: string }) => {
      attempts.push({ name, key: ctx.idempotencyKey, input });
      return result();
    };
  let count = 0;
  const cluster = new Cluster({
    workflows: [order],
    activities: [
      mock(
        charge,
        told("charge", () => `paid ${++count}`),
      ),
      mock(
        ship,
        told("ship", () => `sent ${++count}`),
      ),
    ],
    ...options,
  });
  return { cluster, attempts };
}

describe("a fork of an instance that waits", () => {
  test("has its history, and goes on beside it with the same results and draws of its own", async () => {
    const { cluster, attempts } = shop();
    const source = await cluster.start(order, 5);
    await cluster.advance("1 hour");
    const before = source.document();
    const fork = source.fork({ reason: "to look" });
    expect(fork.document()).toMatchObject({ status: "Pending", input: 5, parent: null });
    await cluster.advance("1 second");
    expect(source.document()).toEqual(before);
    expect(fork.document()).toMatchObject({
      status: "Running",
      version: "1",
      forkedFrom: { id: source.id, executionId: before.executionId, step: null },
      waitingFor: [{ kind: "event", name: "received" }],
    });
    expect(attempts).toHaveLength(2);
    source.send("received");
    fork.send("received");
    await cluster.run();
    const [one, other] = [source.output(), fork.output()];
    expect({ ...other, last: "" }).toEqual({ ...one, last: "" });
    expect(other.last).not.toBe(one.last);
    expect(attempts).toHaveLength(2);
    expect(fork.document().executionId).not.toBe(before.executionId);
  });

  test("forked up to a step does it again, with its input and another key, and what follows from it", async () => {
    const { cluster, attempts } = shop();
    const source = await cluster.start(order, 5);
    await cluster.advance("1 second");
    const fork = source.fork({ to: "ship" });
    const another = source.fork({ to: "ship" });
    await cluster.advance("1 second");
    expect(attempts.map(({ name }) => name)).toEqual(["charge", "ship", "ship", "ship"]);
    const ships = attempts.slice(1);
    expect(new Set(ships.map(({ key }) => key)).size).toBe(3);
    expect(ships[1]?.input).toEqual(ships[0]?.input);
    for (const one of [source, fork, another]) one.send("received");
    await cluster.run();
    const lasts = [source, fork, another].map((one) => one.output().last);
    expect(new Set(lasts).size).toBe(3);
    expect(fork.output()).toMatchObject({ charged: "paid 1", shipped: "sent 3" });
    const marks = fork.history().filter(({ kind }) => kind === "rewind");
    expect(marks).toMatchObject([{ step: "(rewind)", seq: 3, input: { to: "ship" } }]);
  });

  test("can be forked, rewound and forked again, and each copy draws as its history did", async () => {
    const { cluster } = shop();
    const source = await cluster.start(order, 5);
    await cluster.advance("1 second");
    const fork = source.fork({ to: "ship" });
    await cluster.advance("1 second");
    const second = fork.fork();
    await cluster.advance("1 second");
    second.send("received");
    fork.send("received");
    await cluster.run();
    fork.rewind({ to: "received" });
    await cluster.advance("1 second");
    const third = fork.fork({ to: "ship" });
    await cluster.run();
    for (const one of [second, fork, third]) {
      expect(one.document()).toMatchObject({ error: null });
      expect(one.document().status).not.toBe("Suspended");
    }
    expect(second.output()).toMatchObject({ charged: "paid 1" });
    expect(third.output()).toMatchObject({ charged: "paid 1" }); // it had the event again, too
    expect(cluster.stuck()).toEqual([]);
  });
});

test("with a crash at any commit it copies and ends as without one", async () => {
  let tried = 0;
  for (let commit = 1; ; commit++) {
    let commits = 0;
    for (const when of ["before", "after"] as const) {
      const { crash } = crashesAt({ commit, when });
      const { cluster, attempts } = shop({
        faults: { crash: (name, moment) => name === "copy" && crash?.(name, moment) === true },
      });
      const source = await cluster.start(order, 5);
      await cluster.advance("1 minute");
      const fork = source.fork({ to: "ship", id: "copy" });
      await cluster.advance("1 minute");
      fork.send("received");
      await cluster.run();
      expect(fork.output()).toMatchObject({ charged: "paid 1" });
      expect(attempts.filter(({ name }) => name === "charge")).toHaveLength(1);
      expect(cluster.stuck()).toEqual([]);
      commits = cluster.object("copy").commits;
    }
    if (commits < commit) break;
    tried = commit;
  }
  expect(tried).toBeGreaterThan(5);
});

test("an id that is taken, a step that has not ended and a version that is not there are refused", async () => {
  const { cluster } = shop();
  const source = await cluster.start(order, 5);
  await cluster.advance("1 second");
  expect(codeOf(() => source.fork({ id: source.id }))).toBe("INSTANCE_EXISTS");
  source.fork({ id: "other" });
  expect(codeOf(() => source.fork({ id: "other" }))).toBe("INSTANCE_EXISTS");
  expect(codeOf(() => source.fork({ to: "received" }))).toBe("REWIND_TARGET_UNKNOWN");
  expect(codeOf(() => source.fork({ version: "9" }))).toBe("VERSION_MISSING");
});
