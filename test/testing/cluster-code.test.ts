/** Deployments under a cluster, and instances that will never go on. */
import { expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import { workflow } from "../../src/core/workflow.ts";
import { Cluster } from "../../src/testing/cluster.ts";

/** What workflows and activities logged themselves. */
const ownLines = (cluster: Cluster) =>
  cluster.trace.flatMap((told) => {
    if (told.kind !== "log" || told.event.event !== "log") return [];
    return [{ object: told.object, message: told.event.message }];
  });

test("a deployment changes the code under running instances, and what is recorded stays", async () => {
  const before = workflow("Steps", async (ctx) => {
    const first = await ctx.run("first", () => "old");
    await ctx.sleep("1 day");
    return [first, await ctx.run("second", () => "old")];
  });
  const after = workflow("Steps", async (ctx) => {
    const first = await ctx.run("first", () => "new");
    await ctx.sleep("1 day");
    return [first, await ctx.run("second", () => "new"), await ctx.run("third", () => "new")];
  });
  const cluster = new Cluster({ workflows: [before] });
  const instance = await cluster.start(before);
  await cluster.advance("1 hour");
  cluster.deploy([after]);
  const later = await cluster.start(after);
  await cluster.run();
  expect(cluster.instance(instance.id).output()).toEqual(["old", "new", "new"]);
  expect(later.output()).toEqual(["new", "new", "new"]);
});

test("an instance whose code is gone is suspended, and goes on by itself once it is back", async () => {
  const waiting = workflow("Waiting", (ctx) => ctx.waitForEvent<number>("go"));
  const cluster = new Cluster({ workflows: [waiting] });
  const instance = await cluster.start(waiting);
  await cluster.run();
  cluster.deploy([]);
  instance.send("go", 5);
  await cluster.advance("1 minute");
  expect(instance.document()).toMatchObject({
    status: "Suspended",
    error: { code: "VERSION_MISSING" },
  });
  expect(() => instance.output()).toThrow("is Suspended");
  expect(cluster.stuck()).toEqual([]);
  cluster.deploy([waiting]);
  await cluster.advance("1 hour");
  expect(instance.output()).toBe(5);
});

test("two versions run side by side: an instance keeps the one it started with", async () => {
  const first = workflow("Versioned", { version: "1" }, async (ctx) => {
    await ctx.sleep("1 day");
    return `code 1, version ${ctx.version}`;
  });
  const second = workflow("Versioned", { version: "2" }, (ctx) => `code 2, version ${ctx.version}`);
  const cluster = new Cluster({ workflows: [first] });
  const old = await cluster.start(first);
  await cluster.advance("1 hour");
  cluster.deploy([first, second]);
  const young = await cluster.start(second);
  await cluster.run();
  expect(old.output()).toBe("code 1, version 1");
  expect(young.output()).toBe("code 2, version 2");
});

test("an instance that lost its alarm is stuck; one that waits for an event or has ended is not", async () => {
  const nap = workflow("Nap", (ctx) => ctx.sleep("1 day"));
  const waiting = workflow("Waiting", (ctx) => ctx.waitForEvent("go"));
  const short = workflow("Short", () => 1);
  const losing = new Set(["lost"]);
  const cluster = new Cluster({
    workflows: [nap, waiting, short],
    faults: { alarmLost: (object) => losing.has(object) },
  });
  const lost = await cluster.start(nap, undefined, { id: "lost" });
  const sleeping = await cluster.start(nap, undefined, { id: "sleeping" });
  await cluster.start(waiting);
  await cluster.start(short);
  expect(cluster.stuck()).toEqual([]);
  await cluster.advance("1 hour");
  expect(cluster.stuck().map(({ id }) => id)).toEqual(["lost"]);
  losing.clear();
  lost.crash(); // the next request finds a new memory, and sets the alarm again
  lost.document();
  await cluster.run();
  expect(cluster.stuck()).toEqual([]);
  expect([lost, sleeping].map((instance) => instance.document().status)).toEqual([
    "Completed",
    "Completed",
  ]);
});

test("what happens is told as it happens, and kept in order with the clock's time", async () => {
  const nap = workflow("Nap", (ctx) => ctx.sleep("1 day"));
  const told: string[] = [];
  const cluster = new Cluster({
    workflows: [nap],
    onEvent: ({ kind, object }) => told.push(`${object} ${kind}`),
  });
  await cluster.start(nap, undefined, { id: "a" });
  await cluster.start(nap, undefined, { id: "b" });
  await cluster.run();
  expect(told).toEqual(cluster.trace.map(({ kind, object }) => `${object} ${kind}`));
  const times = cluster.trace.map(({ at }) => at);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  expect(told.filter((line) => line.endsWith("alarm"))).toEqual([
    "a alarm",
    "b alarm",
    "a alarm",
    "b alarm",
  ]);
});

test("instances that are due at the same moment work side by side", async () => {
  const twice = activity("Twice", async (_: undefined, ctx) => {
    for (let half = 1; half <= 2; half++) {
      ctx.log(ctx.instanceId);
      await ctx.checkpoint(half);
    }
  });
  const working = workflow("Working", (ctx) => ctx.call(twice));
  const cluster = new Cluster({ workflows: [working] });
  for (const id of ["a", "b"]) await cluster.start(working, undefined, { id });
  await cluster.run();
  expect(ownLines(cluster).map(({ object }) => object)).toEqual(["a", "b", "a", "b"]);
});

test("another choice of who goes on first changes the order, and no outcome", async () => {
  const part = activity("Part", async (name: string, ctx) => {
    await ctx.checkpoint(1);
    await ctx.checkpoint(2);
    ctx.log(name);
    return name;
  });
  const parts = workflow("Parts", (ctx) =>
    Promise.all(["a", "b", "c"].map((name) => ctx.call(part, name))),
  );
  const ran = async (choose: (count: number) => number) => {
    const cluster = new Cluster({ workflows: [parts], choose });
    const instance = await cluster.start(parts);
    await cluster.run();
    const order = ownLines(cluster).map(({ message }) => message);
    return { output: instance.output().join(""), order: order.join("") };
  };
  expect(await ran(() => 0)).toEqual({ output: "abc", order: "abc" });
  expect(await ran((count) => count - 1)).toEqual({ output: "abc", order: "cba" });
});
