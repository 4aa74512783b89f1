import { expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import { workflow } from "../../src/core/workflow.ts";
import { Cluster } from "../../src/testing/cluster.ts";
import type { CrashMoment } from "../../src/testing/faults.ts";
import { mock } from "../../src/testing/mock.ts";
import { crashWords, type Happening, tellTrace } from "../../src/testing/trace.ts";

const charge = activity("Charge", (_: number): string => "receipt");
const order = workflow("Order", async (ctx, amount: number) => {
  ctx.log("an order came", { amount });
  const receipt = await ctx.call(charge, amount);
  await ctx.sleep("2 days");
  return receipt;
});

/** What is told of one thing that happened at the start. */
const told = (happening: Happening) => tellTrace([{ at: 5, object: "a", ...happening }]);

test("a whole story reads in order, with the time since its start", async () => {
  let attempts = 0;
  const cluster = new Cluster({
    workflows: [order],
    activities: [
      mock(charge, (amount, ctx) => {
        attempts++;
        if (attempts === 1) throw new Error("the bank is closed");
        ctx.effect("charged", { value: amount });
        return "receipt";
      }),
    ],
  });
  const instance = await cluster.start(order, 10);
  await cluster.run();
  expect(instance.output()).toBe("receipt");
  const story = tellTrace(cluster.trace);
  const expected = [
    /^00:00:00\.000 {2}instance\.started$/,
    /^00:00:00\.000 {3}.*log: an order came amount=10$/,
    /^00:00:00\.000 {2}Charge attempt\.started \(attempt 1\)/,
    /^00:00:00\.000 {2}Charge attempt\.failed \(attempt 1\).*the bank is closed/,
    /^00:00:01\.000 {2}Charge attempt\.started \(attempt 2\)/,
    /^00:00:01\.000 {4}effect: charged 10$/,
    /^00:00:01\.000 {2}Charge step\.completed/,
    /^2d 00:00:01\.000 {2}instance\.completed$/,
  ];
  for (const [index, line] of expected.entries()) expect(story[index]).toMatch(line);
  expect(story).toHaveLength(expected.length);
});

test("commits, alarms on time and attempts as such are left out", () => {
  expect(told({ kind: "commit", commit: 1 })).toEqual([]);
  expect(told({ kind: "alarm", retries: 0 })).toEqual([]);
  const attempt = { kind: "attempt", when: "before", step: "A", attempt: 1, dirty: false } as const;
  expect(told(attempt)).toEqual([]);
});

test("a crash, an eviction and a return to life are told", () => {
  expect(told({ kind: "crash", moment: null })).toEqual([
    "00:00:00.000  CRASH asked for by the test",
  ]);
  expect(told({ kind: "evicted" })).toEqual([
    "00:00:00.000  the object is evicted: its memory is gone",
  ]);
  expect(told({ kind: "alarm", retries: 1 })).toEqual([
    "00:00:00.000  the object comes back and reads its rows",
  ]);
  expect(told({ kind: "alarm failed", error: new Error("no disk") })).toEqual([
    "00:00:00.000  the alarm's handler threw Error: no disk",
  ]);
});

test("an effect is told with its value, whatever that is", () => {
  const effect = (value: unknown) => told({ kind: "effect", what: "paid", key: "k", value })[0];
  expect(effect(undefined)).toBe("00:00:00.000    effect: paid");
  expect(effect({ amount: 10n })).toBe('00:00:00.000    effect: paid {"amount":"10n"}');
  expect(effect(new Map([["a", 1]]))).toBe('00:00:00.000    effect: paid [["a",1]]');
  const cyclic: { self?: unknown } = {};
  cyclic.self = cyclic;
  expect(effect(cyclic)).toBe("00:00:00.000    effect: paid [object Object]");
});

test("every moment of a crash has its own words", () => {
  const moments: CrashMoment[] = [
    { kind: "commit", when: "before", commit: 3 },
    { kind: "commit", when: "after", commit: 3 },
    { kind: "attempt", when: "before", step: "Charge", attempt: 2 },
    { kind: "attempt", when: "after", step: "Charge", attempt: 2 },
    { kind: "effect", what: "charged" },
    { kind: "call", call: "DB.batch" },
    { kind: "await" },
  ];
  expect(moments.map(crashWords)).toEqual([
    "before commit 3: what was written since the one before is lost",
    "after commit 3",
    "as attempt 2 at Charge begins",
    "as attempt 2 at Charge has ended, before that is recorded",
    'right after the effect "charged"',
    "right after DB.batch has answered",
    "between two awaits",
  ]);
});
