import { expect, test } from "vitest";
import { LIMITS } from "../../src/core/limits.ts";
import { workflow } from "../../src/core/workflow.ts";
import { Cluster } from "../../src/testing/cluster.ts";
import { leftBehind } from "../../src/testing/left-behind.ts";

const waits = workflow("Waits", (ctx) => ctx.waitForEvent("never"));

test("nothing is left behind by an instance that has ended, or merely waits for an event", async () => {
  const cluster = new Cluster({ workflows: [waits] });
  const instance = await cluster.start(waits);
  await cluster.run();
  expect(leftBehind(cluster)).toEqual([]);
  instance.terminate();
  await cluster.run();
  expect(leftBehind(cluster)).toEqual([]);
});

test("an instance that nothing will wake is left behind", async () => {
  const sleeps = workflow("Sleeps", (ctx) => ctx.sleep("1 hour"));
  const cluster = new Cluster({ workflows: [sleeps], faults: { alarmLost: () => true } });
  await cluster.start(sleeps, undefined, { id: "s" });
  await cluster.run();
  expect(leftBehind(cluster)).toEqual(['"s" is stuck: nothing will wake it']);
});

test("a message that is not delivered is left behind, though its sender has ended", async () => {
  const filling = workflow("Filling", (ctx) => {
    for (let n = 0; n <= LIMITS.bufferedEvents; n++) void ctx.sendEvent("full", "item", n);
  });
  const cluster = new Cluster({ workflows: [waits, filling] });
  await cluster.start(waits, undefined, { id: "full" });
  const sender = await cluster.start(filling, undefined, { id: "sender" });
  await cluster.advance("1 hour");
  expect(sender.document().status).toBe("Completed");
  expect(leftBehind(cluster)).toEqual(['a message of "sender" to "full" is not delivered']);
});
