import { expect, test } from "vitest";
import { z } from "zod";
import { entity } from "../../src/core/entity.ts";
import { WaymarkError } from "../../src/core/errors.ts";
import { workflow } from "../../src/core/workflow.ts";
import { Cluster } from "../../src/testing/cluster.ts";
import { leftBehind } from "../../src/testing/left-behind.ts";

const total = entity("Total", {
  initial: (): number[] => [],
  operations: { add: (ctx, n: number) => ctx.state.push(n) },
});

const restock = workflow("Restock", async (ctx, article: string) => {
  const { instanceId, step } = ctx.parent ?? {};
  return [article, instanceId, step?.split(":")[0]];
});

const strict = workflow("Strict", { input: z.number() }, (_ctx, n: number) => n);

const stock = entity("Stock", {
  initial: () => 10,
  operations: {
    take: (ctx, n: number) => {
      ctx.state -= n;
      ctx.entity(total, "all").signal.add(n);
      return ctx.state < 5 ? ctx.start(restock, ctx.key, { id: `restock-${ctx.key}` }) : null;
    },
    failAfterSending: (ctx) => {
      ctx.entity(total, "all").signal.add(1_000);
      ctx.start(restock, ctx.key);
      throw new Error("after all");
    },
    startSeveral: (ctx) => [ctx.start(restock, "a"), ctx.start(restock, "b")],
    startStrictly: (ctx) => ctx.start(strict, "none" as never, { id: "strict" }),
    remindItself: (ctx): void => {
      if (--ctx.state > 7) {
        const at = new Date("2026-01-05T00:00:00Z");
        ctx.entity(self(), ctx.key).signal.remindItself(undefined, { at });
      }
    },
    sendBadly: (ctx, what: "key" | "value" | "moment" | "id") => {
      if (what === "key") ctx.entity(total, "").signal.add(1);
      if (what === "value") ctx.entity(total, "a").signal.add((() => 1) as never);
      if (what === "moment") ctx.entity(total, "a").signal.add(1, { at: new Date(Number.NaN) });
      if (what === "id") ctx.start(restock, "a", { id: "no/id" });
    },
  },
});

test("an operation sends an event to an instance", async () => {
  const waiting = workflow("Waiting", (ctx) => ctx.waitForEvent("go"));
  const bell = entity("Bell", {
    initial: () => 0,
    operations: {
      ring: (ctx, id: string) => {
        ctx.state += 1;
        ctx.sendEvent(id, "go", { rung: ctx.state });
      },
    },
  });
  const cluster = new Cluster({ workflows: [waiting], entities: [bell] });
  const instance = await cluster.start(waiting);
  await cluster.entity(bell, "a").call("ring", instance.id);
  await cluster.run();
  expect(instance.output()).toEqual({ rung: 1 });
});

const self = (): typeof stock => stock;

const clusterOf = () => new Cluster({ workflows: [restock, strict], entities: [stock, total] });

test("an operation sends signals and starts workflows, with the state that it leaves", async () => {
  const cluster = clusterOf();
  const one = cluster.entity(stock, "nuts");
  expect(await one.call("take", 3)).toBeNull();
  expect(await one.call("take", 3)).toBe("restock-nuts");
  await cluster.run();
  expect(cluster.entity(total, "all").state()).toEqual([3, 3]);
  expect(cluster.instance("restock-nuts").output()).toEqual(["nuts", "Stock/nuts", "take"]);
  expect(cluster.instance("restock-nuts").document().parent?.id).toBe("Stock/nuts");
  expect(leftBehind(cluster)).toEqual([]);
});

test("nothing leaves of an operation that fails", async () => {
  const cluster = clusterOf();
  const one = cluster.entity(stock, "nuts");
  await expect(one.call("failAfterSending")).rejects.toMatchObject({ code: "ENTITY_FAILED" });
  await cluster.run();
  expect(cluster.objects.map(({ name }) => name)).toEqual(["Stock/nuts"]);
});

test("workflows that are started without an id have one of their own each", async () => {
  const cluster = clusterOf();
  const ids = (await cluster.entity(stock, "nuts").call("startSeveral")) as string[];
  await cluster.run();
  expect(new Set(ids).size).toBe(2);
  expect(ids.map((id) => cluster.instance(id).output())).toEqual(
    ["a", "b"].map((article) => [article, "Stock/nuts", "startSeveral"]),
  );
});

test("a start that is refused is told in the log, and the entity goes on", async () => {
  const cluster = clusterOf();
  const one = cluster.entity(stock, "nuts");
  await cluster.start(restock, "mine", { id: "restock-nuts" });
  await one.call("take", 6);
  await one.call("startStrictly");
  await cluster.run();
  const refused = cluster
    .object("Stock/nuts")
    .logs.filter(({ event }) => event === "message.refused")
    .map(({ to, message, code }) => [to, message, code]);
  expect(refused.toSorted()).toEqual([
    ["restock-nuts", "start", "INSTANCE_EXISTS"],
    ["strict", "start", "INPUT_INVALID"],
  ]);
  expect(await one.call("take", 0)).toBe("restock-nuts");
  await cluster.run();
  expect(leftBehind(cluster)).toEqual([]);
});

test("an entity sends itself what is to be done later", async () => {
  const cluster = clusterOf();
  const one = cluster.entity(stock, "nuts");
  one.signal("remindItself");
  await cluster.advance("1 hour");
  expect(one.state()).toBe(9);
  await cluster.advance("10 days");
  expect(one.state()).toBe(7);
  expect(leftBehind(cluster)).toEqual([]);
});

test("what cannot be sent fails the operation", async () => {
  const one = clusterOf().entity(stock, "nuts");
  const codes: unknown[] = [];
  for (const what of ["key", "value", "moment", "id"] as const) {
    await one.call("sendBadly", what).catch((error: unknown) => {
      codes.push(error instanceof WaymarkError && [error.code, error.message.split(": ")[2]]);
    });
  }
  expect(codes.flat()).toEqual(expect.arrayContaining(["ENTITY_FAILED", "PAYLOAD_UNSUPPORTED"]));
  expect(codes).toHaveLength(4);
});
