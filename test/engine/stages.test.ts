import { describe, expect, test } from "vitest";
import { type ActivityContext, activity } from "../../src/core/activity.ts";
import { type ActivityStatus, initialStatus } from "../../src/core/activity-status.ts";
import { NonRetryableError } from "../../src/core/failure.ts";
import { type AnyWorkflow, workflow } from "../../src/core/workflow.ts";
import { crashesAt, ID, ran, started } from "./harness.ts";
import { eachRecord, upTo } from "./records.ts";

const NOW = Date.UTC(2026, 0, 1);
const START = initialStatus("ActivityOne", NOW);

/** What stage `index` does to `record`; may throw. */
type Work = (name: string, record: number, ctx: ActivityContext) => unknown;

/** The resilient workflow over six records a stage, and which records each stage did. */
function resilient(work: Work = () => {}) {
  const done: string[] = [];
  const given: unknown[] = [];
  const stage = (name: string) =>
    activity(name, { retry: { maxAttempts: 3 } }, async (status: ActivityStatus, ctx) => {
      given.push([name, status, ctx.status]);
      await eachRecord(ctx, 6, async (record) => {
        await work(name, record, ctx);
        done.push(`${name} ${record}`);
      });
      return ctx.status;
    });
  const [one, two, three] = [stage("ActivityOne"), stage("ActivityTwo"), stage("ActivityThree")];
  const stages = [one, two, three];
  const migrate = workflow("Resilient", { stages }, async (ctx, input: ActivityStatus) => {
    let status = await ctx.call(one, input);
    ctx.log("reached", { stage: status.processingStage, status: status.processingStatus });
    status = await ctx.call(two, status);
    return await ctx.call(three, status);
  });
  return { migrate, stages, done, given };
}

const all = (name: string, from = 1) =>
  upTo(6)
    .slice(from - 1)
    .map((record) => `${name} ${record}`);
const at = (stage: string, status: ActivityStatus["processingStatus"], id: string) => ({
  processingStage: stage,
  processingStatus: status,
  lastProcessedId: id,
});

describe("the resilient workflow", () => {
  test("goes through its stages in order and ends with a complete status", async () => {
    const { migrate, done } = resilient();
    const { document, object } = await ran(migrate, START);
    expect(document).toMatchObject({
      status: "Completed",
      output: at("ActivityThree", "Complete", "6"),
      activityStatus: at("ActivityThree", "Complete", "6"),
      progress: { done: 6, total: 6 },
    });
    expect(done).toEqual([...all("ActivityOne"), ...all("ActivityTwo"), ...all("ActivityThree")]);
    expect(object.commands.history(ID, null, 9).items).toMatchObject([
      { step: "ActivityOne", state: "done", activityStatus: at("ActivityOne", "Complete", "6") },
      { step: "ActivityTwo", state: "done", activityStatus: at("ActivityTwo", "Complete", "6") },
      {
        step: "ActivityThree",
        state: "done",
        activityStatus: at("ActivityThree", "Complete", "6"),
      },
    ]);
  });

  test("gives each stage a status of its own, in progress and before its first record", async () => {
    const { migrate, given } = resilient();
    await ran(migrate, START);
    const lastUpdated = "2026-01-01T00:00:00.000Z";
    expect(given).toEqual(
      ["ActivityOne", "ActivityTwo", "ActivityThree"].map((name) => {
        const status = { ...at(name, "InProgress", "initialId"), lastUpdated };
        return [name, status, status];
      }),
    );
  });

  test("shows the stage it is at, with how far that came, while it runs and after a crash", async () => {
    const seen: unknown[] = [];
    const { migrate } = resilient((name, record) => {
      if (record === 3) seen.push([name, object.commands.get(ID).activityStatus]);
    });
    const object = started(migrate, START);
    expect(object.commands.get(ID).activityStatus).toEqual(START);
    await object.run();
    expect(seen).toMatchObject([
      ["ActivityOne", at("ActivityOne", "InProgress", "2")],
      ["ActivityTwo", at("ActivityTwo", "InProgress", "2")],
      ["ActivityThree", at("ActivityThree", "InProgress", "2")],
    ]);
  });

  test("does every record once and in order, whatever commit its object dies at", async () => {
    const whole = await ran(resilient().migrate, START, { turn: { checkpoints: 4 } });
    const { commits } = whole.object;
    for (const when of ["before", "after"] as const) {
      for (let commit = 2; commit <= commits; commit++) {
        const { migrate, done } = resilient();
        const faults = crashesAt({ commit, when });
        const { document } = await ran(migrate, START, { turn: { checkpoints: 4 }, faults });
        expect(document.output).toMatchObject(at("ActivityThree", "Complete", "6"));
        const every = [...all("ActivityOne"), ...all("ActivityTwo"), ...all("ActivityThree")];
        expect([...new Set(done)]).toEqual(every);
        expect(done.length).toBeLessThanOrEqual(every.length + 1);
      }
    }
  });

  test("retries a stage from its checkpoint", async () => {
    const { migrate, done } = resilient((name, record, ctx) => {
      if (name === "ActivityTwo" && record === 4 && ctx.attempt < 3) throw new Error("poor");
    });
    const { document, object } = await ran(migrate, START);
    expect(document.status).toBe("Completed");
    expect(done).toEqual([...all("ActivityOne"), ...all("ActivityTwo"), ...all("ActivityThree")]);
    const attempts = object.commands.history(ID, null, 9).items.map((item) => item.attempts);
    expect(attempts).toEqual([1, 3, 1]);
  });
});

