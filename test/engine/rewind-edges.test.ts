/** A rewind and time, children and fan-outs: what a clock, another instance or a branch beside it makes of it. */
import { describe, expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import { type AnyWorkflow, workflow } from "../../src/core/workflow.ts";
import { Cluster, type ClusterOptions } from "../../src/testing/cluster.ts";
import type { Faults } from "../../src/testing/faults.ts";
import { type Mock, mock } from "../../src/testing/mock.ts";
import { atEachCommit } from "./harness.ts";

const work = activity("work", { retry: { maxAttempts: 1 } }, (text: string) => text);
const note = activity("note", (text: string) => text);

/** A cluster in which work on `failing` fails, and what was called. */
function site(workflows: readonly AnyWorkflow[], options: Partial<ClusterOptions> = {}) {
  const failing = new Set<string>();
  const called: string[] = [];
  const activities: Mock[] = [
    mock(work, (text) => {
      called.push(`work ${text}`);
      if (failing.has(text)) throw new Error(`${text} is down`);
      return text;
    }),
    mock(note, (text) => {
      called.push(`note ${text}`);
      return text;
    }),
  ];
  return { cluster: new Cluster({ workflows, activities, ...options }), failing, called };
}

describe("the time while an instance has ended", () => {
  test.each(["at once", "after a while"])(
    "does not count for a deadline beside a step that failed %s",
    async (when) => {
      const raced = workflow("Raced", (ctx) =>
        ctx.race({
          worked: async (signal) => {
            if (when !== "at once") await ctx.sleep("10 minutes", { key: "first", signal });
            return ctx.call(work, "a", { signal });
          },
          late: (signal) => ctx.sleep("1 hour", { signal }),
        }),
      );
      const { cluster, failing, called } = site([raced]);
      failing.add("a");
      const instance = await cluster.start(raced);
      await cluster.run();
      expect(instance.document().status).toBe("Failed");
      failing.clear();
      await cluster.advance("1 day");
      instance.rewind();
      await cluster.run();
      expect(instance.output()).toEqual({ winner: "worked", value: "a" });
      expect(called).toEqual(["work a", "work a"]);
    },
  );

  test("does not count for a wait that a terminate has interrupted, however often", async () => {
    const waiting = workflow("Waiting", async (ctx) => {
      await ctx.call(note, "x");
      return ctx.waitForEvent("go", { timeout: "1 hour" }).catch(() => "late");
    });
    const { cluster } = site([waiting]);
    const instance = await cluster.start(waiting);
    await cluster.advance("10 minutes");
    for (const turns of [true, false, true]) {
      instance.terminate();
      await cluster.advance("1 day");
      instance.rewind();
      if (turns) await cluster.advance("10 minutes");
    }
    expect(instance.document().status).toBe("Running");
    await cluster.advance("29 minutes");
    expect(instance.document().status).toBe("Running");
    await cluster.advance("2 minutes");
    expect(instance.output()).toBe("late");
  });

  test("counts for a sleep until a moment", async () => {
    const until = workflow("Until", async (ctx, moment: Date) => {
      await ctx.sleepUntil(moment);
      return ctx.now;
    });
    const { cluster } = site([until]);
    const moment = new Date(cluster.clock.now() + 3_600_000);
    const instance = await cluster.start(until, moment);
    await cluster.advance("10 minutes");
    instance.terminate();
    await cluster.advance("40 minutes");
    instance.rewind();
    await cluster.run();
    expect(instance.output()).toEqual(moment);
  });
});

const slow = workflow("Slow", async (ctx, text: string) => {
  await ctx.call(note, text);
  await ctx.sleep("1 hour");
  return `slow ${text}`;
});

describe("a child that was ended with its parent", () => {
  test("goes on where it was though its step has a timeout", async () => {
    const parent = workflow("Parent", (ctx) =>
      ctx.call(slow, "x", { id: "child", timeout: "1 day", parentClose: "terminate" }),
    );
    const { cluster, called } = site([parent, slow]);
    const instance = await cluster.start(parent);
    await cluster.advance("1 minute");
    instance.terminate();
    await cluster.advance("2 days");
    expect(cluster.instance("child").document().status).toBe("Terminated");
    instance.rewind();
    await cluster.run();
    expect(instance.output()).toBe("slow x");
    expect(called).toEqual(["note x"]);
  });

  test("goes on where it was in its second try as well", async () => {
    const flaky = workflow("Flaky", async (ctx, text: string) => {
      await ctx.call(work, text);
      await ctx.sleep("1 hour");
      return "done";
    });
    const parent = workflow("Parent", (ctx) =>
      ctx.call(flaky, "x", {
        ...{ id: "child", parentClose: "terminate" },
        retry: { maxAttempts: 2, firstInterval: "10 seconds" },
      }),
    );
    const { cluster, called, failing } = site([parent, flaky]);
    failing.add("x");
    const instance = await cluster.start(parent);
    await cluster.advance("1 second");
    failing.clear();
    await cluster.advance("1 minute");
    instance.terminate();
    await cluster.run();
    instance.rewind();
    await cluster.run();
    expect(instance.output()).toBe("done");
    expect(called).toEqual(["work x", "work x"]);
  });
});

describe("a child that was only started", () => {
  test.each(["terminate", "cancel"] as const)(
    "and was closed with its parent by a %s goes on with it, at each commit at which it is lost",
    async (parentClose) => {
      const commits = await atEachCommit(async ({ commit, when }) => {
        const parent = workflow("Parent", async (ctx) => {
          await ctx.start(slow, "x", { id: "child", parentClose });
          const done = await ctx.call(work, "a");
          await ctx.sleep("2 hours");
          return done;
        });
        const crash: Faults["crash"] = (object, moment) =>
          object === "parent" &&
          moment.kind === "commit" &&
          moment.commit === commit &&
          moment.when === when;
        const { cluster, failing, called } = site([parent, slow], { faults: { crash } });
        failing.add("a");
        const instance = await cluster.start(parent, undefined, { id: "parent" });
        await cluster.advance("10 minutes");
        expect(cluster.instance("child").document().status).toBe("Terminated");
        failing.clear();
        instance.rewind();
        await cluster.run();
        expect(instance.output()).toBe("a");
        expect(cluster.instance("child").output()).toBe("slow x");
        expect(called.filter((name) => name === "note x")).toHaveLength(1);
        return cluster.object("parent");
      });
      expect(commits).toBeGreaterThan(3);
    },
  );

  test("and was ended by itself stays so", async () => {
    const parent = workflow("Parent", async (ctx) => {
      await ctx.start(slow, "x", { id: "child" });
      return ctx.call(work, "a");
    });
    const { cluster, failing } = site([parent, slow]);
    failing.add("a");
    const instance = await cluster.start(parent);
    await cluster.advance("10 minutes");
    cluster.instance("child").terminate();
    failing.clear();
    instance.rewind();
    await cluster.run();
    expect(instance.output()).toBe("a");
    expect(cluster.instance("child").document().status).toBe("Terminated");
  });
});

describe("a child that runs on when its step is undone", () => {
  test.each(["called", "started"])("gives way to the one that is %s anew", async (how) => {
    let version = 1;
    const parent = workflow("Parent", async (ctx) => {
      const text = await ctx.run("text", () => `x${version}`);
      const child =
        how === "called"
          ? ctx.call(slow, text, { id: "child" })
          : ctx.start(slow, text, { id: "child" });
      await ctx.call(work, "a");
      return child;
    });
    const { cluster, failing, called } = site([parent, slow]);
    failing.add("a");
    const instance = await cluster.start(parent);
    await cluster.advance("1 minute");
    expect(cluster.instance("child").document().status).toBe("Running");
    failing.clear();
    version = 2;
    instance.rewind({ to: "text" });
    await cluster.run();
    if (how === "called") expect(instance.output()).toBe("slow x2");
    expect(cluster.instance("child").output()).toBe("slow x2");
    expect(called.filter((name) => name.startsWith("note"))).toEqual(["note x1", "note x2"]);
    expect(cluster.stuck()).toEqual([]);
  });
});

describe("failures side by side", () => {
  /** Each item's two steps, one after the other; an item that fails does not keep others from theirs. */
  const fan = workflow("Fan", async (ctx, cleansUp: boolean) => {
    const settled = await Promise.allSettled(
      ["1", "2", "3", "4"].map(async (item) => {
        await ctx.call(work, `a${item}`, { key: `a${item}` });
        return ctx.call(work, `b${item}`, { key: `b${item}` });
      }),
    );
    const failed = settled.filter(({ status }) => status === "rejected").length;
    if (failed > 0 && cleansUp) await ctx.call(note, "clean up");
    if (failed > 0) throw new Error(`${failed} failed`);
    return settled.length;
  });

  test.each([true, false])(
    "run again together, whatever others did in between (cleans up: %s)",
    async (cleansUp) => {
      const { cluster, failing, called } = site([fan]);
      failing.add("a1").add("b3");
      const instance = await cluster.start(fan, cleansUp);
      await cluster.run();
      expect(instance.document().error?.message).toBe("2 failed");
      failing.clear();
      const before = called.length;
      instance.rewind();
      await cluster.run();
      expect(instance.output()).toBe(4);
      expect(called.slice(before).sort()).toEqual(["work a1", "work b1", "work b3"]);
    },
  );

  test("run again together, and not those that an earlier part of the code had let pass", async () => {
    const parts = workflow("Parts", async (ctx) => {
      await Promise.allSettled(["a", "b"].map((text) => ctx.call(work, text, { key: text })));
      await ctx.call(note, "went on");
      const second = ["c", "d"].map((text) => ctx.call(work, text, { key: text }));
      const failed = (await Promise.allSettled(second)).filter(
        ({ status }) => status === "rejected",
      );
      if (failed.length > 0) throw new Error(`${failed.length} failed`);
      return "all";
    });
    const { cluster, failing, called } = site([parts]);
    for (const text of ["a", "c", "d"]) failing.add(text);
    const instance = await cluster.start(parts);
    await cluster.run();
    failing.clear();
    const before = called.length;
    instance.rewind();
    await cluster.run();
    expect(instance.output()).toBe("all");
    expect(called.slice(before)).toEqual(["work c", "work d"]);
  });

  test("are waited for again together where they are waits that timed out", async () => {
    const waits = workflow("Waits", async (ctx) => {
      const settled = await Promise.allSettled([
        ctx.waitForEvent("a", { timeout: "1 hour" }),
        ctx.waitForEvent("b", { timeout: "2 hours" }),
      ]);
      for (const one of settled) if (one.status === "rejected") throw one.reason;
      return "both";
    });
    const { cluster } = site([waits]);
    const instance = await cluster.start(waits);
    await cluster.run();
    expect(instance.document().error?.message).toMatch(/"a"/);
    instance.rewind();
    await cluster.advance("1 minute");
    for (const name of ["a", "b"]) instance.send(name);
    await cluster.run();
    expect(instance.output()).toBe("both");
  });
});

test("pages of a history of before and after a rewind are not put together", async () => {
  const chain = workflow("Chain", async (ctx) => {
    for (const text of ["1", "2", "3", "4"]) await ctx.call(work, text);
  });
  const { cluster } = site([chain]);
  const instance = await cluster.start(chain, undefined, { id: "chain" });
  await cluster.run();
  const { commands } = cluster.object("chain");
  const page = (cursor: string | null) => commands.history("chain", cursor, 3);
  const { cursor: before } = page(null);
  instance.rewind({ to: "work#2" });
  await cluster.run();
  expect(() => page(before)).toThrow(/without a cursor/);
  const { items, cursor } = page(null);
  const steps = [...items, ...page(cursor).items].map(({ step }) => step);
  expect(steps.sort()).toEqual(["(rewind)", "work", "work#2", "work#3", "work#4"]);
});

describe("a child that was started as the code failed", () => {
  const broken = workflow("Parent", async (ctx) => {
    ctx.start(slow, "x", { id: "child" });
    throw new TypeError("a bug");
  });
  const mended = workflow("Parent", async (ctx) => {
    const { id } = await ctx.start(slow, "x", { id: "child" });
    return id;
  });

  test("is not started again, though it was purged since", async () => {
    const { cluster, called } = site([broken, slow]);
    const instance = await cluster.start(broken);
    await cluster.run();
    expect(cluster.instance("child").output()).toBe("slow x");
    cluster.instance("child").purge();
    cluster.deploy([mended, slow]);
    instance.rewind();
    await cluster.run();
    expect(instance.output()).toBe("child");
    expect(called).toEqual(["note x"]);
  });

  test("tells why it could not be started", async () => {
    const { cluster } = site([broken, slow]);
    await cluster.start(slow, "other", { id: "child" });
    const instance = await cluster.start(broken);
    await cluster.run();
    cluster.instance("child").purge();
    cluster.deploy([mended, slow]);
    instance.rewind();
    await cluster.run();
    expect(instance.document().error?.code).toBe("INSTANCE_EXISTS");
    instance.rewind();
    await cluster.run();
    expect(instance.output()).toBe("child");
  });
});

describe("while a rewind is previewed", () => {
  const long = "x".repeat(5_000); // read as it is needed
  const chain = workflow("Chain", async (ctx, hours: number) => {
    for (const _ of [1, 2]) await ctx.call(note, long);
    if (hours > 0) await ctx.sleep(`${hours} hours`);
    return ctx.call(work, "a");
  });

  /** A preview that has begun to read the rows of an instance that has failed. */
  async function previewing(hours = 0) {
    const { cluster, failing } = site([chain]);
    failing.add("a");
    const instance = await cluster.start(chain, hours, { id: "chain" });
    await cluster.run();
    const object = cluster.object("chain");
    const preview = object.commands.previewRewind("chain", null).catch((error: unknown) => error);
    return { cluster, instance, preview };
  }

  test("a purge leaves none to preview", async () => {
    const { cluster, instance, preview } = await previewing();
    instance.purge();
    await cluster.run();
    expect(await preview).toMatchObject({ code: "INSTANCE_NOT_FOUND" });
  });

  test("an execution that is begun anew and goes on leaves none to preview", async () => {
    const { cluster, instance, preview } = await previewing(1);
    instance.restart();
    await cluster.advance("1 minute");
    expect(instance.document().status).toBe("Running");
    expect(await preview).toMatchObject({ code: "INSTANCE_NOT_TERMINAL" });
  });

  test("one that is begun anew and has ended again is previewed instead", async () => {
    const { cluster, instance, preview } = await previewing();
    instance.restart();
    instance.terminate(); // before it has a step, and before the preview looks again
    await cluster.run();
    expect(instance.document().status).toBe("Terminated");
    expect(await preview).toEqual({ steps: [] });
  });
});

test.each([
  ["10 minutes", []],
  ["1 day", ["note x"]],
] as const)(
  "one that was to start in an hour and was terminated for %s starts when it was to",
  async (time, expected) => {
    const { cluster, called } = site([slow]);
    const startAt = new Date(cluster.clock.now() + 3_600_000);
    const instance = await cluster.start(slow, "x", { startAt });
    instance.terminate();
    await cluster.advance(time);
    instance.rewind();
    expect(instance.document().status).toBe("Pending");
    await cluster.advance("1 minute");
    expect(called).toEqual(expected);
    await cluster.run();
    expect(instance.output()).toBe("slow x");
  },
);
