import { describe, expect, test } from "vitest";
import { entity } from "../../src/core/entity.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { workflow } from "../../src/core/workflow.ts";
import { checkHistory } from "../../src/engine/check-history.ts";
import { Cluster, type ClusterOptions } from "../../src/testing/cluster.ts";
import { leftBehind } from "../../src/testing/left-behind.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";

const counter = entity("Counter", {
  initial: () => 0,
  operations: {
    get: (ctx) => ctx.state,
    add: (ctx, n: number) => (ctx.state += n),
    remove: (ctx) => ctx.delete(),
  },
});

const holding = workflow("Holding", async (ctx, keys: readonly string[]) => {
  await using _lock = await ctx.lock(keys.map((key) => ctx.entity(counter, key)));
  await ctx.waitForEvent("go");
});

const next = workflow("Next", async (ctx) => {
  await using _lock = await ctx.lock(ctx.entity(counter, "a"));
  return await ctx.entity(counter, "a").add(1);
});

async function held(options: Partial<ClusterOptions> = {}) {
  const cluster = new Cluster({ workflows: [holding, next], entities: [counter], ...options });
  const holder = await cluster.start(holding, ["a", "b"], { id: "holder" });
  await cluster.advance("1 second");
  return { cluster, holder, a: cluster.object("Counter/a") };
}

describe("an entity whose holder does not release it", () => {
  test("asks for it while somebody waits, less and less often, and never takes it from one that lives", async () => {
    const asked: number[] = [];
    const clock = new VirtualClock();
    const { cluster, holder } = await held({
      clock,
      faults: {
        message: (object, what) => {
          if (object === "holder" && what.includes("probe")) asked.push(clock.now());
          return {};
        },
      },
    });
    await cluster.advance("1 day");
    expect(cluster.object("Counter/a").alarm).toBeNull(); // nobody waits: it costs nothing
    const since = clock.now();
    const waiting = await cluster.start(next);
    await cluster.advance("20 minutes");
    const waits = asked.map((at, index) => (at - (asked[index - 1] ?? since)) / 1_000);
    expect(waits.map(Math.round)).toEqual([30, 60, 120, 240, 300, 300]);
    expect(waiting.document().status).toBe("Running");
    holder.send("go");
    await cluster.run();
    expect(waiting.output()).toBe(1);
    expect(leftBehind(cluster)).toEqual([]);
  });

  test("gives it to the next where its instance says that it does not hold it", async () => {
    const { cluster, holder } = await held();
    holder.evict();
    cluster.object("holder").sql.run("DELETE FROM step"); // as if it had never asked
    const waiting = await cluster.start(next);
    await cluster.advance("29 seconds");
    expect(waiting.document().status).toBe("Running");
    await cluster.advance("5 seconds");
    expect(waiting.output()).toBe(1);
  });

  test("keeps it where nobody answers", async () => {
    const { cluster } = await held({
      faults: { message: (object) => (object === "holder" ? { lost: true } : {}) },
    });
    const waiting = await cluster.start(next);
    await cluster.advance("2 hours");
    expect(waiting.document().status).toBe("Running");
  });

  test("is told at once that a grant is of an execution that is past", async () => {
    const { cluster } = await held();
    const second = await cluster.start(holding, ["a", "b"], { id: "second" });
    await cluster.advance("1 second");
    second.evict();
    cluster.object("second").sql.run("DELETE FROM step");
    const waiting = await cluster.start(next);
    cluster.instance("holder").send("go");
    await cluster.advance("5 seconds");
    expect(waiting.output()).toBe(1);
  });
});

test("an entity without a state is kept as long as it is locked, and erased a day after its last use", async () => {
  const { cluster, holder, a } = await held();
  await cluster.advance("3 days");
  expect(a.sql.all("SELECT name FROM sqlite_master WHERE name = 'entity'")).toHaveLength(1);
  holder.send("go");
  await cluster.advance("23 hours");
  expect(a.sql.all("SELECT name FROM sqlite_master WHERE name = 'entity'")).toHaveLength(1);
  await cluster.advance("2 hours");
  expect(a.sql.all("SELECT name FROM sqlite_master WHERE name = 'entity'")).toHaveLength(0);
});

test("operations of others wait in their order: requests, signals of entities, and what is scheduled", async () => {
  const order: string[] = [];
  const journal = entity("Journal", {
    initial: () => 0,
    operations: { note: (_ctx, line: string) => void order.push(line) },
  });
  const forwarding = entity("Forwarding", {
    initial: () => 0,
    operations: { send: (ctx) => ctx.entity(journal, "x").signal.note("of an entity") },
  });
  const writing = workflow("Writing", async (ctx) => {
    const x = ctx.entity(journal, "x");
    await x.signal.note("scheduled before", { at: new Date(ctx.now.getTime() + 2_000) });
    const lock = await ctx.lock(x);
    await x.note("first");
    await ctx.sleep("5 seconds");
    void x.signal.note("last");
    void lock.release();
    void x.signal.note("after the release");
  });
  const cluster = new Cluster({ workflows: [writing], entities: [journal, forwarding] });
  const instance = await cluster.start(writing);
  await cluster.advance("1 second");
  cluster.entity(journal, "x").signal("note", "of a request");
  cluster.entity(forwarding, "y").signal("send");
  await cluster.run();
  expect(instance.document().status).toBe("Completed");
  expect(order).toEqual([
    ...["first", "scheduled before", "last"],
    ...["of a request", "of an entity", "after the release"],
  ]);
});

