import { expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import type { Duration } from "../../src/core/duration.ts";
import { workflow } from "../../src/core/workflow.ts";
import { Cluster } from "../../src/testing/cluster.ts";
import { mock } from "../../src/testing/mock.ts";
import { Scheduler } from "../../src/testing/scheduler.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";

import { started } from "../engine/harness.ts";

const starting = () => new Scheduler({ clock: new VirtualClock(0) });

/** Takes so many turns, and notes each. */
async function worker(scheduler: Scheduler, name: string, turns: number, told: string[]) {
  for (let turn = 1; turn <= turns; turn++) {
    await scheduler.turn();
    told.push(`${name}${turn}`);
  }
}

/** Three workers of two turns each, and the order in which they went. */
async function order(choose?: (count: number) => number): Promise<string> {
  const scheduler = new Scheduler(choose === undefined ? {} : { choose });
  const told: string[] = [];
  for (const name of ["a", "b", "c"]) void worker(scheduler, name, 2, told);
  await scheduler.run();
  return told.join(" ");
}

test("the oldest of those who wait goes on first", async () => {
  expect(await order()).toBe("a1 b1 c1 a2 b2 c2");
});

test("another choice gives another order, and the same choice the same one", async () => {
  const newest = (count: number) => count - 1;
  expect(await order(newest)).toBe("c1 c2 b1 b2 a1 a2");
  expect(await order(newest)).toBe(await order(newest));
});

test("the choice is asked with how many could go on", async () => {
  const counts: number[] = [];
  await order((count) => {
    counts.push(count);
    return 0;
  });
  expect(counts).toEqual([3, 3, 3, 3, 2, 1]);
});

test("between two turns everything that promises can run has run", async () => {
  const scheduler = starting();
  const told: string[] = [];
  const chain = async () => {
    await scheduler.turn();
    for (let job = 1; job <= 20; job++) await Promise.resolve();
    told.push("chain");
  };
  void chain();
  void worker(scheduler, "next", 1, told);
  await scheduler.run();
  expect(told).toEqual(["chain", "next1"]);
});

test("time moves only when nobody waits for a turn, from timer to timer", async () => {
  const scheduler = starting();
  const { clock } = scheduler;
  const told: string[] = [];
  clock.at(86_400_000, () => told.push(`a day: ${clock.now()}`));
  clock.at(1, () => {
    told.push(`soon: ${clock.now()}`);
    void worker(scheduler, "after", 2, told);
  });
  void worker(scheduler, "before", 2, told);
  await scheduler.run();
  expect(told).toEqual(["before1", "before2", "soon: 1", "after1", "after2", "a day: 86400000"]);
});

test("what is due already goes on beside those who wait, and does not hold them up", async () => {
  const scheduler = starting();
  const { clock } = scheduler;
  const told: string[] = [];
  let polls = 0;
  const poll = () => {
    if (told.length < 3) clock.at(clock.now(), poll);
    polls++;
  };
  clock.at(0, poll);
  void worker(scheduler, "a", 3, told);
  await scheduler.run();
  expect(told).toEqual(["a1", "a2", "a3"]);
  expect(polls).toBeGreaterThan(2);
  expect(polls).toBeLessThan(6);
});

test("a run stops at its moment: what is due then has run, what is due later has not", async () => {
  const scheduler = starting();
  const fired: number[] = [];
  for (const at of [10, 20, 21]) scheduler.clock.at(at, () => fired.push(at));
  await scheduler.run(20);
  expect(fired).toEqual([10, 20]);
  expect(scheduler.clock.now()).toBe(20);
  await scheduler.run(1_000);
  expect(fired).toEqual([10, 20, 21]);
  expect(scheduler.clock.now()).toBe(1_000);
});

test("a run without a moment leaves the clock at the last thing that happened", async () => {
  const scheduler = starting();
  scheduler.clock.at(30, () => {});
  await scheduler.run();
  expect(scheduler.clock.now()).toBe(30);
});

test("a run ends as soon as it is told to, and the next one goes on from there", async () => {
  const scheduler = starting();
  const told: string[] = [];
  void worker(scheduler, "a", 4, told);
  await scheduler.run(undefined, () => told.length === 2);
  expect(told).toEqual(["a1", "a2"]);
  await scheduler.run();
  expect(told).toEqual(["a1", "a2", "a3", "a4"]);
});

test("two runs at once are refused, and the first is not disturbed", async () => {
  const scheduler = starting();
  const told: string[] = [];
  void worker(scheduler, "a", 3, told);
  const running = scheduler.run();
  await expect(scheduler.run()).rejects.toThrow("the simulation runs already");
  await running;
  expect(told).toHaveLength(3);
});

test("a run until no moment at all is refused, not taken for one that is over", async () => {
  const scheduler = starting();
  await expect(scheduler.run(new Date("never").getTime())).rejects.toThrow(RangeError);
});

test("what a timer throws ends the run, and another may follow", async () => {
  const scheduler = starting();
  scheduler.clock.at(1, () => {
    throw new Error("broken timer");
  });
  await expect(scheduler.run()).rejects.toThrow("broken timer");
  await scheduler.run();
  expect(scheduler.clock.now()).toBe(1);
});

/** One instance whose activity does this, run to its end; how long it took on the simulation's clock. */
async function took(work: () => unknown, timeout: Duration = "1 second") {
  const working = activity("Working", { timeout, retry: { maxAttempts: 1 } }, async () => {
    await work();
    return "done";
  });
  const single = workflow("Single", (ctx) => ctx.call(working));
  const cluster = new Cluster({ workflows: [single] });
  const begun = cluster.clock.now();
  const instance = await cluster.start(single);
  await cluster.run();
  return { millis: cluster.clock.now() - begun, status: instance.document().status };
}

test("the clock stands still while an activity waits for work outside, so that nothing times out", async () => {
  const bytes = new Uint8Array(20_000_000);
  const digest = () => crypto.subtle.digest("SHA-256", bytes);
  expect(await took(digest)).toEqual({ millis: 0, status: "Completed" });
  const real = () => new Promise((resolve) => setTimeout(resolve, 20));
  expect(await took(real)).toEqual({ millis: 0, status: "Completed" });
});

test("work outside that never ends is waited for once, and its timeout comes then", async () => {
  const never = () => new Promise(() => {});
  expect(await took(never)).toEqual({ millis: 1_000, status: "Failed" });
});

test("a run that nothing but such work could end says so", async () => {
  const never = () => new Promise(() => {});
  await expect(took(never, "30 days")).rejects.toThrow(
    "an activity waits for what neither this clock",
  );
});

test("a row that waits beyond the burst it was written in ends the run: the engine cannot recover from it", async () => {
  const slow = activity("Slow", () => {});
  const putting = mock(slow, async (_, ctx) => {
    object.sql.later(() => {});
    await ctx.sleep("1 second");
  });
  const single = workflow("Single", (ctx) => ctx.call(slow));
  const object = started(single, undefined, { activities: [putting] });
  await expect(object.run()).rejects.toThrow("put off beyond its burst");
});
