import { describe, expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import { entity } from "../../src/core/entity.ts";
import { isWaymarkError } from "../../src/core/errors.ts";
import { workflow } from "../../src/core/workflow.ts";
import { Cluster } from "../../src/testing/cluster.ts";
import type { Faults } from "../../src/testing/faults.ts";
import { leftBehind } from "../../src/testing/left-behind.ts";
import { mock } from "../../src/testing/mock.ts";
import { atEachCommit } from "./harness.ts";
import { FIRST } from "./secrets.ts";

const counter = entity("Counter", {
  initial: () => 0,
  operations: {
    get: (ctx) => ctx.state,
    add: (ctx, n: number) => (ctx.state += n),
  },
});

const check = activity("Check", { retry: { maxAttempts: 1 } }, (_n: string) => true);

/** Fails in its section, after it has changed something and drawn something. */
const paying = workflow("Paying", async (ctx) => {
  const [a, b] = [ctx.entity(counter, "a"), ctx.entity(counter, "b")];
  const early = await ctx.lock(ctx.entity(counter, "c"));
  await early.release();
  await using _lock = await ctx.lock(a, b);
  const id = ctx.uuid();
  await a.add(-1);
  await ctx.call(check, `${id} at ${ctx.now.toISOString()}`);
  return [id, await b.add(1)];
});

const other = workflow("Other", async (ctx, seconds: number) => {
  await using _lock = await ctx.lock(["a", "b", "c"].map((key) => ctx.entity(counter, key)));
  await ctx.sleep(seconds * 1_000);
  return ctx.entity(counter, "a").get();
});

async function failed(faults: Faults = {}) {
  const service = { down: true };
  const cluster = new Cluster({
    workflows: [paying, other],
    entities: [counter],
    faults,
    activities: [
      mock(check, () => {
        if (service.down) throw new Error("down");
        return true;
      }),
    ],
  });
  const instance = await cluster.start(paying, undefined, { id: "paying" });
  await cluster.advance("1 minute");
  expect(instance.document().status).toBe("Failed");
  service.down = false;
  return { cluster, instance };
}

const sums = (cluster: Cluster) =>
  ["a", "b"].map((key) => cluster.entity(counter, key).state() ?? 0);

describe("a rewind into a section", () => {
  test("asks for its locks again before the code goes on, and does nothing twice", async () => {
    const { cluster, instance } = await failed();
    const rival = await cluster.start(other, 60);
    await cluster.advance("1 second");
    instance.rewind();
    await cluster.advance("10 seconds");
    expect(instance.document()).toMatchObject({
      status: "Running",
      waitingFor: [
        { kind: "activity", name: "Check" },
        { kind: "lock", name: "(lock)", instanceId: "Counter/a" },
      ],
    });
    expect(sums(cluster)).toEqual([-1, 0]);
    await cluster.run();
    expect(rival.output()).toBe(-1);
    expect(instance.output()[1]).toBe(1);
    expect(sums(cluster)).toEqual([-1, 1]);
    const locks = instance.history().filter(({ kind }) => kind === "lock" || kind === "unlock");
    expect(locks.map(({ step }) => step)).toEqual([
      "lock",
      "unlock/lock",
      "lock#2",
      "unlock/lock#2",
    ]);
    expect(leftBehind(cluster)).toEqual([]);
  });

  test("to its lock does the section again", async () => {
    const { cluster, instance } = await failed();
    instance.rewind({ to: "lock#2" });
    await cluster.run();
    expect(sums(cluster)).toEqual([-2, 1]);
    expect(instance.document().status).toBe("Completed");
    expect(leftBehind(cluster)).toEqual([]);
  });

  test("with any of its objects lost at any commit, ends once and leaves nothing locked", async () => {
    for (const lost of ["paying"]) {
      await atEachCommit(async ({ commit, when }) => {
        const { cluster, instance } = await failed({
          crash: (object, moment) =>
            object === lost &&
            moment.kind === "commit" &&
            moment.commit === commit &&
            moment.when === when,
        });
        const rival = await cluster.start(other, 1);
        instance.rewind();
        await cluster.run();
        const story = `${lost} ${when} commit ${commit}`;
        expect(instance.document().status, story).toBe("Completed");
        expect(sums(cluster), story).toEqual([-1, 1]);
        expect(rival.document().status, story).toBe("Completed");
        expect(leftBehind(cluster), story).toEqual([]);
        return cluster.object(lost);
      });
    }
  });

  test.each(["terminate", "cancel", "suspend", "purge"] as const)(
    "that waits for its locks is not in the way of a %s",
    async (how) => {
      const { cluster, instance } = await failed();
      const rival = await cluster.start(other, 60);
      await cluster.advance("1 second");
      instance.rewind();
      await cluster.advance("1 second");
      if (how === "purge") instance.purge({ force: true });
      else instance[how]();
      await cluster.advance("2 minutes");
      expect(rival.document().status).toBe("Completed");
      if (how === "suspend") {
        expect(sums(cluster)).toEqual([-1, 0]);
        instance.resume();
        await cluster.run();
        expect(sums(cluster)).toEqual([-1, 1]);
      } else if (how === "terminate") {
        expect(instance.document().status).toBe("Terminated");
        instance.rewind();
        await cluster.run();
        expect(sums(cluster)).toEqual([-1, 1]);
      }
      const last = await cluster.start(other, 1);
      await cluster.advance("5 seconds");
      expect(last.document().status).toBe("Completed");
      expect(leftBehind(cluster)).toEqual([]);
    },
  );
});

test.each([
  ["", undefined],
  [", with a codec", FIRST],
] as const)(
  "an instance is not rewound before its entities have stored that its locks are released%s",
  async (_, codec) => {
    const holding = workflow("Holding", async (ctx) => {
      await ctx.lock(ctx.entity(counter, "b"));
      await ctx.waitForEvent("go");
      throw new Error("no");
    });
    let reachable = true;
    const cluster = new Cluster({
      workflows: [holding],
      entities: [counter],
      ...(codec === undefined ? {} : { codec }),
      faults: { message: (object) => (object === "Counter/b" && !reachable ? { lost: true } : {}) },
    });
    const instance = await cluster.start(holding);
    await cluster.advance("1 second");
    reachable = false;
    instance.send("go");
    await cluster.advance("10 seconds");
    expect(instance.document().status).toBe("Failed");
    const rewound = (): unknown => {
      try {
        return instance.rewind({ to: "lock" });
      } catch (error) {
        return isWaymarkError(error) && [error.code, error.message];
      }
    };
    expect(rewound()).toEqual(["LOCKS_HELD", expect.stringContaining("Counter/b")]);
    reachable = true;
    await cluster.advance("2 minutes");
    expect(rewound()).toBeUndefined();
    await cluster.run();
    expect(instance.document().status).toBe("Failed");
    expect(leftBehind(cluster)).toEqual([]);
  },
);
