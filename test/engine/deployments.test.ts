/** W7, clause by clause: what is recorded is never done again, and what no longer fits stops the instance. */
import { describe, expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import type { WorkflowContext } from "../../src/core/context.ts";
import { type AnyWorkflow, workflow } from "../../src/core/workflow.ts";
import { Cluster } from "../../src/testing/cluster.ts";
import { mock } from "../../src/testing/mock.ts";

type Code = (ctx: WorkflowContext) => Promise<unknown>;

const work = activity("Work", (what: string) => what);
const other = activity("Other", (what: string) => what);
const activities = [work, other].map((one) =>
  mock(one, (what, ctx) => {
    ctx.effect(`${ctx.step}(${what})`);
    return what;
  }),
);

/** Code that does these things one after the other, with a pause at `go`, for which an event is sent. */
const steps =
  (...names: readonly string[]): Code =>
  async (ctx) => {
    const seen: unknown[] = [];
    for (const name of names) {
      const [step = "", key] = name.split(":");
      const options = key === undefined ? {} : { key };
      if (step === "go") seen.push(await ctx.waitForEvent("go"));
      else if (step === "Work") seen.push(await ctx.call(work, key ?? "unkeyed", options));
      else seen.push(await ctx.run(step, () => name, options));
    }
    return seen;
  };

const coded = (run: Code, version = "1"): AnyWorkflow => workflow("Deployed", { version }, run);

/** Runs old code as far as its pause, deploys new code, and lets the instance go on. */
async function deployed(before: Code, after: Code) {
  const cluster = new Cluster({ workflows: [coded(before)], activities });
  const instance = await cluster.start(coded(before));
  await cluster.advance("1 minute");
  cluster.deploy([coded(after)]);
  instance.send("go", "gone");
  await cluster.advance("10 seconds");
  const done = () => cluster.effects.map(({ what }) => what);
  return { cluster, instance, done };
}

describe("steps with names or keys of their own", () => {
  const recorded = ["a", "Work:k1", "Work:k2", "b"] as const;
  test.each<[string, readonly string[]]>([
    ["added before what is recorded", ["new", "Work:k0", ...recorded, "go"]],
    ["added between", ["a", "Work:k1", "new", "Work:k0", "Work:k2", "b", "go"]],
    ["added after", [...recorded, "go", "new", "Work:k0"]],
    ["removed", ["a", "Work:k2", "go"]],
    ["moved", ["Work:k2", "b", "Work:k1", "a", "go"]],
    ["moved behind the pause", ["a", "go", "b", "Work:k2", "Work:k1"]],
    ["added, removed and moved at once", ["Work:k2", "new", "b", "go", "Work:k3", "a"]],
  ])("may be %s: each is done once, and what is recorded never again", async (_what, names) => {
    const { instance, done } = await deployed(steps(...recorded, "go"), steps(...names));
    const results = names.map((name) => (name === "go" ? "gone" : name.replace("Work:", "")));
    expect(instance.output()).toEqual(results);
    const once = ["Work:k1(k1)", "Work:k2(k2)"];
    const added = names
      .filter((name) => /Work:k[03]/.test(name))
      .map((name) => `${name}(${name.slice(5)})`);
    expect(done().sort()).toEqual([...once, ...added].sort());
  });

  test("may get another input where they have a key: what is recorded counts", async () => {
    const keyed =
      (input: string): Code =>
      async (ctx) => {
        const first = await ctx.call(work, input, { key: "k" });
        await ctx.waitForEvent("go");
        return first;
      };
    const { instance, done } = await deployed(keyed("old"), keyed("new"));
    expect(instance.output()).toBe("old");
    expect(done()).toEqual(["Work:k(old)"]);
  });
});

describe("steps that only a count tells apart", () => {
  const counted =
    (...inputs: readonly string[]): Code =>
    async (ctx) => {
      const seen = [];
      for (const input of inputs) seen.push(await ctx.call(work, input));
      seen.push(await ctx.waitForEvent("go"));
      return seen;
    };

  test("may be added and removed at the end", async () => {
    const added = await deployed(counted("1", "2"), counted("1", "2", "3"));
    expect(added.instance.output()).toEqual(["1", "2", "3", "gone"]);
    expect(added.done()).toEqual(["Work(1)", "Work#2(2)", "Work#3(3)"]);
    const removed = await deployed(counted("1", "2"), counted("1"));
    expect(removed.instance.output()).toEqual(["1", "gone"]);
  });

  test.each<[string, readonly string[], string]>([
    ["added in front", ["0", "1", "2"], "Work"],
    ["removed in front", ["2"], "Work"],
    ["swapped", ["1", "3", "2"], "Work#2"],
  ])("stop the instance where they are %s: their inputs differ", async (_what, inputs, step) => {
    const { instance, done } = await deployed(counted("1", "2"), counted(...inputs));
    const { status, error } = instance.document();
    expect([status, error?.code]).toEqual(["Suspended", "NONDETERMINISM"]);
    expect(error?.message).toContain(`step "${step}" is recorded with the input`);
    expect(done()).toEqual(["Work(1)", "Work#2(2)"]);
  });
});

describe("an instance whose code does not fit", () => {
  const kinds: readonly (readonly [kind: string, ask: (ctx: WorkflowContext) => unknown])[] = [
    ["activity", (ctx) => ctx.call(activity("step", () => 1))],
    ["run", (ctx) => ctx.run("step", () => 1)],
    ["event", (ctx) => ctx.waitForEvent("step", { timeout: 1 }).catch(() => 1)],
  ];
  const pairs = kinds.flatMap(([was, before]) =>
    kinds.filter(([is]) => is !== was).map(([is, after]) => ({ was, is, before, after })),
  );
  test.each(pairs)("says that the step was $was and is now asked for as $is", async (pair) => {
    const paused =
      (ask: (ctx: WorkflowContext) => unknown): Code =>
      async (ctx) => {
        await ask(ctx);
        return ctx.waitForEvent("go");
      };
    const { instance, cluster } = await deployed(paused(pair.before), paused(pair.after));
    const { status, error } = instance.document();
    expect([status, error?.code]).toEqual(["Suspended", "NONDETERMINISM"]);
    expect(error?.message).toBe(
      `step "step" is recorded as ${pair.was}, and the code asks for ${pair.is}. Deploy code that ` +
        "fits the history, or give the changed step another name; the instance then goes on",
    );
    cluster.deploy([coded(paused(pair.before))]);
    await cluster.run();
    expect(instance.output()).toBe("gone");
  });

  /** Waits for a timer and three events, with work in between. */
  const long =
    (first: string): Code =>
    async (ctx) => {
      const seen: unknown[] = [await ctx.call(work, first)];
      const nap = ctx.sleep("5 minutes").then(() => seen.push("woke"));
      for (let index = 0; index < 3; index++) seen.push(await ctx.waitForEvent("go"));
      await nap;
      seen.push(await ctx.call(other, "last"));
      return seen;
    };

  test("loses nothing meanwhile: events are kept, a timer that is over is over, no work is redone", async () => {
    const { cluster, instance, done } = await deployed(long("good"), long("bad"));
    instance.send("go", 2);
    await cluster.advance("1 hour");
    instance.crash();
    instance.send("go", 3);
    await cluster.advance("1 hour");
    expect(instance.document()).toMatchObject({ status: "Suspended", waitingFor: [{}, {}] });
    expect(done()).toEqual(["Work(good)"]);
    cluster.deploy([coded(long("good"))]);
    await cluster.run();
    expect(instance.document()).toMatchObject({ status: "Completed", error: null });
    expect([...(instance.output() as unknown[])].sort()).toEqual(
      [2, 3, "gone", "good", "last", "woke"].sort(),
    );
    const taken = (instance.output() as unknown[]).filter((one) =>
      [2, 3, "gone"].includes(one as string),
    );
    expect(taken).toEqual(["gone", 2, 3]);
    expect(done()).toEqual(["Work(good)", "Other(last)"]);
  });

  test("is suspended anew by another deployment that does not fit, with its own words", async () => {
    const { cluster, instance } = await deployed(long("good"), long("bad"));
    expect(instance.document().error?.message).toContain('asks for it with ["bad"]');
    cluster.deploy([coded(long("worse"))]);
    await cluster.advance("10 minutes");
    expect(instance.document().error?.message).toContain('asks for it with ["worse"]');
  });
});

describe("versions of one workflow", () => {
  const versions = (...numbers: readonly string[]) =>
    numbers.map((version) =>
      coded(async (ctx) => {
        await ctx.call(work, version);
        await ctx.waitForEvent("go");
        return [ctx.version, await ctx.call(other, version)];
      }, version),
    );
  const [one, two] = versions("1", "2");
  if (one === undefined || two === undefined) throw new Error("there are two");

  test("run side by side, each instance by the one it started with, over crashes and deployments", async () => {
    const cluster = new Cluster({ workflows: [one], activities });
    const older = await cluster.start(one, undefined, { id: "older" });
    await cluster.advance("1 minute");
    cluster.deploy([one, two]);
    const newer = await cluster.start(two, undefined, { id: "newer" });
    await cluster.advance("1 minute");
    cluster.deploy(versions("1", "2", "3"));
    for (const instance of [older, newer]) {
      instance.crash();
      instance.send("go");
    }
    await cluster.run();
    expect([older.output(), newer.output()]).toEqual([
      ["1", "1"],
      ["2", "2"],
    ]);
    expect([older.document().version, newer.document().version]).toEqual(["1", "2"]);
  });

  test("may not be taken away: the instance is suspended, and goes on once its own is back", async () => {
    const cluster = new Cluster({ workflows: [one], activities });
    const instance = await cluster.start(one);
    await cluster.advance("1 minute");
    cluster.deploy([two]);
    instance.send("go");
    await cluster.advance("1 minute");
    const { status, error } = instance.document();
    expect([status, error?.code]).toEqual(["Suspended", "VERSION_MISSING"]);
    expect(error?.message).toBe(
      'workflow "Deployed" version "1" is not registered. ' +
        "Deploy a Worker that registers it; the instance then goes on",
    );
    expect(cluster.effects).toHaveLength(1);
    cluster.deploy([two, one]);
    await cluster.run();
    expect(instance.output()).toEqual(["1", "1"]);
    expect(cluster.effects).toHaveLength(2);
  });

  test("are left by a round that moves on, whose new code never meets the old history", async () => {
    const before = coded(async (ctx) => {
      await ctx.call(work, "before");
      await ctx.waitForEvent("go");
      return ctx.continueAsNew(undefined, { version: "latest" });
    });
    const after = coded(async (ctx) => {
      const asked = await ctx.call(work, "after"); // the same name, with another input
      return [ctx.version, asked, await ctx.waitForEvent("go")];
    }, "2");
    const cluster = new Cluster({ workflows: [before], activities });
    const instance = await cluster.start(before);
    await cluster.advance("1 minute");
    cluster.deploy([before, after]);
    instance.send("go", 1);
    instance.send("go", 2);
    await cluster.run();
    expect(instance.document()).toMatchObject({ version: "2", output: ["2", "after", 2] });
  });

  test("of a round that has moved on are missed as any other", async () => {
    const before = coded((ctx) => ctx.continueAsNew(undefined, { version: "latest" }));
    const after = coded(async (ctx) => ctx.waitForEvent("go"), "2");
    const cluster = new Cluster({ workflows: [before, after], activities });
    const instance = await cluster.start(before);
    await cluster.advance("1 minute");
    cluster.deploy([before]);
    instance.send("go", "back");
    await cluster.advance("1 minute");
    expect(instance.document()).toMatchObject({
      status: "Suspended",
      version: "2",
      error: { code: "VERSION_MISSING" },
    });
    cluster.deploy([before, after]);
    await cluster.run();
    expect(instance.output()).toBe("back");
  });
});
