/** Each fault of a plan has the effect its comment says, and none changes how a sound workflow ends. */
import { describe, expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import { type AnyWorkflow, workflow } from "../../src/core/workflow.ts";
import { LOST_MILLIS } from "../../src/engine/host.ts";
import { Cluster } from "../../src/testing/cluster.ts";
import type { CrashMoment, Faults } from "../../src/testing/faults.ts";
import { mock } from "../../src/testing/mock.ts";

const HOUR_MILLIS = 3_600_000;

const pay = activity("Pay", (_: number): string => "receipt");
const order = workflow("Order", async (ctx) => {
  const receipt = await ctx.call(pay, 10);
  await ctx.sleep("1 hour");
  return receipt;
});
const nap = workflow("Nap", async (ctx) => {
  await ctx.sleep("1 hour");
});

/** Loses the object at the first moments that fit. */
const crashesAt = (fits: (moment: CrashMoment) => boolean, times = 1): Faults => ({
  crash: (_object, moment) => fits(moment) && times-- > 0,
});

/** Runs one instance under a plan of faults; the steps' own doings are counted in `runs`. */
async function ran(definition: AnyWorkflow, faults: Faults) {
  const runs = { begun: 0, ended: 0 };
  const env: object = { BANK: { pay: async () => "receipt" } };
  const paying = mock(pay, async (amount, ctx) => {
    runs.begun++;
    ctx.effect("paid", { key: ctx.idempotencyKey, value: amount });
    ctx.effect("called");
    const { BANK } = ctx.env as { BANK?: { pay(): Promise<string> } };
    await ctx.checkpoint("called");
    const receipt = await BANK?.pay();
    runs.ended++;
    return receipt ?? "";
  });
  const cluster = new Cluster({
    workflows: [definition],
    activities: [paying],
    env: env as Cloudflare.Env,
    faults,
  });
  const begun = cluster.clock.now();
  const instance = await cluster.start(definition);
  await cluster.run(new Date(begun + 100 * HOUR_MILLIS));
  const { completedAt } = instance.document();
  const millis = completedAt === null ? null : Date.parse(completedAt) - begun;
  const happened = (kind: string) => cluster.trace.filter((event) => event.kind === kind);
  const called = cluster.effects.filter(({ what }) => what === "called").length;
  return { cluster, instance, runs, millis, happened, called };
}

describe("a crash", () => {
  const attempt = (when: string) => (moment: CrashMoment) =>
    moment.kind === "attempt" && moment.when === when;
  const commit = (when: string, number: number) => (moment: CrashMoment) =>
    moment.kind === "commit" && moment.when === when && moment.commit === number;
  const cases: [
    name: string,
    fits: (moment: CrashMoment) => boolean,
    begun: number,
    ended: number,
  ][] = [
    ["before the start is durable", commit("before", 1), 1, 1],
    ["after the start is durable", commit("after", 1), 1, 1],
    ["before the first turn's commit", commit("before", 2), 1, 1],
    ["before a checkpoint is durable", commit("before", 3), 2, 1],
    ["as an attempt begins", attempt("before"), 1, 1],
    ["as an attempt has ended", attempt("after"), 2, 2],
    ["right after an effect", ({ kind }) => kind === "effect", 2, 1],
    ["right after a binding's answer", ({ kind }) => kind === "call", 2, 1],
    ["between two awaits", ({ kind }) => kind === "await", 2, 1],
  ];
  test.each(cases)(
    "%s is survived: done again is what was not recorded",
    async (_, fits, ...was) => {
      const { cluster, instance, runs, happened } = await ran(order, crashesAt(fits));
      expect(happened("crash")).toHaveLength(1);
      expect(instance.output()).toBe("receipt");
      expect(instance.history().map(({ step, state }) => [step, state])).toEqual([
        ["Pay", "done"],
        ["sleep", "done"],
      ]);
      expect([runs.begun, runs.ended]).toEqual(was);
      expect(cluster.effects.filter(({ what }) => what === "paid")).toHaveLength(1);
      expect(cluster.stuck()).toEqual([]);
    },
  );

  test("right after an effect without a key lets it happen twice", async () => {
    const fits = (moment: CrashMoment) => moment.kind === "effect" && moment.what === "called";
    expect((await ran(order, crashesAt(fits))).called).toBe(2);
  });

  test("before a commit loses what was written, after it nothing", async () => {
    for (const [when, done] of [
      ["before", 0],
      ["after", 1],
    ] as const) {
      let faults: Faults = {};
      const cluster = new Cluster({
        workflows: [nap],
        faults: { crash: (...at) => faults.crash?.(...at) ?? false },
      });
      const instance = await cluster.start(nap);
      const object = cluster.object(instance.id);
      faults = crashesAt((moment) => moment.kind === "commit" && moment.when === when);
      object.commands.sendEvent(instance.id, { event: "go", payload: "[1]" });
      expect(object.commit()).toBe(false);
      expect(instance.history()).toHaveLength(done);
    }
  });

  test("strikes only the object that the plan names", async () => {
    const cluster = new Cluster({
      workflows: [order],
      faults: { crash: (object, { kind }) => object === "a" && kind === "effect" },
    });
    const paying = await cluster.start(order, undefined, { id: "a" });
    const other = await cluster.start(order, undefined, { id: "b" });
    await cluster.run();
    expect([paying.output(), other.output()]).toEqual(["receipt", "receipt"]);
    expect(cluster.trace.filter(({ kind }) => kind === "crash")).toEqual([]); // no mock, no effect
  });
});

describe("an alarm whose object was lost", () => {
  const twice = (processLost?: () => boolean): Faults => ({
    ...crashesAt(({ kind }) => kind === "effect", 2),
    ...(processLost === undefined ? {} : { processLost }),
  });
  test.each([
    ["runs again at once and counts, where nothing is said", undefined, [0, 1, 2], 0],
    [
      "runs again after 2 s, then 4 s, where only the object was lost",
      () => false,
      [0, 1, 2],
      6_000,
    ],
    [
      "runs again at once and counts no retry, where the process was lost",
      () => true,
      [0, 0, 0],
      0,
    ],
  ])("%s", async (_, processLost, retries, waited) => {
    const { happened, millis } = await ran(order, twice(processLost));
    const alarms = happened("alarm").slice(0, 3);
    expect(alarms.map((event) => (event.kind === "alarm" ? event.retries : null))).toEqual(retries);
    // The engine itself lets a second pass after an attempt that took its object with it.
    expect(millis).toBe(waited + LOST_MILLIS + HOUR_MILLIS);
  });
});

describe("an alarm", () => {
  test("fires as much later as the plan says, each time", async () => {
    const { millis } = await ran(nap, { alarmDelay: () => 90_000 });
    expect(millis).toBe(HOUR_MILLIS + 90_000); // the first turn does not wait for its alarm
  });

  test("that runs once more does nothing twice, and is not doubled again", async () => {
    const { cluster, instance, runs, millis, happened } = await ran(order, {
      alarmDoubled: () => true,
    });
    expect(instance.output()).toBe("receipt");
    expect([runs.begun, millis]).toEqual([1, HOUR_MILLIS]);
    expect(happened("alarm")).toHaveLength(4); // the start and the sleep, each twice
    expect(cluster.stuck()).toEqual([]);
  });

  test("that runs once more is set until it has", async () => {
    const set: boolean[] = [];
    const cluster = new Cluster({
      workflows: [order],
      faults: { alarmDoubled: () => true },
      onEvent: ({ kind, object }) => {
        if (kind === "alarm") set.push(cluster.object(object).alarm !== null);
      },
    });
    await cluster.start(order);
    await cluster.run();
    expect(set).toEqual([true, true, true, true]);
  });

  test("that is given up after its retries is gone, and its instance stuck", async () => {
    const asked: number[] = [];
    const { cluster, instance, runs } = await ran(order, {
      ...crashesAt(({ kind }) => kind === "effect", 99),
      alarmLost: (_object, retries) => asked.push(retries) > 2,
    });
    expect(asked).toEqual([0, 1, 2]);
    expect(runs.begun).toBe(2);
    expect(cluster.stuck().map(({ id }) => id)).toEqual([instance.id]);
  });
});

describe("a machine's clock", () => {
  test("that is ahead or behind decides when a sleep ends, and no alarm is set twice for it", async () => {
    for (const clockError of [30_000, -30_000]) {
      const { instance, happened } = await ran(nap, { clockError: () => clockError });
      const started = happened("commit")[0]?.at;
      // Where the clock is behind, the alarm of the start comes as well, and joins the first turn.
      const [woken, ...more] = happened("alarm")
        .map(({ at }) => at)
        .filter((at) => at > (started ?? 0) + 60_000);
      expect(instance.document().status).toBe("Completed");
      expect(more).toEqual([]); // one that came early by the machine's clock is not set again
      // It says until when by its own clock, and the platform rings by the right one.
      expect((woken ?? 0) - (started ?? 0)).toBe(HOUR_MILLIS + clockError);
    }
  });

  test("is another one in the next life, and the instance ends all the same", async () => {
    for (const errors of [
      [30_000, 0],
      [0, 30_000],
      [-30_000, 0],
      [0, -30_000],
    ]) {
      let life = 0;
      const clockError = () => errors[life++] ?? 0;
      const cluster = new Cluster({ workflows: [nap], faults: { clockError } });
      const begun = cluster.clock.now();
      const instance = await cluster.start(nap);
      await cluster.advance("1 minute");
      expect(instance.evict()).toBe(true);
      await cluster.run();
      expect(instance.document().status).toBe("Completed");
      const slept = cluster.clock.now() - begun;
      expect(Math.abs(slept - HOUR_MILLIS)).toBeLessThanOrEqual(2 * 30_000); // the start, the sleep
    }
  });
});

test("an object that is evicted whenever it rests runs its code anew, and no step again", async () => {
  let calls = 0;
  let steps = 0;
  const resting = workflow("Resting", async (ctx) => {
    calls++;
    for (let hour = 1; hour <= 3; hour++) {
      await ctx.run("step", () => ++steps);
      await ctx.sleep("1 hour");
    }
    return steps;
  });
  const { instance, happened } = await ran(resting, { evicted: () => true });
  expect(instance.output()).toBe(3);
  expect(calls).toBe(4); // at the start and after each sleep
  expect(happened("evicted")).toHaveLength(4);
});
