import { describe, expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import type { ActivityStatus } from "../../src/core/activity-status.ts";
import { WaymarkError } from "../../src/core/errors.ts";
import type { Schema } from "../../src/core/schema.ts";
import { workflow } from "../../src/core/workflow.ts";
import { Cluster } from "../../src/testing/cluster.ts";

const DAY_MILLIS = 86_400_000;
const refusal = (code: string) => expect.objectContaining({ code });

const greet = workflow("Greet", (_ctx, name: string) => `hello ${name}`);
const nap = workflow("Nap", async (ctx, days: number) => {
  await ctx.sleep(`${days} days`);
  return ctx.now;
});
const approval = workflow("Approval", (ctx) =>
  ctx.waitForEvent<{ by: string; at: Date }>("approved", { timeout: "2 days" }),
);

describe("start", () => {
  test("takes the workflow's input and gives back its output, both with their types", async () => {
    const cluster = new Cluster({ workflows: [greet] });
    const instance = await cluster.start(greet, "Ada");
    expect(instance.document().status).toBe("Pending");
    await cluster.run();
    const output: string = instance.output();
    expect(output).toBe("hello Ada");
    expect(instance.document()).toMatchObject({ id: "Greet-1", status: "Completed", tags: {} });
  });

  test("passes the input through the workflow's schema, and refuses what does not fit", async () => {
    const trimmed: Schema<string> = {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: (value) =>
          typeof value === "string"
            ? { value: value.trim() }
            : { issues: [{ message: "no text", path: ["name"] }] },
      },
    };
    const checked = workflow("Checked", { input: trimmed }, (_ctx, name) => name);
    const cluster = new Cluster({ workflows: [checked] });
    const instance = await cluster.start(checked, "  Ada ");
    await cluster.run();
    expect(instance.output()).toBe("Ada");
    const unfit = cluster.start(checked, 5 as unknown as string);
    await expect(unfit).rejects.toThrow("name: no text");
    expect(cluster.objects).toHaveLength(1);
  });

  test("gives a staged workflow without input the first stage's status, at the clock's time", async () => {
    const stage = activity("StageOne", (status: ActivityStatus) => status);
    const staged = workflow("Staged", { stages: [stage] }, async (ctx, status?: ActivityStatus) => {
      if (status === undefined) throw new Error("no status");
      return [status, await ctx.call(stage, status)] as const;
    });
    const cluster = new Cluster({ workflows: [staged] });
    const instance = await cluster.start(staged);
    await cluster.run();
    const [given, ended] = instance.output();
    const lastUpdated = new Date(cluster.clock.now()).toISOString();
    const status = { lastProcessedId: "initialId", processingStage: "StageOne", lastUpdated };
    expect(given).toEqual({ ...status, processingStatus: "New" });
    expect(ended).toEqual({ ...status, processingStatus: "Complete" });
  });

  test("refuses an id that is taken, unless it is told what to do", async () => {
    const cluster = new Cluster({ workflows: [greet] });
    const first = await cluster.start(greet, "Ada", { id: "one" });
    await cluster.run();
    const again = cluster.start(greet, "Eve", { id: "one" });
    await expect(again).rejects.toEqual(refusal("INSTANCE_EXISTS"));
    const existing = await cluster.start(greet, "Eve", { id: "one", onConflict: "existing" });
    expect(existing.output()).toBe("hello Ada");
    await cluster.start(greet, "Eve", { id: "one", onConflict: "replaceFinished" });
    await cluster.run();
    expect(first.output()).toBe("hello Eve");
  });

  test("refuses an id no instance can have, input that cannot be stored and an unknown workflow", async () => {
    const cluster = new Cluster({ workflows: [greet] });
    const start = (input: unknown, id: string) => cluster.start(greet, input as string, { id });
    await expect(start("Ada", "a b")).rejects.toEqual(refusal("INSTANCE_ID_INVALID"));
    await expect(start(() => 1, "a")).rejects.toEqual(refusal("PAYLOAD_UNSUPPORTED"));
    await expect(cluster.start(nap, 1)).rejects.toEqual(refusal("WORKFLOW_NOT_FOUND"));
    expect(cluster.objects).toEqual([]);
  });

  test("finds an id of its own for each, though some were chosen or started at the same time", async () => {
    const spaced = workflow("Two Words", () => 1);
    const cluster = new Cluster({ workflows: [greet, spaced] });
    await cluster.start(greet, "Ada", { id: "Greet-2" });
    const started = await Promise.all([
      cluster.start(greet, "a"),
      cluster.start(greet, "b"),
      cluster.start(spaced),
    ]);
    await cluster.run();
    expect(new Set(started.map(({ id }) => id)).size).toBe(3);
    expect(started.map((instance) => instance.output())).toEqual(["hello a", "hello b", 1]);
  });

  test("waits for its moment where one is given", async () => {
    const cluster = new Cluster({ workflows: [greet] });
    const startAt = new Date(cluster.clock.now() + DAY_MILLIS);
    const instance = await cluster.start(greet, "Ada", { startAt, tags: { team: "a" } });
    await cluster.advance(DAY_MILLIS - 1);
    expect(instance.document()).toMatchObject({ status: "Pending", tags: { team: "a" } });
    await cluster.advance(1);
    expect(instance.output()).toBe("hello Ada");
    const never = cluster.start(greet, "Ada", { startAt: new Date("never") });
    await expect(never).rejects.toEqual(refusal("BODY_INVALID"));
  });
});

