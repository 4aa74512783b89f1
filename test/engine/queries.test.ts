/** Queries: they look at an instance's code in every status, and change nothing. */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { activity } from "../../src/core/activity.ts";
import type { WorkflowContext } from "../../src/core/context.ts";
import { workflow } from "../../src/core/workflow.ts";
import { Cluster } from "../../src/testing/cluster.ts";
import type { TestInstance } from "../../src/testing/test-instance.ts";

const charge = activity("charge", (amount: number) => amount);

const order = workflow("Order", async (ctx, amounts: readonly number[]) => {
  let total = 0;
  ctx.handle("total", { readOnly: true }, () => ({ total, at: ctx.now }));
  for (const amount of amounts) total += await ctx.call(charge, amount);
  await ctx.waitForEvent("go");
  total += 1000;
  if (total > 5000) throw new Error("too much");
  return total;
});

async function begun(amounts: readonly number[] = [1, 2]) {
  const cluster = new Cluster({ workflows: [order] });
  const instance = await cluster.start(order, amounts);
  await cluster.run();
  return { cluster, instance };
}

const totalOf = (instance: TestInstance) => instance.call<{ total: number }>("total");

describe("in every status a query is answered", () => {
  test("Pending: by the code up to its first wait", async () => {
    const cluster = new Cluster({ workflows: [order] });
    const startAt = new Date(cluster.clock.now() + 3_600_000);
    const instance = await cluster.start(order, [1], { startAt });
    expect(await totalOf(instance)).toMatchObject({ total: 0 });
    expect(instance.document().status).toBe("Pending");
  });

  test("Running: from memory, and the same from its rows", async () => {
    const { instance } = await begun();
    const fromMemory = await totalOf(instance);
    expect(fromMemory).toMatchObject({ total: 3 });
    expect(instance.evict()).toBe(true);
    expect(await totalOf(instance)).toEqual(fromMemory);
  });

  test("Suspended, by a person or because its code no longer fits", async () => {
    const { cluster, instance } = await begun();
    instance.suspend();
    await cluster.run();
    expect(await totalOf(instance)).toMatchObject({ total: 3 });
    instance.evict();
    expect(await totalOf(instance)).toMatchObject({ total: 3 });
    const changed = workflow("Order", async (ctx, _: readonly number[]) => {
      ctx.handle("total", { readOnly: true }, () => 0);
      await ctx.sleep("1 day", { key: "other" });
      await ctx.run("charge", () => 0);
    });
    cluster.deploy([changed]);
    await expect(totalOf(instance)).resolves.toBe(0); // as far as it goes, it fits
    const misfit = workflow("Order", async (ctx, _: readonly number[]) => {
      ctx.handle("total", { readOnly: true }, () => 0);
      await ctx.run("charge", () => 0);
    });
    cluster.deploy([misfit]);
    await expect(totalOf(instance)).rejects.toMatchObject({ code: "NONDETERMINISM" });
    cluster.deploy([]);
    await expect(totalOf(instance)).rejects.toMatchObject({ code: "VERSION_MISSING" });
  });

  test.each([
    ["Completed", [1, 2], 1003],
    ["Failed", [4000, 2], 5002],
  ])("%s: by what the code had come to", async (status, amounts, total) => {
    const { cluster, instance } = await begun(amounts);
    instance.send("go");
    await cluster.run();
    expect(instance.document().status).toBe(status);
    expect(await totalOf(instance)).toMatchObject({ total });
    instance.crash();
    expect(await totalOf(instance)).toMatchObject({ total });
  });

  test("Terminated: before and after it had begun", async () => {
    const { instance } = await begun();
    instance.terminate();
    expect(await totalOf(instance)).toMatchObject({ total: 3 });
    const cluster = new Cluster({ workflows: [order] });
    const never = await cluster.start(order, [1]);
    never.terminate();
    expect(await totalOf(never)).toMatchObject({ total: 0 });
  });
});

test("a query of an evicted instance writes no row and sets no alarm", async () => {
  const { cluster, instance } = await begun();
  expect(instance.evict()).toBe(true);
  const object = cluster.object(instance.id);
  const [commits, alarm, attempts] = [object.commits, object.alarm, cluster.trace.length];
  for (let count = 0; count < 3; count++) await totalOf(instance);
  expect([object.commits, object.alarm]).toEqual([commits, alarm]);
  expect(cluster.trace.slice(attempts)).toEqual([]); // no attempt, no commit, no log
});

test("queries that come together share one replay", async () => {
  let runs = 0;
  const counted = workflow("Counted", async (ctx) => {
    runs++;
    ctx.handle("runs", { readOnly: true }, () => runs);
    await ctx.waitForEvent("go");
  });
  const cluster = new Cluster({ workflows: [counted] });
  const instance = await cluster.start(counted);
  await cluster.run();
  instance.evict();
  const object = cluster.object(instance.id);
  const ask = () =>
    object.request((commands) => commands.call(instance.id, { name: "runs", payload: "-1" }, 0));
  const answers = Promise.all(Array.from({ length: 20 }, ask));
  await cluster.run();
  expect(new Set((await answers).map((answer) => JSON.stringify(answer))).size).toBe(1);
  expect(runs).toBe(2);
});

