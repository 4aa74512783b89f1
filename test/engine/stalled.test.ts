/** Workflow code that awaits what no step settles, beside a step that is open. */
import { expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import type { WorkflowContext } from "../../src/core/context.ts";
import { workflow } from "../../src/core/workflow.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { ID, started } from "./harness.ts";

/** As `fetch`, `setTimeout` or `crypto.subtle.digest` in the workflow's own code would be. */
const foreign = (clock: VirtualClock) => clock.sleep(5);

test.each<[string, (ctx: WorkflowContext, clock: VirtualClock) => Promise<unknown>]>([
  ["asks for a step", (ctx, clock) => foreign(clock).then(() => ctx.run("after", () => 1))],
  ["ends", (_ctx, clock) => foreign(clock)],
])("code that goes on by itself and %s is suspended, not left for ever", async (_what, run) => {
  const clock = new VirtualClock();
  const stray = workflow("Stray", (ctx) =>
    Promise.race([ctx.waitForEvent("cancel"), run(ctx, clock)]),
  );
  const object = started(stray, undefined, { clock });
  await object.run(clock.now() + 10); // it goes on between two turns,
  await object.run(clock.now() + 10); // and that sets an alarm
  expect(object.commands.get(ID)).toMatchObject({
    status: "Suspended",
    error: { code: "WORKFLOW_STALLED" },
  });
  object.deploy([workflow("Stray", (ctx) => ctx.run("after", () => "well"))]);
  await object.run(clock.now() + 120_000);
  expect(object.commands.get(ID)).toMatchObject({ status: "Completed", output: "well" });
});

test("code that goes on by itself while an activity runs is suspended as well", async () => {
  const clock = new VirtualClock();
  const slow = activity("Slow", () => clock.sleep(100));
  const stray = workflow("Stray", (ctx) =>
    Promise.all([ctx.call(slow), foreign(clock).then(() => ctx.run("after", () => 1))]),
  );
  const object = started(stray, undefined, { clock });
  await object.run(clock.now() + 1_000);
  expect(object.commands.get(ID).error?.code).toBe("WORKFLOW_STALLED");
});

test("what an execution before does by itself does not touch the one in its place", async () => {
  const clock = new VirtualClock();
  const waiting = workflow("Stray", async (ctx) => {
    const go = ctx.waitForEvent("go");
    await Promise.race([go, foreign(clock).then(() => ctx.run("after", () => 1))]);
  });
  const object = started(waiting, undefined, { clock });
  await object.run(clock.now() + 1);
  object.commands.terminate(ID, { reason: null });
  object.commit();
  await object.run(clock.now() + 1_000);
  expect(object.commands.get(ID).status).toBe("Terminated");
  expect(object.alarm).toBeNull();
});
