import { describe, expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import { workflow } from "../../src/core/workflow.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { crashesAt, ID, ran, started } from "./harness.ts";
import { eachRecord, upTo, type Visit } from "./records.ts";

/** A workflow over so many records, and what its activity saw. */
function migration(records: number) {
  const visits: Visit[] = [];
  const reasons: unknown[] = [];
  const left: string[] = [];
  let runs = 0;
  const migrate = activity("Migrate", async (_: undefined, ctx) => {
    runs++;
    ctx.signal.addEventListener("abort", () => reasons.push(ctx.signal.reason));
    try {
      await eachRecord(ctx, records, (record) => visits.push({ record, attempt: ctx.attempt }));
    } finally {
      left.push("left");
    }
    return ctx.status.lastProcessedId;
  });
  const single = workflow("Migration", (ctx) => ctx.call(migrate));
  return { single, visits, reasons, left, runs: () => runs };
}

describe("an activity whose checkpoints use up the turn", () => {
  test("goes on in the next turn from there, each record once, in its first attempt", async () => {
    const { single, visits, runs } = migration(20);
    const { document, object } = await ran(single, undefined, { turn: { checkpoints: 3 } });
    expect(document).toMatchObject({
      status: "Completed",
      output: "20",
      activityStatus: { lastProcessedId: "20", processingStatus: "Complete" },
    });
    expect(visits).toEqual(upTo(20).map((record) => ({ record, attempt: 1 })));
    expect(runs()).toBe(7); // three records a turn
    expect(object.commands.history(ID, null, 9).items).toMatchObject([{ attempts: 1 }]);
  });

  test("is stopped there: its signal says so, and its checkpoint never returns", async () => {
    const { single, reasons, left } = migration(7);
    await ran(single, undefined, { turn: { checkpoints: 3 } });
    expect(reasons).toMatchObject([
      { name: "PreemptedError", code: "PREEMPTED" },
      { name: "PreemptedError", code: "PREEMPTED" },
    ]);
    expect(left).toEqual(["left"]); // only the run that came to the end
  });

  test("is not preempted where its last checkpoint is the last of the budget but one", async () => {
    const { single, runs } = migration(3);
    await ran(single, undefined, { turn: { checkpoints: 4 } });
    expect(runs()).toBe(1);
  });

  test("ends though its very last checkpoint was the last of the budget", async () => {
    const { single, visits, runs } = migration(3);
    const { document } = await ran(single, undefined, { turn: { checkpoints: 3 } });
    expect(document).toMatchObject({ status: "Completed", output: "3" });
    expect(visits).toHaveLength(3);
    expect(runs()).toBe(2); // the second finds nothing left to do
  });

  test("makes headway even where a turn allows a single checkpoint", async () => {
    const { single, visits } = migration(5);
    const { document } = await ran(single, undefined, { turn: { checkpoints: 1 } });
    expect(document.output).toBe("5");
    expect(visits).toHaveLength(5);
  });

  test("survives a crash at every commit, and does no record twice", async () => {
    const { single } = migration(8);
    const { object } = await ran(single, undefined, { turn: { checkpoints: 3 } });
    const { commits } = object;
    expect(commits).toBeGreaterThan(10);
    for (const when of ["before", "after"] as const) {
      for (let commit = 2; commit <= commits; commit++) {
        const again = migration(8);
        const crashed = await ran(again.single, undefined, {
          turn: { checkpoints: 3 },
          faults: crashesAt({ commit, when }),
        });
        expect(crashed.document).toMatchObject({ status: "Completed", output: "8" });
        expect(crashed.object.crashes).toBe(1);
        const records = again.visits.map((visit) => visit.record);
        expect([...new Set(records)]).toEqual(upTo(8));
        // A crash before a commit loses one checkpoint: that record alone is done again.
        expect(records.length).toBeLessThanOrEqual(when === "after" ? 8 : 9);
        expect(again.visits.every((visit) => visit.attempt === 1)).toBe(true);
      }
    }
  });

  test("keeps the count of the attempts that had failed", async () => {
    const attempts: string[] = [];
    const migrate = activity("Migrate", async (_: undefined, ctx) => {
      await eachRecord(ctx, 9, (record) => {
        attempts.push(`${record}/${ctx.attempt}`);
        if (record === 4 && ctx.attempt === 1) throw new Error("once");
      });
    });
    await ran(
      workflow("Migration", (ctx) => ctx.call(migrate)),
      undefined,
      { turn: { checkpoints: 2 } },
    );
    expect(attempts).toEqual([
      "1/1",
      "2/1",
      "3/1",
      "4/1",
      "4/2",
      "5/2",
      "6/2",
      "7/2",
      "8/2",
      "9/2",
    ]);
  });
});

test("the wall time of a turn stops no activity: the next turn adopts it between two checkpoints", async () => {
  const clock = new VirtualClock();
  let runs = 0;
  const migrate = activity("Migrate", async (_: undefined, ctx) => {
    runs++;
    await eachRecord(ctx, 6, () => clock.sleep(400));
  });
  const single = workflow("Migration", (ctx) => ctx.call(migrate));
  const { document } = await ran(single, undefined, { clock, turn: { millis: 1_000 } });
  expect(document).toMatchObject({ status: "Completed", progress: { done: 6, total: 6 } });
  expect(document.completedAt).toBe("2026-01-01T00:00:02.400Z");
  expect(runs).toBe(1);
});

test("two activities share the checkpoints of a turn, and both come to their end", async () => {
  const visits: string[] = [];
  const migrate = activity("Migrate", async (name: string, ctx) => {
    await eachRecord(ctx, 6, (record) => visits.push(`${name}${record}`));
    return name;
  });
  const both = workflow("Both", (ctx) =>
    Promise.all([ctx.call(migrate, "a"), ctx.call(migrate, "b")]),
  );
  const { document } = await ran(both, undefined, { turn: { checkpoints: 3 } });
  expect(document.output).toEqual(["a", "b"]);
  for (const name of ["a", "b"]) {
    const own = visits.filter((visit) => visit.startsWith(name));
    expect(own).toEqual(upTo(6).map((record) => `${name}${record}`));
  }
});

describe("a chain of more steps than a turn may have", () => {
  const add = activity("Add", (n: number) => n + 1);
  const chain = workflow("Chain", async (ctx, steps: number) => {
    let value = 0;
    for (let step = 0; step < steps; step++) value = await ctx.call(add, value);
    return value;
  });

  test("goes over several turns and runs each step once", async () => {
    const runs: number[] = [];
    const counted = activity("Add", (n: number) => {
      runs.push(n);
      return n + 1;
    });
    const long = workflow("Chain", async (ctx) => {
      let value = 0;
      for (let step = 0; step < 23; step++) value = await ctx.call(counted, value);
      return value;
    });
    const object = started(long, undefined, { turn: { steps: 5 } });
    let turns = 0;
    while (object.alarm !== null) {
      turns++;
      await object.run(object.alarm);
    }
    expect(object.commands.get(ID)).toMatchObject({ status: "Completed", output: 23 });
    expect(runs).toEqual(upTo(23).map((step) => step - 1));
    expect(turns).toBe(5);
  });

  test("is not replayed between turns, and may be: a crash between them changes nothing", async () => {
    const object = started(chain, 23, { turn: { steps: 5 } });
    while (object.alarm !== null) {
      await object.run(object.alarm);
      object.crash();
    }
    expect(object.commands.get(ID)).toMatchObject({ status: "Completed", output: 23 });
    expect(object.commands.history(ID, null, 99).items.map((item) => item.result)).toEqual(
      upTo(23),
    );
  });

  test("does not spend its budget on what it replays", async () => {
    const object = started(chain, 12, { turn: { steps: 5 } });
    await object.run(object.clock.now());
    object.crash();
    let turns = 0;
    while (object.alarm !== null) {
      turns++;
      await object.run(object.alarm);
    }
    expect(object.commands.get(ID).output).toBe(12);
    expect(turns).toBeLessThanOrEqual(2);
  });
});

describe("an activity that runs longer than a turn may last", () => {
  test("is adopted by the next turns and called once", async () => {
    const clock = new VirtualClock();
    const calls: number[] = [];
    const work = activity("Work", async (_: undefined, ctx) => {
      calls.push(ctx.attempt);
      await clock.sleep(10_500);
      return ctx.signal.aborted;
    });
    const single = workflow("Single", (ctx) => ctx.call(work));
    const object = started(single, undefined, { clock, turn: { millis: 1_000 } });
    await object.run();
    expect(calls).toEqual([1]);
    expect(object.commands.get(ID)).toMatchObject({ status: "Completed", output: false });
    expect(clock.now()).toBe(Date.UTC(2026, 0, 1) + 10_500);
  });

  test("has a row from the end of its first turn on, and is due at once meanwhile", async () => {
    const clock = new VirtualClock();
    const work = activity("Work", () => clock.sleep(10_000));
    const single = workflow("Single", (ctx) => ctx.call(work));
    const object = started(single, undefined, { clock, turn: { millis: 1_000 } });
    await object.run(clock.now() + 500);
    expect(object.commands.history(ID, null, 9).items).toEqual([]);
    await object.run(clock.now() + 2_000);
    expect(object.commands.history(ID, null, 9).items).toMatchObject([
      { step: "Work", state: "open", attempts: 1, seq: null },
    ]);
    expect(object.alarm).toBeLessThanOrEqual(clock.now());
  });

  test("still times out while it is handed from turn to turn", async () => {
    const clock = new VirtualClock();
    const work = activity("Work", { timeout: 2_500, retry: { maxAttempts: 1 } }, () =>
      clock.sleep(60_000),
    );
    const single = workflow("Single", (ctx) => ctx.call(work));
    const { document } = await ran(single, undefined, { clock, turn: { millis: 1_000 } });
    expect(document.completedAt).toBe("2026-01-01T00:00:02.500Z");
    expect(document.error?.cause?.code).toBe("ATTEMPT_TIMEOUT");
  });

  test("runs again only where memory was lost", async () => {
    const clock = new VirtualClock();
    const calls: number[] = [];
    const work = activity("Work", async (_: undefined, ctx) => {
      calls.push(ctx.attempt);
      await clock.sleep(3_000);
    });
    const single = workflow("Single", (ctx) => ctx.call(work));
    const object = started(single, undefined, { clock, turn: { millis: 1_000 } });
    await object.run(clock.now() + 2_500);
    object.crash();
    await object.run();
    expect(calls).toEqual([1, 1]);
    expect(object.commands.history(ID, null, 9).items).toMatchObject([
      { attempts: 1, state: "done" },
    ]);
  });
});

test("attempts that fail without a wait in between use the turn up as steps do", async () => {
  let failures = 22;
  const retry = { maxAttempts: 30, firstInterval: 0 };
  const work = activity("Work", { retry }, () => {
    if (failures-- > 0) throw new Error("not yet");
    return "at last";
  });
  const single = workflow("Single", (ctx) => ctx.call(work));
  const object = started(single, undefined, { turn: { steps: 5 } });
  let turns = 0;
  while (object.alarm !== null) {
    turns++;
    await object.run(object.alarm);
  }
  expect(object.commands.get(ID)).toMatchObject({ status: "Completed", output: "at last" });
  expect(turns).toBe(5);
});