describe("time", () => {
  test("of a hundred instances passes on one clock, a hundred days in no time", async () => {
    const cluster = new Cluster({ workflows: [nap] });
    const begun = cluster.clock.now();
    const started = [];
    for (let days = 1; days <= 100; days++) started.push(await cluster.start(nap, days));
    await cluster.run();
    const woken = started.map((instance) => (instance.output().getTime() - begun) / DAY_MILLIS);
    expect(woken).toEqual(started.map((_, index) => index + 1));
    expect(cluster.clock.now() - begun).toBe(100 * DAY_MILLIS);
    expect(cluster.objects).toHaveLength(100);
  });

  test("moves by exactly what it is advanced, and to the moment of a run", async () => {
    const cluster = new Cluster({ workflows: [nap] });
    const begun = cluster.clock.now();
    const instance = await cluster.start(nap, 3);
    await cluster.advance("2.5 days");
    expect(cluster.clock.now()).toBe(begun + 2.5 * DAY_MILLIS);
    expect(instance.document()).toMatchObject({
      status: "Running",
      waitingFor: [{ kind: "timer", due: new Date(begun + 3 * DAY_MILLIS).toISOString() }],
    });
    await cluster.run(new Date(begun + 3 * DAY_MILLIS));
    expect(instance.output()).toEqual(new Date(begun + 3 * DAY_MILLIS));
  });
});

describe("an instance", () => {
  test("takes events with what they carry, Dates and all", async () => {
    const cluster = new Cluster({ workflows: [approval] });
    const instance = await cluster.start(approval);
    await cluster.advance("1 day");
    const payload = { by: "Ada", at: new Date(5) };
    instance.send("approved", payload);
    expect(instance.document().status).toBe("Running"); // it takes effect in the next run
    await cluster.run();
    expect(instance.output()).toEqual(payload);
    expect(() => instance.send("approved")).toThrow(refusal("INSTANCE_TERMINAL"));
  });

  test("says why it has no output, with the failure as the cause", async () => {
    const cluster = new Cluster({ workflows: [approval] });
    const instance = await cluster.start(approval);
    expect(() => instance.output()).toThrow('the instance "Approval-1" is Pending');
    await cluster.run();
    const thrown = thrownBy(() => instance.output());
    expect(thrown.message).toMatch(/^the instance "Approval-1" is Failed: no event "approved"/);
    expect(thrown.cause).toEqual(refusal("EVENT_TIMEOUT"));
    expect(thrown.cause).toBeInstanceOf(WaymarkError);
  });

  test("returns falsy outputs as they are", async () => {
    for (const output of [undefined, null, 0, "", false]) {
      const falsy = workflow("Falsy", () => output);
      const cluster = new Cluster({ workflows: [falsy] });
      const instance = await cluster.start(falsy);
      await cluster.run();
      expect(instance.output()).toBe(output);
    }
  });

  test("is terminated at once, with the reason, and does nothing more", async () => {
    const cluster = new Cluster({ workflows: [nap] });
    const instance = await cluster.start(nap, 1);
    await cluster.advance("1 hour");
    instance.terminate("changed our mind");
    instance.terminate("again"); // as over HTTP: it is so already
    expect(instance.document()).toMatchObject({
      status: "Terminated",
      error: { message: "changed our mind" },
    });
    await cluster.run();
    expect(instance.history().map(({ state }) => state)).toEqual(["cancelled"]);
    expect(() => instance.output()).toThrow("is Terminated: changed our mind");
  });

  test("is found by its id, and one that was never started is not", async () => {
    const cluster = new Cluster({ workflows: [greet] });
    await cluster.start(greet, "Ada", { id: "one" });
    await cluster.run();
    expect(cluster.instance("one").output()).toBe("hello Ada");
    expect(() => cluster.instance("two")).toThrow(refusal("INSTANCE_NOT_FOUND"));
  });
});

function thrownBy(act: () => unknown): Error {
  try {
    act();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error("no error was thrown");
}