describe("a stage that fails for good", () => {
  const failing: Work = (name, record) => {
    if (name === "ActivityTwo" && record === 4) throw new NonRetryableError("poor record");
  };

  test("fails its instance, which shows the stage as Failed and how far it came", async () => {
    const { document, object } = await ran(resilient(failing).migrate, START);
    expect(document).toMatchObject({
      status: "Failed",
      output: null,
      error: { cause: { message: "poor record" } },
      activityStatus: at("ActivityTwo", "Failed", "3"),
      progress: { done: 3, total: 6 },
    });
    expect(object.commands.history(ID, null, 9).items[1]).toMatchObject({
      state: "failed",
      activityStatus: at("ActivityTwo", "Failed", "3"),
    });
    object.crash();
    expect(object.commands.get(ID).activityStatus).toEqual(document.activityStatus);
  });

  test("lets a new instance resume from that status: there, and after that record", async () => {
    const failed = await ran(resilient(failing).migrate, START);
    const { migrate, done, given } = resilient();
    const { document, object } = await ran(migrate, failed.document.activityStatus);
    expect(document.output).toMatchObject(at("ActivityThree", "Complete", "6"));
    expect(done).toEqual([...all("ActivityTwo", 4), ...all("ActivityThree")]);
    expect(given[0]).toMatchObject(["ActivityTwo", at("ActivityTwo", "InProgress", "3"), {}]);
    expect(object.logs.filter((event) => event.event === "log")).toMatchObject([
      {
        message: "stage passed through",
        step: "ActivityOne",
        processingStage: "ActivityTwo",
        processingStatus: "Failed",
      },
      { message: "reached", stage: "ActivityTwo", status: "Failed" },
    ]);
  });

  test("lets it resume also where no record was done since the stored status", async () => {
    const first = await ran(resilient(failing).migrate, START);
    const second = await ran(resilient(failing).migrate, first.document.activityStatus);
    expect(second.document).toMatchObject({
      status: "Failed",
      activityStatus: at("ActivityTwo", "Failed", "3"),
    });
  });

  test("stays the stage that is shown where the workflow then calls an activity outside them", async () => {
    const { stages } = resilient(failing);
    const [one, two] = stages;
    if (one === undefined || two === undefined) throw new Error("no stages");
    const alert = activity("Alert", (text: string) => text);
    const alerting = workflow("Alerting", { stages }, async (ctx, input: ActivityStatus) => {
      try {
        return await ctx.call(two, await ctx.call(one, input));
      } catch (error) {
        await ctx.call(alert, String(error));
        throw error;
      }
    });
    const { document } = await ran(alerting, START);
    expect(document).toMatchObject({
      status: "Failed",
      activityStatus: at("ActivityTwo", "Failed", "3"),
    });
  });
});