test("a request is told that a locked entity is busy, and its document says who holds it", async () => {
  const { cluster, holder, a } = await held();
  const seen = () => a.entity.state("Counter", "a");
  expect(seen).toThrow("has no state");
  holder.send("go");
  await cluster.advance("1 second");
  await cluster.entity(counter, "a").call("add", 1);
  await cluster.start(holding, ["a"], { id: "other" });
  await cluster.advance("1 second");
  cluster.entity(counter, "a").signal("add", 1);
  expect(seen()).toMatchObject({ state: 1, waiting: 1, lockedBy: "other" });
  cluster.instance("other").send("go");
  await cluster.run();
  expect(seen()).toEqual({ ...seen(), state: 2, waiting: 0 });
  expect(seen()).not.toHaveProperty("lockedBy");
});

test("an operation that kills its object every time does not keep the entity from the next", async () => {
  let cluster: Cluster | null = null;
  const deadly = entity("Deadly", {
    initial: () => 0,
    operations: {
      add: (ctx, n: number) => (ctx.state += n),
      die: (): number => {
        cluster?.object("Deadly/x").crash();
        return 0;
      },
    },
  });
  const dying = workflow("Dying", async (ctx) => {
    const x = ctx.entity(deadly, "x");
    await using _lock = await ctx.lock(x);
    const code = await x.die().catch((error: { failure: { code: string } }) => error.failure.code);
    return [code, await x.add(1)];
  });
  const after = workflow("After", async (ctx) => {
    await using _lock = await ctx.lock(ctx.entity(deadly, "x"));
    return await ctx.entity(deadly, "x").add(1);
  });
  cluster = new Cluster({ workflows: [dying, after], entities: [deadly] });
  const one = await cluster.start(dying);
  await cluster.advance("500 milliseconds");
  const two = await cluster.start(after);
  await cluster.run();
  expect([one.output(), two.output()]).toEqual([["ENTITY_LOST", 1], 2]);
  expect(leftBehind(cluster)).toEqual([]);
});

test("code that does not fit the section of its history stands still, and goes on when it fits again", async () => {
  const other = workflow("Holding", async (ctx, keys: readonly string[]) => {
    await ctx.lock([...keys, "c"].map((key) => ctx.entity(counter, key)));
    await ctx.waitForEvent("go");
  });
  const { cluster, holder } = await held();
  expect(await checkHistory(holding, holder.export())).toMatchObject({ problem: null });
  cluster.deploy([other, next]);
  holder.send("go");
  await cluster.advance("10 seconds");
  expect(holder.document().error).toMatchObject({ code: "NONDETERMINISM" });
  cluster.deploy([holding, next]);
  await cluster.run();
  expect(holder.document().status).toBe("Completed");

  const twice = workflow("Twice", async (ctx) => {
    const lock = await ctx.lock(ctx.entity(counter, "a"));
    await lock.release();
    await ctx.waitForEvent("go");
    return ctx.entity(counter, "a").add(1);
  });
  const keeping = workflow("Twice", async (ctx) => {
    await ctx.lock(ctx.entity(counter, "a"));
    await ctx.waitForEvent("go");
    return ctx.entity(counter, "a").add(1);
  });
  const there = new Cluster({ workflows: [twice], entities: [counter] });
  const instance = await there.start(twice);
  await there.advance("1 second");
  expect(await checkHistory(keeping, instance.export())).toMatchObject({
    problem: expect.stringContaining("is recorded as released"),
  });
  there.deploy([keeping]);
  instance.send("go");
  await there.advance("1 minute");
  expect(instance.document().error).toMatchObject({ code: "NONDETERMINISM" });
  there.deploy([twice]);
  await there.advance("2 hours");
  expect(instance.output()).toBe(1);
});

test("what the holder has sent before its release runs in the section, however late the two arrive", async () => {
  const writing = workflow("Writing", async (ctx) => {
    await ctx.lock(ctx.entity(counter, "a"));
    await ctx.waitForEvent("go");
    void ctx.entity(counter, "a").signal.add(100);
  });
  let reachable = true;
  const { cluster, holder } = await held({
    workflows: [writing, holding, next],
    faults: {
      message: (object, what) =>
        object === "Counter/a" && !reachable && /operation|unlock/.test(what) ? { lost: true } : {},
    },
  });
  holder.send("go");
  const late = await cluster.start(writing);
  await cluster.advance("1 second");
  reachable = false;
  late.send("go");
  await cluster.advance("1 second");
  expect(late.document().status).toBe("Completed");
  const waiting = await cluster.start(next);
  await cluster.advance("10 minutes"); // and it was asked whether it still holds it
  expect(waiting.document().status).toBe("Running");
  reachable = true;
  await cluster.run();
  expect(waiting.output()).toBe(101);
});

test("a queue that others have filled does not keep the holder from what it calls", async () => {
  const { cluster, holder } = await held();
  const calling = workflow("Holding", async (ctx, keys: readonly string[]) => {
    await using _lock = await ctx.lock(keys.map((key) => ctx.entity(counter, key)));
    await ctx.waitForEvent("go");
    await ctx.entity(counter, "a").add(1);
  });
  cluster.deploy([calling, next]);
  const filled = () => {
    for (;;) cluster.entity(counter, "a").signal("add", 1);
  };
  expect(filled).toThrow("operations that wait");
  holder.send("go");
  await cluster.advance("5 seconds");
  expect(holder.document().status).toBe("Completed");
  await cluster.run();
  expect(cluster.entity(counter, "a").state()).toBe(LIMITS.entityQueue + 1);
});
