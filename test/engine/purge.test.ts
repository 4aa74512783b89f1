import { describe, expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { encode } from "../../src/core/payload.ts";
import { workflow } from "../../src/core/workflow.ts";
import { InProcessObject } from "../../src/testing/in-process-object.ts";
import { ask } from "../../src/testing/network.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { codeOf } from "../core/thrown.ts";
import { tablesOf } from "../store/tables.ts";
import { crashesAt, ID, ran, startCommand, started } from "./harness.ts";
import { eachRecord } from "./records.ts";

const purge = (object: InProcessObject, force = false) =>
  ask(object, (commands) => commands.purge(ID, { force }));

const later = (object: InProcessObject, millis: number) => object.run(object.clock.now() + millis);

const quick = workflow("Quick", (ctx, input: number) => ctx.run("step", () => input));
const idempotency = { key: "k", fingerprint: "f" };

test("a purge leaves nothing of an instance but a tombstone", async () => {
  const { object } = await ran(quick, 1);
  purge(object);
  expect(tablesOf(object.sql)).toEqual(["tombstone"]);
  for (const read of [
    () => object.commands.get(ID),
    () => object.commands.history(ID, null, 9),
    () => object.commands.suspend(ID, { reason: null }),
    () => object.commands.terminate(ID, { reason: null }),
    () => object.commands.sendEvent(ID, { event: "go", payload: encode(1, "the event") }),
  ]) {
    expect(codeOf(read)).toBe("INSTANCE_NOT_FOUND");
  }
});

test("the tombstone goes after the resend window, with the last table", async () => {
  const { object } = await ran(quick, 1);
  const purgedAt = object.clock.now();
  purge(object);
  expect(object.alarm).toBe(purgedAt + LIMITS.tombstoneMillis);
  await later(object, LIMITS.tombstoneMillis - 1);
  expect(codeOf(() => purge(object))).toBeUndefined();
  await later(object, 1);
  expect(tablesOf(object.sql)).toEqual([]);
  expect(object.alarm).toBeNull();
  expect(codeOf(() => purge(object))).toBe("INSTANCE_NOT_FOUND");
});

test("an instance that has not ended is refused, and ended first where that is forced", async () => {
  const object = started(workflow("Napping", (ctx) => ctx.sleep("1 hour")));
  expect(codeOf(() => object.commands.purge(ID, { force: false }))).toBe("INSTANCE_NOT_TERMINAL");
  await later(object, 5);
  expect(codeOf(() => object.commands.purge(ID, { force: false }))).toBe("INSTANCE_NOT_TERMINAL");
  object.commands.suspend(ID, { reason: null });
  expect(codeOf(() => object.commands.purge(ID, { force: false }))).toBe("INSTANCE_NOT_TERMINAL");
  purge(object, true);
  expect(codeOf(() => object.commands.get(ID))).toBe("INSTANCE_NOT_FOUND");
  await object.run();
  expect(tablesOf(object.sql)).toEqual([]);
  const told = object.logs.filter(({ event }) => event === "instance.terminated");
  expect(told).toMatchObject([{ reason: "purged by request" }]);
});

test("an instance that never was is not found", () => {
  const object = new InProcessObject({ workflows: [quick] });
  expect(codeOf(() => object.commands.purge(ID, { force: true }))).toBe("INSTANCE_NOT_FOUND");
});

describe("the id of a purged instance", () => {
  test("can be started again, and nothing of the one before is there", async () => {
    const { object } = await ran(quick, 1);
    purge(object);
    object.commands.start(startCommand(quick, 2));
    await object.run();
    expect(object.commands.get(ID)).toMatchObject({ status: "Completed", output: 2 });
    expect(object.commands.history(ID, null, 9).items).toHaveLength(1);
    expect(object.alarm).toBeNull();
  });

  test("is not started again by the message that started it, which comes late", async () => {
    const object = started(quick, 1);
    const start = startCommand(quick, 2, { onConflict: "replace", idempotency });
    object.commands.start(start);
    await object.run();
    purge(object);
    const late = () => object.commands.start(start);
    expect(codeOf(late)).toBe("INSTANCE_PURGED");
    object.crash();
    expect(codeOf(late)).toBe("INSTANCE_PURGED");
    object.commands.start(startCommand(quick, 3));
    expect(codeOf(late)).toBe("INSTANCE_PURGED");
    await later(object, LIMITS.idempotencyKeyMillis + 1);
    expect(object.commands.get(ID).output).toBe(3);
    expect(late().document).toMatchObject({ status: "Pending", input: 2 });
  });
});

test("an attempt of a purged execution that still runs writes nothing, also in the next one", async () => {
  const clock = new VirtualClock();
  const records: string[] = [];
  const work = activity("Work", async (what: string, ctx) => {
    await eachRecord(ctx, 3, async (record) => {
      await clock.sleep(1_000);
      records.push(`${what} ${record}`);
    });
    return what;
  });
  const single = workflow("Single", (ctx, what: string) => ctx.call(work, what));
  const object = started(single, "old", { clock });
  await later(object, 1_500);
  purge(object, true);
  await later(object, 10_000);
  expect(tablesOf(object.sql)).toEqual(["tombstone"]);
  object.commands.start(startCommand(single, "new"));
  await object.run();
  expect(object.commands.get(ID)).toMatchObject({ status: "Completed", output: "new" });
  expect(records).toEqual(["old 1", "old 2", "new 1", "new 2", "new 3"]);
});

test("a start right after a purge, while a turn runs, is covered by an alarm at once", async () => {
  const clock = new VirtualClock();
  const slow = activity("Slow", () => clock.sleep(10_000));
  const single = workflow("Single", (ctx) => ctx.call(slow));
  const object = started(single, undefined, { clock });
  await later(object, 5_000);
  object.commands.purge(ID, { force: true });
  object.commands.start(startCommand(quick, 7));
  object.commit();
  object.crash();
  object.deploy([quick]);
  await later(object, 60_000);
  expect(object.commands.get(ID)).toMatchObject({ status: "Completed", output: 7 });
});

test("a purge with a crash at any commit happens whole or not at all", async () => {
  for (let commit = 1; commit <= 6; commit++) {
    for (const when of ["before", "after"] as const) {
      const faults = crashesAt({ commit: commit + 1, when });
      const object = started(quick, 1, { faults });
      await later(object, 0);
      purge(object, true);
      expect(tablesOf(object.sql)).toEqual(["tombstone"]);
      await object.run();
      expect(tablesOf(object.sql)).toEqual([]);
    }
  }
});
