import { expect, test } from "vitest";
import { entity } from "../../src/core/entity.ts";
import { isWaymarkError } from "../../src/core/errors.ts";
import { EntityFailedError } from "../../src/core/failure.ts";
import { workflow } from "../../src/core/workflow.ts";
import { checkHistory } from "../../src/engine/check-history.ts";
import { Cluster } from "../../src/testing/cluster.ts";
import { leftBehind } from "../../src/testing/left-behind.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";

const clock = new VirtualClock();

const journal = entity("Journal", {
  initial: (): string[] => [],
  timeout: "5 minutes",
  operations: {
    note: (ctx, line: string) => ctx.state.push(line),
    slowly: async (ctx, line: string) => {
      await clock.sleep(60_000);
      return ctx.state.push(line);
    },
    spoil: (ctx, line: string) => {
      ctx.state.push(line);
      throw new Error("spoilt");
    },
  },
});

type Journal = typeof journal;

const clusterOf = (...workflows: ConstructorParameters<typeof Cluster>[0]["workflows"]) =>
  new Cluster({ workflows, entities: [journal], clock });

const linesOf = (cluster: Cluster) =>
  cluster.entity<string[], Journal["operations"]>(journal, "a").state();

test("a call with a timeout fails when that is over; the operation runs all the same", async () => {
  const hasty = workflow("Hasty", async (ctx) => {
    const failed = await ctx
      .entity(journal, "a")
      .slowly("x", { timeout: "10 seconds" })
      .catch((error: unknown) => error instanceof EntityFailedError && error.failure.code);
    return [failed, await ctx.entity(journal, "a").note("y")];
  });
  const cluster = clusterOf(hasty);
  const instance = await cluster.start(hasty);
  await cluster.run();
  expect(instance.output()).toEqual(["ENTITY_TIMEOUT", 2]);
  expect(linesOf(cluster)).toEqual(["x", "y"]);
  expect(leftBehind(cluster)).toEqual([]);
});

test("the timeout of a call holds over a loss of the caller's memory", async () => {
  const hasty = workflow("Hasty", async (ctx) => {
    await ctx.entity(journal, "a").slowly("x", { timeout: "10 seconds" });
  });
  const cluster = clusterOf(hasty);
  const instance = await cluster.start(hasty);
  await cluster.advance("5 seconds");
  instance.crash();
  await cluster.run();
  expect(instance.document()).toMatchObject({ status: "Failed", error: { code: "ENTITY_FAILED" } });
});

test("a call is cancelled with its signal, and by a request; the entity is left untouched", async () => {
  const racing = workflow("Racing", async (ctx) => {
    const first = await ctx.race({
      slow: (signal) => ctx.entity(journal, "a").slowly("x", { signal }),
      soon: (signal) => ctx.sleep("10 seconds", { signal }),
    });
    const other = ctx.entity(journal, "a").slowly("y");
    return [
      first.winner,
      await other.catch((error: unknown) => isWaymarkError(error, "CANCELLED")),
    ];
  });
  const cluster = clusterOf(racing);
  const instance = await cluster.start(racing);
  await cluster.advance("70 seconds");
  instance.cancel();
  await cluster.run();
  expect(instance.output()).toEqual(["soon", true]);
  expect(linesOf(cluster)).toEqual(["x", "y"]);
  expect(await checkHistory(racing, instance.export())).toMatchObject({ problem: null });
  expect(leftBehind(cluster)).toEqual([]);
});

test("an instance shows the entity that it waits for", async () => {
  const waiting = workflow("Waiting", (ctx) => ctx.entity(journal, "a").slowly("x"));
  const cluster = clusterOf(waiting);
  const instance = await cluster.start(waiting);
  await cluster.advance("5 seconds");
  const waitingFor = [
    { kind: "entity", name: "Journal.slowly", step: "Journal.slowly", instanceId: "Journal/a" },
  ];
  expect(instance.document().waitingFor).toEqual(waitingFor);
  instance.evict();
  expect(instance.document().waitingFor).toEqual(waitingFor);
});