test("a handler that is not there is told of, and a query's own error too", async () => {
  const failing = workflow("Failing", async (ctx) => {
    ctx.handle("fails", { readOnly: true }, () => {
      throw new TypeError("no such item");
    });
    await ctx.waitForEvent("go");
  });
  const cluster = new Cluster({ workflows: [failing] });
  const instance = await cluster.start(failing);
  await expect(instance.call("nothing")).rejects.toMatchObject({ code: "HANDLER_NOT_FOUND" });
  await expect(instance.call("fails")).rejects.toMatchObject({
    code: "HANDLER_FAILED",
    message: expect.stringContaining("TypeError: no such item"),
  });
});

test("the input of a query goes through its schema", async () => {
  const input = z.object({ page: z.int().default(1) });
  const paged = workflow("Paged", async (ctx) => {
    ctx.handle("page", { readOnly: true, input }, ({ page }) => page * 10);
    await ctx.waitForEvent("go");
  });
  const cluster = new Cluster({ workflows: [paged] });
  const instance = await cluster.start(paged);
  await cluster.run();
  expect(await instance.call("page", {})).toBe(10);
  expect(await instance.call("page", { page: 3 })).toBe(30);
  await expect(instance.call("page", { page: "x" })).rejects.toMatchObject({
    code: "INPUT_INVALID",
    message: expect.stringContaining("page"),
  });
});

describe("a query may not act", () => {
  const acts: Record<string, (ctx: WorkflowContext) => unknown> = {
    "ask for the step": (ctx) => void ctx.call(charge, 1),
    "ask for the step ": (ctx) => void ctx.sleep("1 day").catch(() => {}),
    "ask for the step  ": (ctx) => void ctx.fetch("https://example.com/").catch(() => {}),
    "ask for the step   ": (ctx) => void ctx.map([1], charge).catch(() => {}),
    "set the status": (ctx) => ctx.setStatus(1),
    "draw a random value": (ctx) => ctx.random(),
    "draw a random value ": (ctx) => ctx.uuid(),
    "end the execution": (ctx) => void ctx.continueAsNew(),
    "register the handler": (ctx) => ctx.handle("other", {}, () => {}),
    "wait for a promise": () => Promise.resolve(1),
  };

  test.each(Object.entries(acts))("%s", async (act, fn) => {
    const acting = workflow("Acting", async (ctx) => {
      ctx.handle("act", { readOnly: true }, () => fn(ctx) as undefined);
      ctx.handle("caught", { readOnly: true }, () => {
        try {
          return fn(ctx) as undefined;
        } catch {
          return undefined;
        }
      });
      await ctx.waitForEvent("go");
      return [ctx.random(), ctx.uuid()];
    });
    const cluster = new Cluster({ workflows: [acting] });
    const [instance, undisturbed] = [
      await cluster.start(acting),
      await cluster.start(acting, undefined, { id: "Acting-1" }).catch(() => null),
    ];
    expect(undisturbed).toBeNull();
    await cluster.run();
    const before = instance.export();
    for (const name of ["act", "caught"]) {
      const refused = { code: "HANDLER_READ_ONLY", message: expect.stringContaining(act.trim()) };
      await expect(instance.call(name)).rejects.toMatchObject(refused);
      instance.evict();
      await expect(instance.call(name)).rejects.toMatchObject(refused);
    }
    expect(instance.export()).toEqual(before);
    instance.send("go");
    await cluster.run();
    expect(instance.document().status).toBe("Completed");
  });
});

test("what a handler may not be is refused where it is registered", async () => {
  const wrong: [string, (ctx: WorkflowContext) => void][] = [
    ["registered twice", (ctx) => [1, 2].map(() => ctx.handle("a", {}, () => {}))],
    ["may not be async", (ctx) => ctx.handle("a", { readOnly: true }, (async () => 1) as never)],
    ["may not be async", (ctx) => ctx.handle("a", { validate: async () => {} }, () => {})],
    ["is no function", (ctx) => ctx.handle("a", {}, undefined as never)],
    ["is no name", (ctx) => ctx.handle("a()", {}, () => {})],
    ["is no Standard Schema", (ctx) => ctx.handle("a", { input: {} as never }, () => {})],
  ];
  for (const [message, register] of wrong) {
    const bad = workflow("Bad", async (ctx) => register(ctx));
    const cluster = new Cluster({ workflows: [bad] });
    const instance = await cluster.start(bad);
    await cluster.run();
    expect(instance.document()).toMatchObject({
      status: "Failed",
      error: { message: expect.stringContaining(message) },
    });
  }
});
