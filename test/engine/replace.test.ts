import { describe, expect, test } from "vitest";
import { type ActivityOptions, activity } from "../../src/core/activity.ts";
import { type AnyWorkflow, workflow } from "../../src/core/workflow.ts";
import type { TurnBudget } from "../../src/engine/host.ts";
import type { InProcessObject } from "../../src/testing/in-process-object.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { ID, startCommand, started } from "./harness.ts";

/** An instance of one activity that takes four seconds whatever happens to it, and how many ran at once. */
function stubborn(options: ActivityOptions = {}, turn: Partial<TurnBudget> = {}) {
  const clock = new VirtualClock();
  let running = 0;
  let most = 0;
  const work = activity("Work", options, async () => {
    running++;
    most = Math.max(most, running);
    await clock.sleep(4_000);
    running--;
  });
  const single = workflow("Single", (ctx) => ctx.call(work));
  const object = started(single, undefined, { clock, turn });
  return { object, clock, single, most: () => most };
}

function replace(object: InProcessObject, single: AnyWorkflow): void {
  object.commands.start(startCommand(single, undefined, { onConflict: "replace" }));
  object.commit();
}

describe("an instance replaced while its activity runs", () => {
  test("lets the same step wait until the old attempt settles, however often it is replaced", async () => {
    const { object, clock, single, most } = stubborn();
    for (let times = 0; times < 3; times++) {
      await object.run(clock.now() + 100);
      replace(object, single);
    }
    await object.run();
    expect(object.commands.get(ID).status).toBe("Completed");
    expect(most()).toBe(1);
  });

  test("waits also for an attempt that had timed out before", async () => {
    const retry = { firstInterval: "1 minute" } as const;
    const { object, clock, single, most } = stubborn({ timeout: "1 second", retry });
    await object.run(clock.now() + 1_100);
    replace(object, single);
    await object.run(clock.now() + 1_000);
    expect(most()).toBe(1);
  });

  test("does not give the turn more time: the platform gives one alarm 15 minutes", async () => {
    const { object, clock, single } = stubborn({}, { millis: 1_000 });
    const begun = clock.now();
    await object.run(begun + 900);
    expect(object.alarm).toBe(begun); // it runs
    replace(object, single);
    await object.run(begun + 1_500);
    expect(object.alarm).toBe(begun + 1_001);
  });
});
