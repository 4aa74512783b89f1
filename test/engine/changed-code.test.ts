/** Deployments under running instances: what a step that is asked for later, or never, must survive. */
import { expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import { workflow } from "../../src/core/workflow.ts";
import { InProcessObject } from "../../src/testing/in-process-object.ts";
import { ID, startCommand, started } from "./harness.ts";

test("a wait that new code asks for later still hears its event after an eviction", async () => {
  const before = workflow("Approval", async (ctx) => {
    const go = ctx.waitForEvent("go");
    await ctx.waitForEvent("ping");
    return go;
  });
  const after = workflow("Approval", async (ctx) => {
    await ctx.waitForEvent("ping");
    await ctx.run("audit", () => 1);
    return ctx.waitForEvent("go");
  });
  const object = started(before);
  await object.run();
  object.deploy([after]);
  object.commands.sendEvent(ID, { event: "ping", payload: "[1]" });
  await object.run();
  object.crash();
  object.commands.sendEvent(ID, { event: "go", payload: "[5]" });
  await object.run();
  expect(object.commands.get(ID)).toMatchObject({ status: "Completed", output: 5 });
});

test("a step that new code no longer asks for shows as orphaned and wakes nobody", async () => {
  const before = workflow("Nap", async (ctx) => {
    void ctx.sleep("1 hour");
    await ctx.waitForEvent("go");
  });
  const after = workflow("Nap", async (ctx) => {
    await ctx.waitForEvent("go");
    await ctx.waitForEvent("again");
  });
  const object = started(before);
  await object.run(object.clock.now() + 10);
  object.deploy([after]);
  object.commands.sendEvent(ID, { event: "go", payload: "[1]" });
  await object.run(object.clock.now() + 10);
  expect(object.alarm).toBeNull();
  const { items } = object.commands.history(ID, null, 10);
  expect(items.map((item) => [item.step, item.state])).toContainEqual(["sleep", "orphaned"]);
});

test("an instance suspended before its first turn starts as any other once its code is back", async () => {
  const echo = activity("Echo", (moment: Date) => moment);
  const late = workflow("Late", async (ctx) => {
    ctx.log("first line");
    const now = await ctx.call(echo, ctx.now);
    await ctx.waitForEvent("go");
    return now;
  });
  const object = new InProcessObject({ workflows: [late] });
  const startAt = object.clock.now() + 1_000;
  object.commands.start(startCommand(late, undefined, { startAt }));
  object.commit();
  object.deploy([]);
  await object.run(startAt + 5_000);
  expect(object.commands.get(ID)).toMatchObject({
    status: "Suspended",
    error: { code: "VERSION_MISSING" },
  });
  object.deploy([late]);
  await object.run(startAt + 120_000);
  const { startedAt } = object.commands.get(ID);
  object.crash();
  object.commands.sendEvent(ID, { event: "go", payload: "[1]" });
  await object.run(startAt + 130_000);
  const end = object.commands.get(ID);
  expect(end).toMatchObject({ status: "Completed", error: null, output: startedAt });
  const told = object.logs.filter(({ event }) => event === "log" || event === "instance.started");
  expect(told.map(({ event }) => event)).toEqual(["instance.started", "log"]);
});

test("a stalled workflow is looked at less and less often, down to once an hour", async () => {
  const stalled = workflow("Stalled", async (ctx) => {
    await ctx.run("one", () => 1);
    await new Promise(() => {});
  });
  const object = started(stalled);
  await object.run(object.clock.now() + 24 * 3_600_000);
  expect(object.commands.get(ID)).toMatchObject({
    status: "Suspended",
    error: { code: "WORKFLOW_STALLED" },
  });
  const looks = object.logs.filter(({ event }) => event === "instance.suspended").length;
  expect(looks).toBeGreaterThan(20);
  expect(looks).toBeLessThan(35);
});

test("a suspended instance goes on by itself after a deployment that fits", async () => {
  const good = workflow("Fixed", async (ctx) => {
    await ctx.run("one", () => 1);
    return ctx.waitForEvent("go");
  });
  const bad = workflow("Fixed", async (ctx) => {
    await ctx.sleep("1 hour");
    await ctx.waitForEvent("one");
  });
  const object = started(good);
  await object.run();
  object.deploy([workflow("Fixed", (ctx) => ctx.waitForEvent("one"))]);
  object.commands.sendEvent(ID, { event: "go", payload: "[7]" });
  await object.run(object.clock.now() + 100);
  const suspended = object.commands.get(ID);
  expect(suspended).toMatchObject({ status: "Suspended", error: { code: "NONDETERMINISM" } });
  expect(suspended.error?.message).toMatch(/"one" is recorded as run, and the code asks for event/);
  object.deploy([bad]);
  await object.run(object.clock.now() + 100);
  object.deploy([good]);
  await object.run(object.clock.now() + 2 * 3_600_000);
  expect(object.commands.get(ID)).toMatchObject({ status: "Completed", output: 7, error: null });
});
