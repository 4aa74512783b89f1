import { describe, expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import { entity } from "../../src/core/entity.ts";
import { isWaymarkError } from "../../src/core/errors.ts";
import { workflow } from "../../src/core/workflow.ts";
import { Cluster, type ClusterOptions } from "../../src/testing/cluster.ts";
import { leftBehind } from "../../src/testing/left-behind.ts";
import { mock } from "../../src/testing/mock.ts";
import type { TestInstance } from "../../src/testing/test-instance.ts";

const counter = entity("Counter", {
  initial: () => 0,
  operations: {
    add: (ctx, n: number) => (ctx.state += n),
  },
});

/** Holds two counters until it is told how to end. */
const holding = workflow("Holding", async (ctx, rounds: number) => {
  const a = ctx.entity(counter, "a");
  if (rounds < 0) return "after another round";
  await ctx.lock(a, ctx.entity(counter, "b"));
  await a.add(1);
  const how = await ctx.waitForEvent<string>("end");
  if (how === "throw") throw new Error("it failed");
  if (how === "round") return ctx.continueAsNew(rounds - 1);
  return "returned";
});

const next = workflow("Next", async (ctx) => {
  const [a, b] = [ctx.entity(counter, "a"), ctx.entity(counter, "b")];
  await using _lock = await ctx.lock(b, a);
  await b.add(1);
  return await a.add(10);
});

async function held(options: Partial<ClusterOptions> = {}) {
  const cluster = new Cluster({ workflows: [holding, next], entities: [counter], ...options });
  const holder = await cluster.start(holding, 0, { id: "holder" });
  await cluster.advance("1 second");
  const waiting = await cluster.start(next, undefined, { id: "next" });
  await cluster.advance("1 second");
  expect(waiting.document().waitingFor).toEqual([
    { kind: "lock", name: "lock", step: "lock", instanceId: "Counter/a" },
  ]);
  return { cluster, holder, waiting };
}

type Ending = (holder: TestInstance<unknown>, cluster: Cluster) => unknown;

const ENDS: Readonly<Record<string, Ending>> = {
  "that returns": (holder) => holder.send("end", "return"),
  "that fails": (holder) => holder.send("end", "throw"),
  "that goes on as new": (holder) => holder.send("end", "round"),
  "that is cancelled": (holder) => holder.cancel(),
  "that is terminated": (holder) => holder.terminate(),
  "that is terminated while it is suspended": (holder) => {
    holder.suspend();
    holder.terminate();
  },
  "that is purged": (holder) => holder.purge({ force: true }),
};

describe("an instance releases what it holds", () => {
  test.each(Object.entries(ENDS))("where it is one %s", async (_how, end) => {
    for (const evicted of [false, true]) {
      const { cluster, holder, waiting } = await held();
      if (evicted) holder.evict();
      end(holder, cluster);
      await cluster.advance("10 seconds"); // before anybody would ask whether it still holds it
      expect(waiting.output()).toBe(11);
      await cluster.run();
      expect(leftBehind(cluster)).toEqual([]);
    }
  });

  test.each(["restarted", "replaced"] as const)("where it is %s", async (how) => {
    const { cluster, holder, waiting } = await held();
    if (how === "restarted") holder.restart();
    else await cluster.start(holding, 0, { id: "holder", onConflict: "replace" });
    await cluster.advance("10 seconds");
    expect(waiting.output()).toBe(11);
    expect(cluster.entity(counter, "a").state()).toBe(12); // the next execution has its turn after it
    holder.send("end", "return");
    await cluster.run();
    expect(leftBehind(cluster)).toEqual([]);
  });
});

test("a suspended instance keeps its lock", async () => {
  const { cluster, holder, waiting } = await held();
  holder.suspend();
  holder.evict();
  await cluster.advance("2 hours");
  expect(waiting.document().status).toBe("Running");
  holder.resume();
  holder.send("end", "return");
  await cluster.run();
  expect(waiting.output()).toBe(11);
});

test("while it undoes what it did, a failed instance keeps its lock", async () => {
  const undo = activity("Undo", () => {});
  const act = activity("Act", () => {});
  const failing = workflow("Failing", async (ctx) => {
    await ctx.lock(ctx.entity(counter, "a"));
    await ctx.call(act, undefined, { undo });
    ctx.onCompensate(() => ctx.entity(counter, "a").add(1));
    throw new Error("no");
  });
  const cluster = new Cluster({
    workflows: [failing, next],
    entities: [counter],
    activities: [mock(act, () => {}), mock(undo, (_of, ctx) => ctx.sleep("5 seconds"))],
  });
  const instance = await cluster.start(failing, undefined, { id: "failing" });
  const waiting = await cluster.start(next, undefined, { id: "next" });
  await cluster.advance("4 seconds");
  expect(waiting.document().status).toBe("Running");
  await cluster.advance("4 seconds");
  expect(instance.document().status).toBe("Failed");
  expect(waiting.output()).toBe(11);
});

describe("a lock that is waited for", () => {
  const impatient = workflow("Impatient", async (ctx, how: "timeout" | "signal") => {
    const entities = ["0", "a"].map((key) => ctx.entity(counter, key));
    const lost = await (how === "timeout"
      ? ctx.lock(entities, { timeout: "10 seconds" })
      : ctx.race({
          lock: (signal) => ctx.lock(entities, { signal }),
          late: (signal) => ctx.sleep("10 seconds", { signal }),
        })
    ).then(
      (won) => ("winner" in won ? won.winner : "granted"),
      (error: unknown) => isWaymarkError(error) && error.code,
    );
    const count = await ctx.entity(counter, "0").add(1);
    await ctx.lock(ctx.entity(counter, "0")); // as a section of its own
    return [lost, count];
  });

  const third = workflow("Third", async (ctx) => {
    await using _lock = await ctx.lock(ctx.entity(counter, "0"));
    return await ctx.entity(counter, "0").add(1);
  });

  test.each([
    ["timeout", "LOCK_TIMEOUT"],
    ["signal", "late"],
  ] as const)("leaves all queues where it is given up because of its %s", async (how, code) => {
    for (const evicted of [false, true]) {
      const { cluster, holder, waiting } = await held({
        workflows: [holding, next, impatient, third],
      });
      const one = await cluster.start(impatient, how, { id: "impatient" });
      await cluster.advance("1 second");
      const last = await cluster.start(third, undefined, { id: "third" });
      await cluster.advance("5 seconds");
      expect(last.document().status).toBe("Running");
      if (evicted) one.evict();
      await cluster.advance("10 seconds");
      expect([one.output(), last.output()]).toEqual([[code, 2], 1]);
      holder.send("end", "return");
      await cluster.run();
      expect(waiting.output()).toBe(11);
      expect(leftBehind(cluster)).toEqual([]);
    }
  });

  test("is given up where its instance is cancelled or terminated", async () => {
    for (const how of ["cancel", "terminate"] as const) {
      const { cluster, holder, waiting } = await held();
      waiting[how]();
      await cluster.advance("1 second");
      expect(waiting.document().status).toBe("Terminated");
      holder.send("end", "return");
      await cluster.run();
      const again = await cluster.start(next);
      await cluster.run();
      expect(again.output()).toBe(11);
      expect(leftBehind(cluster)).toEqual([]);
    }
  });
});

test("a lock that was granted as the code gave it up is released", async () => {
  const act = activity("Act", () => {});
  const racing = workflow("Racing", async (ctx) => {
    const a = ctx.entity(counter, "a");
    const first = await ctx.race({
      lock: (signal) => ctx.lock([a], { signal }),
      act: (signal) => ctx.call(act, undefined, { signal }),
    });
    if (first.winner === "lock") await first.value.release();
    await using _lock = await ctx.lock(a); // which it waited for in vain, if it held it still
    return first.winner;
  });
  const winners = new Set<string>();
  for (let seed = 0; seed < 60; seed++) {
    let drawn = seed + 1;
    const cluster = new Cluster({
      workflows: [racing],
      entities: [counter],
      activities: [mock(act, (_input, ctx) => ctx.sleep(seed % 3))],
      choose: (count) => {
        drawn = (drawn * 48_271 + 11) % 2_147_483_647;
        return drawn % count;
      },
    });
    const instance = await cluster.start(racing);
    await cluster.advance("20 seconds");
    expect(instance.document().status, `seed ${seed}`).toBe("Completed");
    winners.add(instance.output());
  }
  expect(winners).toEqual(new Set(["lock", "act"]));
});

test("an instance that is suspended while it waits sends what it has to send", async () => {
  const { cluster, holder, waiting } = await held();
  waiting.suspend();
  holder.send("end", "return");
  await cluster.advance("10 seconds");
  expect(leftBehind(cluster)).toEqual([]);
  expect(cluster.object("Counter/b").sql.all("SELECT lock FROM entity")).toMatchObject([
    { lock: expect.stringContaining('"id":"next"') },
  ]);
  waiting.resume();
  await cluster.run();
  expect(waiting.output()).toBe(11);
});
