/** Turns that begin in the event that made them due: their alarm covers them, and joins them. */
import { expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import { workflow } from "../../src/core/workflow.ts";
import type { TraceEvent } from "../../src/testing/trace.ts";
import { ID, ran, started } from "./harness.ts";

const HOUR = 3_600_000;
const work = activity("Work", (value: string) => value);
const working = workflow("Working", (ctx) => ctx.call(work, "done"));

/** Lasts an hour unless it is told to hurry. */
const long = activity("Long", { retry: { maxAttempts: 3 } }, async (_: undefined, ctx) => {
  await ctx.checkpoint(1);
  await object.clock.sleep(HOUR);
});
const lasting = workflow("Lasting", (ctx) => ctx.call(long));
let object: ReturnType<typeof started>;

const late = { alarmDelay: () => HOUR };

const kinds = (events: readonly TraceEvent[]) => events.map(({ kind }) => kind);

test("a short instance ends in the event that started it, and its alarm is struck off", async () => {
  const events: TraceEvent[] = [];
  const { document, object } = await ran(working, undefined, {
    faults: late,
    gate: "effects",
    onEvent: (event) => events.push(event),
  });
  expect(document).toMatchObject({ status: "Completed", output: "done" });
  expect(kinds(events)).not.toContain("alarm");
  expect(object.alarm).toBeNull();
  expect(object.commits).toBe(2); // the start; and its one step with its end
});

test("an instance waits for its alarm where that is asked for", async () => {
  const events: TraceEvent[] = [];
  const options = { turn: { prompt: false }, onEvent: (event: TraceEvent) => events.push(event) };
  const { document } = await ran(working, undefined, options);
  expect(document.status).toBe("Completed");
  expect(kinds(events).filter((kind) => kind === "alarm")).toHaveLength(1);
});

test("a turn that goes on is joined by its alarm, and is not begun a second time", async () => {
  let attempts = 0;
  const counted = activity("Counted", async () => {
    attempts++;
    await object.clock.sleep(HOUR);
    return "done";
  });
  object = started(workflow("W", (ctx) => ctx.call(counted)));
  await object.run();
  expect(object.commands.get(ID)).toMatchObject({ status: "Completed", output: "done" });
  expect(attempts).toBe(1);
});

test("an object lost before the alarm has joined comes back by it", async () => {
  let attempts = 0;
  const mortal = activity("Mortal", async () => {
    attempts++;
    if (attempts === 1) object.crash();
    return "done";
  });
  object = started(workflow("W", (ctx) => ctx.call(mortal)));
  expect(object.alarm).not.toBeNull();
  await object.run();
  expect(object.commands.get(ID)).toMatchObject({ status: "Completed", output: "done" });
  expect(attempts).toBe(2);
});

test("a resume in a turn whose alarm a suspension has deleted sets one: a crash leads to another turn", async () => {
  object = started(lasting, undefined, { faults: late });
  await object.run(object.clock.now() + 1_000); // the turn runs, and its alarm is late
  expect(object.ringing).toBe(false);
  expect(object.memory.steps).toEqual(["Long"]);
  await Promise.all([
    object.deliver((commands) => commands.suspend(ID, { reason: "wait" })),
    object.run(object.clock.now() + 1_000),
  ]);
  await Promise.all([
    object.deliver((commands) => commands.resume(ID, { reason: "go on" })),
    object.run(object.clock.now() + 1_000),
  ]);
  expect(object.alarm).not.toBeNull();
  object.crash();
  await object.run();
  expect(object.commands.get(ID).status).toBe("Completed");
});

test("a purge in a turn that began early leaves an alarm for its tombstone, though a crash follows", async () => {
  object = started(lasting, undefined, { faults: late });
  await object.run(object.clock.now() + 1_000);
  expect(object.ringing).toBe(false);
  await Promise.all([
    object.deliver((commands) => commands.purge(ID, { force: true })).then(() => object.crash()),
    object.run(object.clock.now() + 1_000),
  ]);
  expect(object.alarm).not.toBeNull();
  await object.run();
  expect(object.sql.all("SELECT name FROM sqlite_schema")).toEqual([]);
});
