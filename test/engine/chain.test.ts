import { expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import { workflow } from "../../src/core/workflow.ts";
import { ID, ran, started } from "./harness.ts";

const double = activity("Double", (n: number) => n * 2);

test("a workflow runs its activities in order and completes with its output", async () => {
  const chain = workflow("Chain", async (ctx, n: number) => {
    let value = n;
    for (let i = 0; i < 5; i++) value = await ctx.call(double, value);
    return value;
  });
  const { document, object } = await ran(chain, 1);
  expect(document).toMatchObject({ status: "Completed", output: 32, error: null, waitingFor: [] });
  expect(object.alarm).toBeNull();
  const { items } = object.commands.history(ID, null, 100);
  expect(items.map((item) => [item.seq, item.step, item.result])).toEqual([
    [1, "Double", 2],
    [2, "Double#2", 4],
    [3, "Double#3", 8],
    [4, "Double#4", 16],
    [5, "Double#5", 32],
  ]);
});

test("a sleep costs nothing meanwhile and wakes on time", async () => {
  const nap = workflow("Nap", async (ctx) => {
    await ctx.sleep("2 days");
    return ctx.now;
  });
  const object = started(nap);
  const begun = object.clock.now();
  await object.run(begun + 1_000);
  expect(object.alarm).toBe(begun + 2 * 86_400_000);
  expect(object.commands.get(ID).waitingFor).toEqual([
    {
      kind: "timer",
      name: "sleep",
      step: "sleep",
      due: new Date(begun + 172_800_000).toISOString(),
    },
  ]);
  object.crash();
  await object.run();
  expect(object.commands.get(ID)).toMatchObject({
    status: "Completed",
    output: new Date(begun + 172_800_000).toISOString(),
  });
});
