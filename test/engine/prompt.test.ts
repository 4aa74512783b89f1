/** Turns that begin in the event that made them due: their alarm covers them, and joins them. */
import { describe, expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import { workflow } from "../../src/core/workflow.ts";
import type { StartCommand } from "../../src/engine/commands.ts";
import { InProcessObject } from "../../src/testing/in-process-object.ts";
import { mock } from "../../src/testing/mock.ts";
import type { TraceEvent } from "../../src/testing/trace.ts";
import { ID, ran, startCommand, started } from "./harness.ts";

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

describe("a start whose code begins at once", () => {
  const atOnce = { executionId: "execution-1", atOnce: true };

  /** Sends a start and runs the object until it waits for its alarm, or for good. */
  async function sent(object: InProcessObject, command: StartCommand) {
    const answer = object.deliver((commands) => commands.start(command));
    await object.scheduler.run(object.clock.now() - 1);
    return answer;
  }

  test("is one commit with all that a short instance writes, and sets no alarm that outlives it", async () => {
    const events: TraceEvent[] = [];
    const object = new InProcessObject({
      workflows: [working],
      gate: "effects",
      onEvent: (event) => events.push(event),
    });
    const command = startCommand(working, undefined, atOnce);
    expect(await sent(object, command)).toMatchObject({ ok: true, value: { created: true } });
    expect(object.commits).toBe(1);
    expect(object.alarm).toBeNull();
    expect(object.commands.get(ID)).toMatchObject({ status: "Completed", output: "done" });
    expect(kinds(events)).not.toContain("alarm");
  });

  test("is stored before anything that its steps do leaves the object", async () => {
    const effects: boolean[] = [];
    const charge = activity("Charge", () => "charged");
    const charging = workflow("W", (ctx) => ctx.call(charge));
    const object: InProcessObject = new InProcessObject({
      workflows: [charging],
      activities: [
        mock(charge, (_, ctx) => {
          ctx.effect("charged");
          return "charged";
        }),
      ],
      gate: "effects",
      onEvent: ({ kind }) => kind === "effect" && effects.push(object.sql.dirty),
    });
    await sent(object, startCommand(charging, undefined, atOnce));
    expect(effects).toEqual([false]);
    expect(object.commands.get(ID).status).toBe("Completed");
  });

  test("leaves nothing where its code kills the object, and sent as any other is found to do so", async () => {
    let attempts = 0;
    const mortal = activity("Mortal", { retry: { maxAttempts: 2 } }, () => {
      attempts++;
      object.crash();
    });
    const dying = workflow("W", (ctx) => ctx.call(mortal));
    const object: InProcessObject = new InProcessObject({ workflows: [dying], gate: "effects" });
    const command = startCommand(dying, undefined, atOnce);
    expect(await sent(object, command)).toBeUndefined();
    expect(() => object.commands.get(ID)).toThrow("there is no instance");
    expect(object.alarm).toBeNull();
    await sent(object, { ...command, atOnce: false });
    await object.run();
    expect(object.commands.get(ID)).toMatchObject({
      status: "Failed",
      error: { cause: { code: "ATTEMPT_LOST" } },
    });
    expect(attempts).toBe(4); // in the start, in a burst, and the policy's two
  });

  test("is the same one where it comes again, whatever it says of conflicts, until another one has its place", async () => {
    let attempts = 0;
    const counted = activity("Counted", () => ++attempts);
    const counting = workflow("W", (ctx) => ctx.call(counted));
    const object = new InProcessObject({ workflows: [counting], gate: "effects" });
    for (const onConflict of ["reject", "existing", "replace", "replaceFinished"] as const) {
      const command = startCommand(counting, undefined, { ...atOnce, onConflict });
      const receipt = await sent(object, command);
      expect(receipt).toMatchObject({
        ok: true,
        value: { created: true, document: { executionId: "execution-1" } },
      });
      await object.run();
    }
    expect(attempts).toBe(1);
    object.commands.restart(ID, { reason: null });
    await object.run();
    const late = await sent(object, startCommand(counting, undefined, atOnce));
    expect(late).toMatchObject({ ok: false, error: { code: "INSTANCE_EXISTS" } });
    expect(attempts).toBe(2);
  });

  test("waits for its time, and for its alarm where that is asked for", async () => {
    const startAt = Date.UTC(2027, 0, 1);
    for (const [command, turn] of [
      [{ ...atOnce, startAt }, {}],
      [atOnce, { prompt: false }],
    ] as const) {
      const object = new InProcessObject({ workflows: [working], turn });
      await sent(object, startCommand(working, undefined, command));
      expect(object.commands.get(ID).status).toBe("Pending");
      expect(object.alarm).not.toBeNull();
      await object.run();
      expect(object.commands.get(ID).status).toBe("Completed");
    }
  });
});
