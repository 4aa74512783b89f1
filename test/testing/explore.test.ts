import { expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import { workflow } from "../../src/core/workflow.ts";
import { explore } from "../../src/testing/explore.ts";
import { type MockContext, mock } from "../../src/testing/mock.ts";

interface Transfer {
  readonly from: string;
  readonly to: string;
  readonly amount: number;
}

const debit = activity("Debit", (_: Transfer): string => {
  throw new Error("the real bank is not for tests");
});
const credit = activity("Credit", (_: Transfer): string => {
  throw new Error("the real bank is not for tests");
});
const transfer = workflow("Transfer", async (ctx, order: Transfer) => {
  const taken = await ctx.call(debit, order);
  await ctx.sleep("1 day");
  return [taken, await ctx.call(credit, order)];
});
const ORDER: Transfer = { from: "a", to: "b", amount: 10 };

const keyed = (what: string) => (order: Transfer, ctx: MockContext) => {
  ctx.effect(what, { key: ctx.idempotencyKey, value: order.amount });
  return `${what} done`;
};

test("a workflow whose activities hand on their idempotency keys is crash-proof", async () => {
  const found = await explore(transfer, ORDER, {
    activities: [mock(debit, keyed("debit")), mock(credit, keyed("credit"))],
  });
  expect(found.failures, found.report).toEqual([]);
  expect(found.points).toBeGreaterThan(12);
  expect(found.runs).toBe(found.points + 3);
  expect(found.report).toMatch(/^Crash-proof: \d+ runs, with a crash at each of \d+ points/);
});

test("an activity that is not idempotent is found, with the shortest story in plain words", async () => {
  const found = await explore(transfer, ORDER, {
    activities: [
      mock(debit, keyed("debit")),
      mock(credit, (order, ctx) => {
        ctx.effect("credit", { value: order.amount }); // no key: the bank cannot know it again
        return "credit done";
      }),
    ],
  });
  expect(found.failures.length).toBeGreaterThan(0);
  for (const { differences } of found.failures) {
    expect(differences).toEqual(['the effect "credit 10" happened 2 times, and otherwise once']);
  }
  const [shortest] = found.failures;
  expect(shortest?.fault).toBe('a crash right after the effect "credit"');
  expect(found.report).toContain("effect: credit 10");
  expect(found.report).toContain("CRASH right after the effect");
});

test("Date.now() in workflow code is found, and the step is named", async () => {
  const stamped = workflow("Stamped", async (ctx, order: Transfer) => {
    await ctx.call(debit, { ...order, amount: Date.now() });
  });
  const { failures, report } = await explore(stamped, ORDER, {
    activities: [mock(debit, () => "")],
  });
  expect(failures).toHaveLength(1);
  expect(report).toContain('step "Debit" is recorded with the input');
  expect(report).toContain("Even without a crash the workflow does not do the same again");
});

test("Math.random() in what a workflow returns is found too", async () => {
  const lucky = workflow("Lucky", async (ctx) => {
    await ctx.sleep("1 minute");
    return Math.random();
  });
  const { failures } = await explore(lucky, undefined);
  expect(failures[0]?.differences[0]).toMatch(/^a replay of what was recorded does not fit/);
});

test("a workflow that keeps state outside its steps is found by an eviction after every step", async () => {
  let calls = 0;
  const step = activity("Step", () => 1);
  const counting = workflow("Counting", async (ctx) => {
    calls = 0;
    const steps = [ctx.call(step), ctx.call(step)];
    for (const one of steps) calls += await one;
    await ctx.sleep("1 hour");
    return [calls, await ctx.run("read", () => calls)];
  });
  const { failures } = await explore(counting, undefined);
  expect(failures).toEqual([]); // rebuilt from its steps each time: that is no fault
  let total = 0;
  const remembering = workflow("Remembering", async (ctx) => {
    await ctx.run("add", () => {
      total += 1;
    });
    await ctx.run("check", () => total);
  });
  const { failures: found } = await explore(remembering, undefined, {
    scene: () => {
      total = 0;
      return { observe: () => total };
    },
  });
  expect(found.length).toBeGreaterThan(0);
  expect(found[0]?.differences[0]).toBe("what the test observes differs: it is 2, and otherwise 1");
});

test("events are sent in every run, each once", async () => {
  const collecting = workflow("Collecting", async (ctx) => {
    const items = [];
    for (let item = 0; item < 3; item++) items.push(await ctx.waitForEvent<number>("item"));
    return items;
  });
  const events = [1, 2, 3].map((payload) => ({ name: "item", payload, afterMillis: payload * 50 }));
  const found = await explore(collecting, undefined, { events });
  expect(found.failures, found.report).toEqual([]);
  expect(found.points).toBeGreaterThan(8);
});

test("the failure of a workflow is an outcome like any other", async () => {
  const refusing = workflow("Refusing", async (ctx) => {
    await ctx.call(debit, ORDER);
  });
  const found = await explore(refusing, undefined);
  expect(found.failures, found.report).toEqual([]);
});

test("with more points than runs the points are taken evenly", async () => {
  const { points, runs } = await explore(transfer, ORDER, {
    activities: [mock(debit, keyed("debit")), mock(credit, keyed("credit"))],
    mostRuns: 8,
  });
  expect(points).toBeGreaterThan(8);
  expect(runs).toBe(8);
});