test("a caller that is terminated, and one that is purged, leave what they have sent", async () => {
  const leaving = workflow("Leaving", async (ctx, line: string) => {
    void ctx.entity(journal, "a").signal.note(`${line} 1`);
    await ctx.entity(journal, "a").slowly(`${line} 2`);
  });
  const cluster = clusterOf(leaving);
  const one = await cluster.start(leaving, "one", { id: "one" });
  await cluster.advance("5 seconds");
  const two = await cluster.start(leaving, "two", { id: "two" });
  await cluster.advance("5 seconds");
  one.terminate();
  two.purge({ force: true, recursive: true });
  await cluster.run();
  expect(one.document().status).toBe("Terminated");
  expect(linesOf(cluster)).toEqual(["one 1", "one 2", "two 1", "two 2"]);
  expect(leftBehind(cluster)).toEqual([]);
});

test("a rewind does not call again what was called when the execution ended, and had not answered", async () => {
  for (const wait of ["30 seconds", "3 minutes"] as const) {
    const cluster = clusterOf();
    const ended = workflow("Ended", async (ctx) => {
      void ctx.entity(journal, "a").signal.note("signal");
      const slow = ctx.entity(journal, "a").slowly("x");
      await ctx.sleep("10 seconds");
      return await slow;
    });
    cluster.deploy([ended]);
    const instance = await cluster.start(ended);
    await cluster.advance("20 seconds");
    instance.terminate();
    await cluster.advance(wait); // its answer comes after the rewind, or before
    instance.rewind();
    await cluster.run();
    expect(instance.output(), wait).toBe(2);
    expect(linesOf(cluster), wait).toEqual(["signal", "x"]);
    expect(await checkHistory(ended, instance.export())).toMatchObject({ problem: null });
    expect(leftBehind(cluster)).toEqual([]);
  }
});

test("an answer to a call that was cancelled, while the code cleans up, is kept for a rewind", async () => {
  const tidy = workflow("Tidy", async (ctx) => {
    try {
      return await ctx.entity(journal, "a").slowly("x");
    } catch (error) {
      await ctx.sleep("5 minutes");
      throw error;
    }
  });
  for (const lost of [false, true]) {
    const cluster = clusterOf(tidy);
    const instance = await cluster.start(tidy);
    await cluster.advance("10 seconds");
    instance.cancel();
    await cluster.advance("10 seconds");
    if (lost) instance.crash();
    await cluster.advance("10 minutes");
    expect(instance.document().status).toBe("Terminated");
    instance.rewind();
    await cluster.run();
    expect(instance.output()).toBe(1);
    expect(linesOf(cluster)).toEqual(["x"]);
    expect(leftBehind(cluster)).toEqual([]);
  }
});

test("a rewind calls again what has failed, and what came of it", async () => {
  const mended = { good: false };
  const repaired = entity("Repaired", {
    initial: (): string[] => [],
    operations: {
      note: (ctx, line: string) => {
        if (!mended.good && line === "bad") throw new Error("bad");
        return ctx.state.push(line);
      },
    },
  });
  const failing = workflow("Failing", async (ctx) => {
    const counts = [await ctx.entity(repaired, "a").note("first")];
    counts.push(await ctx.entity(repaired, "a").note("bad"));
    counts.push(await ctx.entity(repaired, "a").note("last"));
    return counts;
  });
  const cluster = new Cluster({ workflows: [failing], entities: [repaired] });
  const instance = await cluster.start(failing);
  await cluster.run();
  expect(instance.document().status).toBe("Failed");
  mended.good = true;
  instance.rewind();
  await cluster.run();
  expect(instance.output()).toEqual([1, 2, 3]);
  instance.rewind({ to: "Repaired.note#2" });
  await cluster.run();
  expect(instance.output()).toEqual([1, 4, 5]);
  expect(leftBehind(cluster)).toEqual([]);
});

