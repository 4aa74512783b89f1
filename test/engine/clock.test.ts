/** The clock of an object's machine, and that of the platform which rings its alarms. */
import { expect, test } from "vitest";
import { workflow } from "../../src/core/workflow.ts";
import { correctedHost } from "../../src/engine/corrected-host.ts";
import type { Host } from "../../src/engine/host.ts";
import { ID, started } from "./harness.ts";

const napping = workflow("Napping", (ctx) => ctx.sleep("1 hour"));

test("an alarm that comes early by the object's clock is not set again for the same moment", async () => {
  const alarms: number[] = [];
  const errors = [0, -5_000]; // the machine after the crash is behind
  const object = started(napping, undefined, {
    faults: { clockError: () => errors.shift() ?? 0 },
    onEvent: ({ kind, at }) => {
      if (kind === "alarm") alarms.push(at);
    },
  });
  const begun = object.clock.now();
  await object.run(begun + 1_000);
  object.crash();
  await object.run();
  expect(object.commands.get(ID).status).toBe("Completed");
  expect(alarms).toEqual([begun, begun + 3_600_000]);
});

test("an alarm that is run by hand, long before its moment, moves no clock", () => {
  const host = { now: () => 1_000, napUntil: (at: number) => at } as unknown as Host;
  const corrected = correctedHost(host);
  corrected.alarmFired(1_000 + 86_400_000);
  expect(corrected.now()).toBe(1_000);
  corrected.alarmFired(31_000);
  expect(corrected.now()).toBe(31_000);
  expect(corrected.napUntil(32_000)).toBe(2_000); // a second from now, by the machine's clock
});
