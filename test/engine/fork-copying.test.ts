/** How a history gets from one instance to another, and what may happen meanwhile. */
import { describe, expect, test } from "vitest";
import { workflow } from "../../src/core/workflow.ts";
import { Cluster } from "../../src/testing/cluster.ts";
import type { Faults } from "../../src/testing/faults.ts";
import { codeOf } from "../core/thrown.ts";
import { chain, slow } from "./forks.ts";
import { crashesAt } from "./harness.ts";

describe("a long history", () => {
  /** Rows, and texts in parts, so that each comes with its own answer. */
  const large = workflow("Large", async (ctx, count: number) => {
    const schema = {
      "~standard": {
        version: 1 as const,
        vendor: "test",
        validate: (value: unknown) => ({ value: `${value}!` }),
      },
    };
    let length = 0;
    for (let step = 0; step < count; step++) {
      length += (await ctx.run("text", () => "x".repeat(300_000))).length;
    }
    const event = await ctx.waitForEvent<string>("first", { schema });
    return { length, event: event.length, end: await ctx.waitForEvent<string>("end") };
  });
  const partsOf = (cluster: Cluster, id: string) =>
    cluster.object(id).sql.all<{ count: number }>("SELECT COUNT(*) AS count FROM part")[0]?.count;

  test("of texts in parts comes whole, over a crash at each commit, and leaves nothing behind", async () => {
    for (let commit = 1; ; commit++) {
      let commits = 0;
      for (const when of ["before", "after"] as const) {
        const { crash } = crashesAt({ commit, when });
        const faults: Faults = {
          crash: (name, moment) => name === "copy" && crash?.(name, moment) === true,
        };
        const cluster = new Cluster({ workflows: [large], cellBytes: 100_000, faults });
        const source = await cluster.start(large, 2);
        source.send("first", "y".repeat(300_000));
        await cluster.advance("1 minute");
        const fork = source.fork({ id: "copy" });
        await cluster.advance("1 minute");
        expect(
          fork.export().steps.filter(({ kind }) => kind !== "rewind" && kind !== "event"),
        ).toEqual(source.export().steps.filter(({ kind }) => kind !== "event"));
        expect(partsOf(cluster, "copy")).toBe(partsOf(cluster, source.id));
        fork.send("end", "z");
        await cluster.run();
        expect(fork.output()).toEqual({ length: 600_000, event: 300_001, end: "z" });
        commits = cluster.object("copy").commits;
      }
      if (commits < commit) break;
    }
  });

  test("of many steps comes in pages, over turns that are used up at once", async () => {
    const cluster = new Cluster({ workflows: [chain], turn: { steps: 1 } });
    const source = await cluster.start(chain, 1_100);
    await cluster.run();
    const fork = source.fork();
    await cluster.run();
    fork.send("end", "x");
    source.send("end", "x");
    await cluster.run();
    expect(fork.output()).toEqual(source.output());
  });
});

describe("while it copies", () => {
  const copying = async (steps = 3) => {
    const cluster = new Cluster({ workflows: [chain], faults: slow });
    const source = await cluster.start(chain, steps);
    await cluster.advance("1 minute");
    const fork = source.fork();
    await cluster.advance("5 seconds");
    return { cluster, source, fork };
  };

  test("nobody sees a part of it, its handlers are not called, and events are kept behind it", async () => {
    const { cluster, source, fork } = await copying();
    expect(fork.document()).toMatchObject({
      status: "Pending",
      waitingFor: [],
      activityStatus: null,
    });
    expect([fork.history(), fork.export().steps]).toEqual([[], []]);
    expect(codeOf(() => fork.fork())).toBe("INSTANCE_BUSY");
    await expect(fork.call("any")).rejects.toMatchObject({ code: "INSTANCE_BUSY" });
    fork.send("end", "early");
    await cluster.run();
    source.send("end", "late");
    await cluster.run();
    expect(fork.output().end).toBe("early");
    expect(fork.output().drawn).toEqual(source.output().drawn);
    expect(cluster.stuck()).toEqual([]);
  });

  test("it can be suspended and resumed", async () => {
    const { cluster, fork } = await copying();
    fork.suspend();
    await cluster.advance("1 day");
    expect(fork.document()).toMatchObject({ status: "Suspended", waitingFor: [] });
    fork.resume();
    fork.send("end", "x");
    await cluster.run();
    expect(fork.output().end).toBe("x");
  });

  test("it can be terminated, which leaves nothing of it, and rewound, which copies it anew", async () => {
    const { cluster, source, fork } = await copying(501);
    await cluster.advance("6 seconds"); // a page is there
    expect(cluster.object(fork.id).sql.all("SELECT id FROM step")).toHaveLength(501);
    fork.terminate();
    await cluster.run();
    expect(fork.history()).toEqual([]);
    expect(cluster.object(fork.id).sql.all("SELECT step FROM step")).toEqual([{ step: "(fork)" }]);
    fork.rewind();
    fork.send("end", "x");
    await cluster.run();
    source.send("end", "x");
    await cluster.run();
    expect(fork.output()).toEqual(source.output());
  });

  test("it can be restarted, as an instance that is not forked, or purged", async () => {
    const one = await copying();
    one.fork.restart();
    one.fork.send("end", "x");
    await one.cluster.run();
    expect(one.fork.document()).toMatchObject({ status: "Completed" });
    const other = await copying();
    other.fork.purge({ force: true });
    await other.cluster.run();
    expect(codeOf(() => other.fork.document())).toBe("INSTANCE_NOT_FOUND");
    expect(other.cluster.object(other.fork.id).sql.all("SELECT * FROM sqlite_master")).toEqual([]);
  });

  test.each<[string, (source: Awaited<ReturnType<typeof copying>>["source"]) => void]>([
    ["is purged", (source) => source.purge({ force: true })],
    ["is restarted", (source) => source.restart()],
    [
      "is rewound",
      (source) => {
        source.terminate();
        source.rewind({ to: "step 1" });
      },
    ],
  ])("a source that %s fails it, with nothing of it run", async (_what, change) => {
    const { cluster, source, fork } = await copying();
    change(source);
    await cluster.advance("1 hour");
    expect(fork.document()).toMatchObject({
      status: "Failed",
      error: { code: "FORK_SOURCE_CHANGED" },
    });
    expect(fork.history()).toEqual([]);
    expect(cluster.stuck()).toEqual([]);
  });

  test("a source that goes on, or ends, is copied as it was when it was forked", async () => {
    const { cluster, source, fork } = await copying();
    source.send("end", "of the source");
    await cluster.run();
    expect(source.document().status).toBe("Completed");
    expect(fork.document()).toMatchObject({ status: "Running", waitingFor: [{ name: "end" }] });
  });

  test("a source that does not answer is asked again, less and less often", async () => {
    let lost = 6;
    const faults: Faults = {
      message: (_object, what) => ({ lost: what.endsWith("for a fork") && lost-- > 0 }),
    };
    const cluster = new Cluster({ workflows: [chain], faults });
    const source = await cluster.start(chain, 1);
    await cluster.advance("1 second");
    const fork = source.fork();
    await cluster.advance("20 seconds");
    expect(fork.document().status).toBe("Pending");
    await cluster.advance("1 minute");
    expect([fork.document().status, lost < 0]).toEqual(["Running", true]);
  });
});
