/** The platform gives an alarm up after six retries: the next request brings the instance back. */
import { expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import { encode } from "../../src/core/payload.ts";
import { type AnyWorkflow, workflow } from "../../src/core/workflow.ts";
import { storedDue } from "../../src/engine/due.ts";
import type { InstanceRow } from "../../src/store/rows.ts";
import { ID, started } from "./harness.ts";

/** An instance whose nth alarm, from 1, is lost. */
async function bereft(definition: AnyWorkflow, nth: number) {
  let alarms = 0;
  const object = started(definition, undefined, { faults: { alarmLost: () => ++alarms === nth } });
  await object.run();
  expect(object.alarm).toBeNull();
  expect(object.commands.get(ID).completedAt).toBeNull();
  object.crash(); // the request finds a new memory
  return object;
}

const napping = workflow("Napping", async (ctx) => {
  await ctx.sleep("1 hour");
  return "woke";
});

test("a start whose alarm was lost begins at the next request", async () => {
  const object = await bereft(napping, 1);
  object.commands.get(ID);
  await object.run();
  expect(object.commands.get(ID)).toMatchObject({ status: "Completed", output: "woke" });
});

test("a sleeper whose alarm was lost wakes at the next request", async () => {
  const object = await bereft(napping, 2);
  object.commands.get(ID);
  await object.run();
  expect(object.commands.get(ID)).toMatchObject({ status: "Completed", output: "woke" });
});

test("a chain lost between two short steps goes on with the next one", async () => {
  const step = activity("Step", (count: number) => count);
  const chain = workflow("Chain", async (ctx) => {
    for (let count = 1; count <= 5; count++) await ctx.call(step, count);
    return "done";
  });
  let losing: boolean | undefined;
  const object = started(chain, undefined, {
    faults: {
      crash: (_name, { kind }) => losing === true && kind === "await",
      alarmLost: () => losing === true,
    },
    onLog: ({ step: ended }) => {
      if (ended === "Step#3") losing ??= true;
    },
  });
  await object.run();
  expect(object.alarm).toBeNull();
  losing = false;
  expect(object.commands.get(ID).status).toBe("Running");
  await object.run();
  expect(object.commands.get(ID)).toMatchObject({ status: "Completed", output: "done" });
});

test.each([undefined, "1 day"] as const)(
  "an event whose alarm was lost is taken at the next request, by a wait with the timeout %s",
  async (timeout) => {
    let losing = false;
    const waiting = workflow("Waiting", (ctx) =>
      ctx.waitForEvent("go", timeout === undefined ? {} : { timeout }),
    );
    const object = started(waiting, undefined, { faults: { alarmLost: () => losing } });
    await object.run(object.clock.now() + 1_000);
    losing = true;
    object.commands.sendEvent(ID, { event: "other", payload: encode(1, "it") });
    object.commands.sendEvent(ID, { event: "go", payload: encode("went", "it") });
    await object.run(object.clock.now() + 1_000);
    expect(object.alarm).toBeNull();
    losing = false;
    object.crash();
    object.commands.get(ID);
    await object.run(object.clock.now() + 1_000);
    expect(object.commands.get(ID)).toMatchObject({ status: "Completed", output: "went" });
  },
);

test("a request to one that only waits for an event sets no alarm", async () => {
  const waiting = workflow("Waiting", (ctx) => ctx.waitForEvent("go"));
  const object = started(waiting);
  await object.run();
  object.commands.sendEvent(ID, { event: "other", payload: encode(1, "it") });
  object.crash();
  object.commands.get(ID);
  await object.run();
  expect(object.alarm).toBeNull();
});

test("a request to one that has ended sets no alarm", async () => {
  const object = started(workflow("Short", () => "done"));
  await object.run();
  object.crash();
  object.commands.get(ID);
  await object.run();
  expect(object.alarm).toBeNull();
});

test("an update that a rewind gave back is owed a turn where the step that it waits for was lost with the alarm", async () => {
  let runs = 0;
  let losing = false;
  const step = activity("Step", () => {
    losing = ++runs === 2;
  });
  const noting = workflow("Noting", async (ctx) => {
    let notes = 0;
    ctx.handle("note", {}, () => ++notes);
    await ctx.call(step, undefined);
    await ctx.waitForEvent("end");
    return notes;
  });
  const object = started(noting, undefined, {
    faults: {
      crash: (_name, { kind }) => losing && kind === "await",
      alarmLost: () => losing,
    },
  });
  await object.run();
  const command = { name: "note", payload: encode(1, "it") };
  const noted = object.commands.call(ID, command, object.clock.now() + 1_000);
  await object.run();
  await noted;
  object.commands.terminate(ID, { reason: null });
  await object.run();
  object.commands.rewind(ID, { to: "Step", reason: null });
  await object.run();
  expect(object.alarm).toBeNull();
  losing = false;
  object.commands.get(ID);
  await object.run();
  object.commands.sendEvent(ID, { event: "end", payload: encode(null, "it") });
  await object.run();
  expect(object.commands.get(ID)).toMatchObject({ status: "Completed", output: 1 });
});

test("an update that comes after a step without a row owes a turn, and after one with a row none", () => {
  const row = { heldAt: null, due: null, updatedAt: 5 } as InstanceRow;
  const lastProcessedId = JSON.stringify(["Charge"]);
  const waits = { kind: "update", state: "buffered", step: "add()", due: null } as const;
  const update = { ...waits, lastProcessedId };
  const charge = {
    kind: "activity",
    state: "open",
    step: "Charge",
    due: 9,
    lastProcessedId: null,
  } as const;
  expect(storedDue(row, [update], [])).toBe(5);
  expect(storedDue(row, [update, charge], [])).toBe(9);
});
