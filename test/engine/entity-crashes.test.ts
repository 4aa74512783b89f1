import { expect, test } from "vitest";
import { entity } from "../../src/core/entity.ts";
import { workflow } from "../../src/core/workflow.ts";
import { Cluster } from "../../src/testing/cluster.ts";
import type { Faults } from "../../src/testing/faults.ts";
import { leftBehind } from "../../src/testing/left-behind.ts";

const NAME = "Journal/all";

const journal = entity("Journal", {
  initial: (): string[] => [],
  operations: {
    note: (ctx, line: string) => ctx.state.push(line),
    slowly: async (ctx, line: string) => {
      await Promise.resolve();
      return ctx.state.push(line);
    },
    spoil: (ctx, line: string) => {
      ctx.state.push(line);
      throw new Error("spoilt");
    },
    forward: (ctx, line: string) => {
      ctx.state.push(line);
      ctx.entity(other, "copy").signal.note(line);
      ctx.start(echo, line, { id: `echo-${line}` });
    },
  },
});

const other = entity("Other", {
  initial: (): string[] => [],
  operations: { note: (ctx, line: string) => ctx.state.push(line) },
});

const echo = workflow("Echo", async (ctx, line: string) => {
  await ctx.entity(other, "copy").note(`echo ${line}`);
});

const noting = workflow("Noting", async (ctx) => {
  const log = ctx.entity(journal, "all");
  const counts = [await log.note("a")];
  await log.signal.note("b");
  counts.push(await log.slowly("c"));
  await log.spoil("x").catch(() => counts.push(0));
  await log.forward("d");
  counts.push(await log.note("e"));
  void log.signal.note("f");
  return counts;
});

/** Loses one of the objects at its nth commit, before or after it. */
const crashAt = (lost: string, nth: number, moment: "before" | "after"): Faults => ({
  crash: (object, { kind, ...at }) =>
    object === lost &&
    kind === "commit" &&
    "commit" in at &&
    at.commit === nth &&
    at.when === moment,
});

async function run(faults: Faults): Promise<Cluster> {
  const options = { workflows: [noting, echo], entities: [journal, other], faults };
  const cluster = new Cluster(options);
  await cluster.start(noting, undefined, { id: "noting" });
  await cluster.run(new Date(cluster.clock.now() + 3_600_000));
  return cluster;
}

for (const lost of ["noting", NAME, "Other/copy", "echo-d"]) {
  test(`with "${lost}" lost at each of its commits, each operation counts once, in order`, async () => {
    let tried = 0;
    for (let commit = 2; ; commit++) {
      let commits = 0;
      for (const when of ["before", "after"] as const) {
        const cluster = await run(crashAt(lost, commit, when));
        const story = `${when} commit ${commit}`;
        const instance = cluster.instance("noting");
        expect(instance.document().status, story).toBe("Completed");
        expect(instance.output(), story).toEqual([1, 3, 0, 5]);
        expect(cluster.entity(journal, "all").state(), story).toEqual([..."abcdef"]);
        const copied = cluster.entity(other, "copy").state() ?? [];
        expect(copied, story).toEqual(["d", "echo d"]);
        expect(leftBehind(cluster), story).toEqual([]);
        commits = cluster.object(lost).commits;
        tried++;
      }
      if (commits < commit) break;
    }
    expect(tried).toBeGreaterThan(lost === "noting" || lost === NAME ? 20 : 6);
  });
}

test("messages that are lost, doubled and delayed still count once, in order", async () => {
  for (let seed = 0; seed < 40; seed++) {
    let drawn = seed;
    const draw = () => {
      drawn = (drawn * 48_271 + 11) % 2_147_483_647;
      return drawn % 5;
    };
    const cluster = await run({
      message: () => {
        const fate = draw();
        if (fate === 0) return { lost: true };
        if (fate === 1) return { unanswered: true };
        if (fate === 2) return { doubled: true };
        return fate === 3 ? { delayMillis: 700 } : {};
      },
    });
    expect(cluster.instance("noting").output()).toEqual([1, 3, 0, 5]);
    expect(cluster.entity(journal, "all").state()).toEqual([..."abcdef"]);
    expect(cluster.entity(other, "copy").state()).toHaveLength(2);
    expect(leftBehind(cluster)).toEqual([]);
  }
});