test("a scheduled signal has its turn when it is due, also after an eviction", async () => {
  const scheduling = workflow("Scheduling", async (ctx) => {
    const log = ctx.entity(journal, "a");
    await log.signal.note("tomorrow", { at: new Date(ctx.now.getTime() + 86_400_000) });
    return await log.note("today");
  });
  const cluster = clusterOf(scheduling);
  const instance = await cluster.start(scheduling);
  await cluster.advance("1 hour");
  expect(instance.output()).toBe(1);
  expect(cluster.entity(journal, "a").evict()).toBe(true);
  await cluster.advance("22 hours");
  expect(linesOf(cluster)).toEqual(["today"]);
  await cluster.advance("2 hours");
  expect(linesOf(cluster)).toEqual(["today", "tomorrow"]);
  const history = instance.history().map(({ input }) => input);
  expect(history[0]).toMatchObject({ signal: true, at: expect.stringMatching(/^\d{4}-/) });
});

test("a moment that is none is refused where it is said", async () => {
  const scheduling = workflow("Scheduling", async (ctx) => {
    await ctx.entity(journal, "a").signal.note("x", { at: new Date(Number.NaN) });
  });
  const cluster = clusterOf(scheduling);
  const instance = await cluster.start(scheduling);
  await cluster.run();
  expect(instance.document().error).toMatchObject({ code: "DURATION_INVALID" });
});

test("steps with keys are told apart, and code that calls another entity does not fit the history", async () => {
  const keyed = (key: string) =>
    workflow("Keyed", async (ctx) => {
      const log = ctx.entity(journal, key);
      await Promise.all(["b", "a"].map((line) => log.note(line, { key: line })));
      await log.note("c");
      await ctx.waitForEvent("go");
    });
  const cluster = clusterOf(keyed("a"));
  const instance = await cluster.start(keyed("a"));
  await cluster.run();
  expect(instance.history().map(({ step }) => step)).toContain("Journal.note:b");
  cluster.deploy([keyed("other")]);
  instance.send("go");
  await cluster.advance("1 minute");
  expect(instance.document()).toMatchObject({
    status: "Suspended",
    error: {
      code: "NONDETERMINISM",
      message: expect.stringContaining('"Journal.note" is recorded'),
    },
  });
});

test("a call that the code no longer asks for, and then again, is not sent twice", async () => {
  const calling = (when: "at once" | "never" | "later") =>
    workflow("Calling", async (ctx) => {
      const slow = () => ctx.entity(journal, "a").slowly("x", { key: "k" });
      const signal = () => ctx.entity(journal, "a").signal.note("y", { key: "k" });
      if (when === "at once") void Promise.all([slow(), signal()]);
      await ctx.waitForEvent("go");
      return when === "later" ? (await Promise.all([slow(), signal()]))[0] : null;
    });
  for (const meanwhile of ["10 seconds", "10 minutes"] as const) {
    const cluster = clusterOf(calling("at once"));
    const instance = await cluster.start(calling("at once"));
    await cluster.advance("5 seconds");
    cluster.deploy([calling("never")]);
    instance.document(); // a look is no turn: what is sent goes on
    await cluster.advance(meanwhile);
    cluster.deploy([calling("later")]);
    instance.send("go");
    await cluster.advance("10 minutes");
    expect(instance.output(), meanwhile).toBe(1);
    expect(linesOf(cluster), meanwhile).toEqual(["x", "y"]);
    expect(leftBehind(cluster)).toEqual([]);
  }
});

test("an answer that comes while the caller is suspended is kept for its resume", async () => {
  const waiting = workflow("Waiting", (ctx) => ctx.entity(journal, "a").slowly("x"));
  const cluster = clusterOf(waiting);
  const instance = await cluster.start(waiting);
  await cluster.advance("5 seconds");
  instance.suspend();
  await cluster.advance("5 minutes");
  expect(linesOf(cluster)).toEqual(["x"]);
  expect(instance.document().status).toBe("Suspended");
  instance.evict();
  instance.resume();
  await cluster.run();
  expect(instance.output()).toBe(1);
});