describe("started from a stored status", () => {
  test.each<[string, ActivityStatus, readonly string[]]>([
    [
      "the first stage anew",
      START,
      [...all("ActivityOne"), ...all("ActivityTwo"), ...all("ActivityThree")],
    ],
    [
      "the middle of the first stage",
      { ...START, lastProcessedId: "4" },
      [...all("ActivityOne", 5), ...all("ActivityTwo"), ...all("ActivityThree")],
    ],
    [
      "a first stage that is complete",
      { ...START, ...at("ActivityOne", "Complete", "6") },
      [...all("ActivityTwo"), ...all("ActivityThree")],
    ],
    [
      "the last stage in progress",
      { ...START, ...at("ActivityThree", "InProgress", "5") },
      all("ActivityThree", 6),
    ],
    ["a workflow that is complete", { ...START, ...at("ActivityThree", "Complete", "6") }, []],
  ])("%s: only what is left is done", async (_what, status, expected) => {
    const { migrate, done } = resilient();
    const { document } = await ran(migrate, status);
    expect(document.output).toMatchObject(at("ActivityThree", "Complete", "6"));
    expect(document.activityStatus).toMatchObject(at("ActivityThree", "Complete", "6"));
    expect(done).toEqual(expected);
  });

  test.each<[string, unknown, string]>([
    ["no status", undefined, "STAGE_STATUS_INVALID"],
    [
      "a status of another workflow",
      { ...START, processingStage: "Elsewhere" },
      "STAGE_STATUS_INVALID",
    ],
    ["half a status", { processingStage: "ActivityOne" }, "STAGE_STATUS_INVALID"],
  ])("%s: the instance fails and says why", async (_what, input, code) => {
    const { document } = await ran(resilient().migrate, input);
    expect(document).toMatchObject({ status: "Failed", error: { code }, activityStatus: null });
  });

  test("stages called in the wrong order fail the instance", async () => {
    const { stages } = resilient();
    const [one, , three] = stages;
    if (one === undefined || three === undefined) throw new Error("no stages");
    const skipping = workflow("Skipping", { stages }, async (ctx, input: ActivityStatus) =>
      ctx.call(three, await ctx.call(one, input)),
    );
    const { document } = await ran(skipping, START);
    expect(document).toMatchObject({ status: "Failed", error: { code: "STAGE_ORDER" } });
    expect(document.activityStatus).toMatchObject(at("ActivityOne", "Complete", "6"));
  });
});

describe("what a stage returns", () => {
  const returning = (value: unknown): AnyWorkflow => {
    const only = activity("Only", async (_: ActivityStatus, ctx) => {
      await ctx.checkpoint("7");
      return value as ActivityStatus;
    });
    return workflow("One", { stages: [only] }, (ctx, input: ActivityStatus) =>
      ctx.call(only, input),
    );
  };
  const start = initialStatus("Only", NOW);

  test("says how far it came, and it is complete whatever else it says", async () => {
    const returned = { ...start, lastProcessedId: "9", processingStage: "Other" };
    const { document } = await ran(returning(returned), start);
    expect(document.output).toMatchObject(at("Only", "Complete", "9"));
    expect(document.activityStatus).toMatchObject(at("Only", "Complete", "9"));
  });

  test("may be nothing: its last checkpoint counts", async () => {
    const { document } = await ran(returning(undefined), start);
    expect(document.output).toMatchObject(at("Only", "Complete", "7"));
  });

  test("and is no status fails the stage at once, where it was", async () => {
    const { document, object } = await ran(returning({ records: 5 }), start);
    expect(document).toMatchObject({
      status: "Failed",
      error: { cause: { code: "STAGE_STATUS_INVALID" } },
      activityStatus: at("Only", "Failed", "7"),
    });
    expect(object.commands.history(ID, null, 9).items).toMatchObject([{ attempts: 1 }]);
  });
});
