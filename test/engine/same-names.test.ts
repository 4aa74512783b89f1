/** Steps of one name that run side by side: told apart by the order in which the code asks, and not as they end. */
import { expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import { workflow } from "../../src/core/workflow.ts";
import { checkHistory } from "../../src/engine/check-history.ts";
import { ask } from "../../src/testing/network.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { atEachCommit, crashesAt, ID, started } from "./harness.ts";

/** Seconds after which the steps end: last asked is neither the first nor the last to end. */
const SECONDS = [40, 10, 30, 20];

const STEPS = ["Work", "Work#2", "Work#3", "Work#4"];

/** All with the same input: nothing but their place in the code tells them apart. */
function sameNamed(kind: "activities" | "inline steps") {
  const clock = new VirtualClock();
  const keys = new Map<string, Set<string>>();
  const run = async (step: string, key: string) => {
    keys.set(step, (keys.get(step) ?? new Set()).add(key));
    await clock.sleep((SECONDS[STEPS.indexOf(step)] ?? 0) * 1_000);
    return `of ${step}`;
  };
  const work = activity("Work", (_: undefined, ctx) => run(ctx.step, ctx.idempotencyKey));
  const parallel = workflow("Parallel", async (ctx) => {
    const arrived: number[] = [];
    const calls = SECONDS.map(async (_seconds, place) => {
      const result =
        kind === "activities"
          ? await ctx.call(work)
          : await ctx.run("Work", (step) => run(step.step, step.idempotencyKey));
      arrived.push(place);
      return result;
    });
    const results = await Promise.all(calls);
    await ctx.waitForEvent("go on"); // so that what is delivered is replayed
    return { results, arrived };
  });
  return { clock, keys, parallel };
}

test.each(["activities", "inline steps"] as const)(
  "parallel %s of one name keep their own results, whatever commit their object is lost at",
  async (kind) => {
    const commits = await atEachCommit(async (point) => {
      const { clock, keys, parallel } = sameNamed(kind);
      const object = started(parallel, undefined, { clock, faults: crashesAt(point) });
      await object.run();
      object.crash();
      ask(object, (commands) => commands.sendEvent(ID, { event: "go on", payload: "[1]" }));
      await object.run();
      const { status, output } = object.commands.get(ID);
      expect([point, status]).toEqual([point, "Completed"]);
      expect(output).toMatchObject({ results: STEPS.map((step) => `of ${step}`) });
      const { items } = object.commands.history(ID, null, 9);
      const ended = items.toSorted((one, other) => (one.seq ?? 0) - (other.seq ?? 0));
      const arrived = ended.slice(0, 4).map(({ step }) => STEPS.indexOf(step));
      expect(output).toMatchObject({ arrived });
      expect(arrived).not.toEqual([0, 1, 2, 3]);
      expect(Array.from(keys.values(), ({ size }) => size)).toEqual([1, 1, 1, 1]);
      const { cursor: _cursor, ...history } = object.commands.export(ID, null, 99);
      expect(await checkHistory(parallel, history)).toMatchObject({ fits: true });
      return object;
    });
    expect(commits).toBeGreaterThan(6);
  },
);
