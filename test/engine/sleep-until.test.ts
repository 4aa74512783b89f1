/** Sleeps until a moment: one that has passed is over, on the first run as on a replay. */
import { describe, expect, test } from "vitest";
import { workflow } from "../../src/core/workflow.ts";
import { checkHistory } from "../../src/engine/check-history.ts";
import type { InProcessObject } from "../../src/testing/in-process-object.ts";
import { ask } from "../../src/testing/network.ts";
import { atEachCommit, crashesAt, ID, ran, started } from "./harness.ts";

const START = Date.UTC(2026, 0, 1);
const HOUR = 3_600_000;
const YEAR = 365 * 24 * HOUR;

const goOn = (object: InProcessObject) =>
  ask(object, (commands) => commands.sendEvent(ID, { event: "go on", payload: "[1]" }));

async function expectFit(code: Parameters<typeof checkHistory>[0], object: InProcessObject) {
  const { cursor: _cursor, ...history } = object.commands.export(ID, null, 99);
  expect(await checkHistory(code, history)).toMatchObject({ fits: true });
}

describe("a moment that has passed", () => {
  test.each([
    ["a millisecond ago", START - 1],
    ["now", START],
    ["at the beginning of 1970", 0],
    ["at the first moment that there is", -8.64e15],
  ])("%s, is slept until at once", async (_what, moment) => {
    const sleeping = workflow("Sleeping", async (ctx) => {
      await ctx.sleepUntil(new Date(moment));
      return ctx.now.getTime();
    });
    const { object, document } = await ran(sleeping);
    expect(document).toMatchObject({ status: "Completed", output: START });
    expect(object.clock.now()).toBe(START);
    expect(object.commands.history(ID, null, 9).items).toMatchObject([
      { step: "sleepUntil", state: "done", seq: 1 },
    ]);
  });

  test("lets the steps beside it go on, and loses no race to a later one", async () => {
    const racing = workflow("Racing", (ctx) =>
      Promise.race([
        ctx.sleep("1 hour").then(() => "sleep"),
        ctx.sleepUntil(new Date(START - YEAR)).then(() => "past"),
      ]),
    );
    const { document } = await ran(racing);
    expect(document.output).toBe("past");
  });
});

describe("a sleep that was over long ago", () => {
  /** Sleeps until a moment to come and one that has passed, and then waits for somebody. */
  const waking = workflow("Waking", async (ctx) => {
    const woke: number[] = [];
    for (const moment of [START + HOUR, START - HOUR, START + 2 * HOUR]) {
      await ctx.sleepUntil(new Date(moment));
      woke.push(ctx.now.getTime());
    }
    await ctx.waitForEvent("go on");
    return woke;
  });
  const WOKE = [START + HOUR, START + HOUR, START + 2 * HOUR];

  test("is no error on a replay, and is not slept again", async () => {
    const object = started(waking);
    await object.run(START + 3 * HOUR);
    object.crash();
    object.clock.moveTo(START + 5 * YEAR);
    goOn(object);
    await object.run(START + 5 * YEAR + 1);
    expect(object.commands.get(ID)).toMatchObject({ status: "Completed", output: WOKE });
    const { items } = object.commands.history(ID, null, 9);
    expect(items.map(({ step, seq }) => [step, seq])).toEqual([
      ["sleepUntil", 1],
      ["sleepUntil#2", 2],
      ["sleepUntil#3", 3],
      ["go on", 4],
    ]);
    await expectFit(waking, object);
  });

  test("has come to pass at its moment, whatever commit the object was lost at", async () => {
    const commits = await atEachCommit(async (point) => {
      const object = started(waking, undefined, { faults: crashesAt(point) });
      await object.run(START + 3 * HOUR);
      object.crash();
      goOn(object);
      await object.run();
      expect([point, object.commands.get(ID).output]).toEqual([point, WOKE]);
      await expectFit(waking, object);
      return object;
    });
    expect(commits).toBeGreaterThan(6);
  });

  test("is over where the object was away at its moment, and came back years later", async () => {
    const object = started(waking);
    await object.run(START + HOUR / 2);
    object.crash();
    object.clock.moveTo(START + 5 * YEAR);
    await object.run(START + 5 * YEAR + 1);
    expect(object.commands.get(ID).waitingFor).toMatchObject([{ kind: "event" }]);
    object.crash();
    goOn(object);
    await object.run();
    const late = START + 5 * YEAR;
    expect(object.commands.get(ID).output).toEqual([late, late, late]);
  });
});
