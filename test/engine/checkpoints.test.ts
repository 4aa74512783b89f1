import { describe, expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { workflow } from "../../src/core/workflow.ts";
import type { InProcessObject } from "../../src/testing/in-process-object.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { crashesAt, ID, ran, started } from "./harness.ts";
import { eachRecord, NEVER, upTo, type Visit } from "./records.ts";

/** A workflow over ten records whose object dies when those records are visited for the first time. */
function migration(diesAt: readonly number[], when: "before" | "after" = "before") {
  const visits: Visit[] = [];
  const dies = new Set(diesAt);
  let object: InProcessObject | undefined;
  const migrate = activity("Migrate", async (_: undefined, ctx) => {
    await eachRecord(ctx, 10, async (record) => {
      if (when === "before" && dies.delete(record)) (await object?.crash()) ?? (await NEVER);
      visits.push({ record, attempt: ctx.attempt });
      if (when === "after" && dies.delete(record)) (await object?.crash()) ?? (await NEVER);
    });
    return ctx.status.lastProcessedId;
  });
  object = started(workflow("Migration", (ctx) => ctx.call(migrate)));
  return { object, visits };
}

describe("after a crash an activity resumes at its last checkpoint", () => {
  test("and does each record once, where nothing was done since", async () => {
    const { object, visits } = migration([4, 7]);
    await object.run();
    expect(object.crashes).toBe(2);
    expect(visits).toEqual(upTo(10).map((record) => ({ record, attempt: 1 })));
    expect(object.commands.get(ID)).toMatchObject({
      output: "10",
      activityStatus: {
        lastProcessedId: "10",
        processingStatus: "Complete",
        processingStage: "Migrate",
      },
      progress: { done: 10, total: 10 },
    });
    expect(object.commands.history(ID, null, 9).items).toMatchObject([
      { attempts: 1, state: "done" },
    ]);
  });

  test("and does again only what its checkpoint does not cover", async () => {
    const { object, visits } = migration([4, 7], "after");
    await object.run();
    expect(visits.map((visit) => visit.record)).toEqual([1, 2, 3, 4, 4, 5, 6, 7, 7, 8, 9, 10]);
  });

  test("and starts anew where there was none", async () => {
    const { object, visits } = migration([1]);
    await object.run();
    expect(visits).toEqual(upTo(10).map((record) => ({ record, attempt: 1 })));
  });
});

test("a checkpoint is durable when it returns, whatever commit the object dies at", async () => {
  const passing = () => {
    const passed: number[] = [];
    const repeated: number[] = [];
    const migrate = activity("Migrate", async (_: undefined, ctx) => {
      await eachRecord(ctx, 6, async (record) => {
        if (passed.includes(record)) repeated.push(record);
        passed.push(...upTo(record - 1).filter((earlier) => !passed.includes(earlier)));
      });
    });
    return { single: workflow("Migration", (ctx) => ctx.call(migrate)), repeated };
  };
  const { commits } = (await ran(passing().single)).object;
  expect(commits).toBeGreaterThan(8);
  for (const when of ["before", "after"] as const) {
    for (let commit = 2; commit <= commits; commit++) {
      const { single, repeated } = passing();
      const { document, object } = await ran(single, undefined, {
        faults: crashesAt({ commit, when }),
      });
      expect(document.status).toBe("Completed");
      expect(object.crashes).toBe(1);
      expect(repeated).toEqual([]);
    }
  }
});

test("a failed attempt keeps its checkpoints for the next one", async () => {
  const visits: Visit[] = [];
  const migrate = activity("Migrate", { retry: { maxAttempts: 3 } }, async (_: undefined, ctx) => {
    await eachRecord(ctx, 6, (record) => {
      visits.push({ record, attempt: ctx.attempt });
      if (record < 6 && ctx.attempt === record / 2) throw new Error("poor record");
    });
  });
  const { document } = await ran(workflow("Migration", (ctx) => ctx.call(migrate)));
  expect(document.status).toBe("Completed");
  expect(visits.map(({ record, attempt }) => `${record}/${attempt}`)).toEqual([
    "1/1",
    "2/1",
    "2/2",
    "3/2",
    "4/2",
    "4/3",
    "5/3",
    "6/3",
  ]);
});

test("an activity sees its own checkpoint as its status, at once and in the next attempt", async () => {
  const seen: unknown[] = [];
  const clock = new VirtualClock();
  const work = activity("Work", async (_: undefined, ctx) => {
    seen.push(ctx.status);
    await clock.sleep(5);
    await ctx.checkpoint("a");
    seen.push(ctx.status);
    if (ctx.attempt === 1) throw new Error("again");
  });
  await ran(
    workflow("Single", (ctx) => ctx.call(work)),
    undefined,
    { clock },
  );
  const at = { processingStage: "Work", processingStatus: "InProgress" };
  expect(seen).toEqual([
    { ...at, lastProcessedId: "initialId", lastUpdated: "2026-01-01T00:00:00.000Z" },
    { ...at, lastProcessedId: "a", lastUpdated: "2026-01-01T00:00:00.005Z" },
    { ...at, lastProcessedId: "a", lastUpdated: expect.any(String) },
    { ...at, lastProcessedId: "a", lastUpdated: expect.any(String) },
  ]);
});

test("a number as lastProcessedId becomes text, and a zero and an empty text are ids as well", async () => {
  const seen: string[] = [];
  const work = activity("Work", { retry: { firstInterval: 1 } }, async (_: undefined, ctx) => {
    seen.push(ctx.status.lastProcessedId);
    const id = [0, "", 12][ctx.attempt - 1];
    if (id === undefined) return;
    await ctx.checkpoint(id);
    throw new Error("again");
  });
  const { document } = await ran(workflow("Single", (ctx) => ctx.call(work)));
  expect(seen).toEqual(["initialId", "0", "", "12"]);
  expect(document.activityStatus?.lastProcessedId).toBe("12");
});

describe("the bounds of a checkpoint", () => {
  /** What a checkpoint with these arguments throws into its activity. */
  async function refusal(id: string, progress?: unknown): Promise<string | undefined> {
    let code: string | undefined;
    const work = activity("Work", async (_: undefined, ctx) => {
      await ctx.checkpoint(id, progress).catch((error: { code: string }) => {
        code = error.code;
      });
      return ctx.status.lastProcessedId;
    });
    const { document } = await ran(workflow("Single", (ctx) => ctx.call(work)));
    expect(document.status).toBe("Completed");
    expect(document.output).toBe(code === undefined ? id : "initialId");
    return code;
  }
  const room = LIMITS.progressLength - '[""]'.length;

  test.each<[string, string, unknown, string | undefined]>([
    ["the longest id", "x".repeat(LIMITS.lastProcessedIdLength), undefined, undefined],
    ["a longer id", "x".repeat(LIMITS.lastProcessedIdLength + 1), undefined, "PAYLOAD_TOO_LARGE"],
    ["the longest progress", "a", "x".repeat(room), undefined],
    ["a longer progress", "a", "x".repeat(room + 1), "PAYLOAD_TOO_LARGE"],
    ["a progress that cannot be stored", "a", { f: () => 1 }, "PAYLOAD_UNSUPPORTED"],
  ])("%s", async (_what, id, progress, code) => {
    expect(await refusal(id, progress)).toBe(code);
  });
});

test("checkpoints that are not waited for are all written, the last one last", async () => {
  const work = activity("Work", async (_: undefined, ctx) => {
    await Promise.all(upTo(5).map((record) => ctx.checkpoint(record, record)));
  });
  const { document } = await ran(workflow("Single", (ctx) => ctx.call(work)));
  expect(document).toMatchObject({ activityStatus: { lastProcessedId: "5" }, progress: 5 });
});

test("a checkpoint after the activity has returned writes nothing and never settles", async () => {
  const after: string[] = [];
  const clock = new VirtualClock();
  const work = activity("Work", async (_: undefined, ctx) => {
    await ctx.checkpoint("in time");
    void clock.sleep(10).then(async () => {
      await ctx.checkpoint("too late");
      after.push("settled");
    });
    return "done";
  });
  const single = workflow("Single", async (ctx) => {
    await ctx.call(work);
    await ctx.sleep("1 minute");
  });
  const { document } = await ran(single, undefined, { clock });
  expect(document.activityStatus?.lastProcessedId).toBe("in time");
  expect(after).toEqual([]);
});
