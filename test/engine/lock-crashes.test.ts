import { expect, test } from "vitest";
import { entity } from "../../src/core/entity.ts";
import { workflow } from "../../src/core/workflow.ts";
import { Cluster } from "../../src/testing/cluster.ts";
import type { Faults } from "../../src/testing/faults.ts";
import { leftBehind } from "../../src/testing/left-behind.ts";
import { atEachCommit, type CrashPoint } from "./harness.ts";

const counter = entity("Counter", {
  initial: () => 0,
  operations: {
    get: (ctx) => ctx.state,
    set: (ctx, n: number) => {
      ctx.state = n;
    },
    add: (ctx, n: number) => (ctx.state += n),
  },
});

interface Moves {
  readonly keys: readonly [string, string];
  readonly rounds: number;
}

/** Reads, waits and writes; what it signals must come before its release. */
const moving = workflow("Moving", async (ctx, { keys, rounds }: Moves) => {
  const [from, to] = keys.map((key) => ctx.entity(counter, key));
  if (from === undefined || to === undefined) throw new Error();
  const gains = [];
  for (let round = 0; round < rounds; round++) {
    await using _lock = await ctx.lock(from, to);
    const before = [await from.get(), await to.get()] as const;
    await ctx.sleep("1 second");
    await from.set(before[0] - 1);
    void to.signal.set(before[1] + 1);
    gains.push((await to.get()) - before[1]);
    void to.signal.add(10);
  }
  return gains;
});

async function run(faults: Faults, rounds: number): Promise<Cluster> {
  const cluster = new Cluster({ workflows: [moving], entities: [counter], faults });
  await cluster.start(moving, { keys: ["a", "b"], rounds }, { id: "one" });
  await cluster.start(moving, { keys: ["b", "a"], rounds }, { id: "two" });
  await cluster.run(new Date(cluster.clock.now() + 3_600_000));
  return cluster;
}

function isExact(cluster: Cluster, story: string, rounds: number): void {
  for (const id of ["one", "two"]) {
    expect(cluster.instance(id).document().status, story).toBe("Completed");
    expect(cluster.instance(id).output(), story).toEqual(Array(rounds).fill(1));
  }
  const sums = ["a", "b"].map((key) => cluster.entity(counter, key).state());
  expect(sums, story).toEqual([10 * rounds, 10 * rounds]);
  expect(leftBehind(cluster), story).toEqual([]);
}

const losing = (lost: string, { commit, when }: CrashPoint): Faults => ({
  crash: (object, moment) =>
    object === lost && moment.kind === "commit" && moment.commit === commit && moment.when === when,
});

test.each(["one", "Counter/a"])(
  'with "%s" lost at each of its commits, sections are whole and in order',
  async (lost) => {
    const tried = await atEachCommit(async (point) => {
      const cluster = await run(losing(lost, point), 1);
      isExact(cluster, `${point.when} commit ${point.commit}`, 1);
      return cluster.object(lost);
    });
    expect(tried).toBeGreaterThan(15);
  },
);

test("messages that are lost, doubled and delayed leave sections whole", async () => {
  for (let seed = 0; seed < 15; seed++) {
    let drawn = seed;
    const draw = () => {
      drawn = (drawn * 48_271 + 11) % 2_147_483_647;
      return drawn % 5;
    };
    const cluster = await run(
      {
        message: () => {
          const fate = draw();
          if (fate === 0) return { lost: true };
          if (fate === 1) return { unanswered: true };
          if (fate === 2) return { doubled: true };
          return fate === 3 ? { delayMillis: 700 } : {};
        },
      },
      2,
    );
    isExact(cluster, `seed ${seed}`, 2);
  }
});

/** Locks two counters in the order given, reads, waits, and writes: right only where nobody comes between. */
const raising = workflow("Raising", async (ctx, keys: readonly string[]) => {
  const held = keys.map((key) => ctx.entity(counter, key));
  await using _lock = await ctx.lock(held);
  const read = [];
  for (const one of held) read.push(await one.get());
  await ctx.sleep("100 milliseconds");
  for (const [index, one] of held.entries()) await one.set((read[index] ?? 0) + 1);
});

test("fifty workflows on two counters count exactly, though all objects are lost at random", async () => {
  let drawn = 20_261_125;
  let losses = 0;
  const cluster = new Cluster({
    workflows: [raising],
    entities: [counter],
    faults: {
      crash: (_object, { kind }) => {
        if (kind !== "commit") return false;
        drawn = (drawn * 48_271) % 2_147_483_647;
        if (drawn % 40 !== 0) return false;
        losses++;
        return true;
      },
    },
  });
  for (let n = 0; n < 50; n++) {
    await cluster.start(raising, n % 2 === 0 ? ["a", "b"] : ["b", "a"], { id: `raising-${n}` });
  }
  await cluster.run(new Date(cluster.clock.now() + 3_600_000));
  expect(losses).toBeGreaterThan(50);
  const ended = Array.from({ length: 50 }, (_, n) => cluster.instance(`raising-${n}`).document());
  expect(ended.map(({ status }) => status)).toEqual(Array(50).fill("Completed"));
  expect(["a", "b"].map((key) => cluster.entity(counter, key).state())).toEqual([50, 50]);
  expect(leftBehind(cluster)).toEqual([]);
});
