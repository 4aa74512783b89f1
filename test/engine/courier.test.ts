import { expect, test } from "vitest";
import { Courier } from "../../src/engine/courier.ts";
import { Doorbell } from "../../src/engine/doorbell.ts";
import type { OutgoingRow } from "../../src/store/outbox-store.ts";

const NOW = 1_000;

/** A courier over an outbox of one message, whose text is read by `content`. */
function courierOver(content: () => never) {
  const row = { number: 1, target: "b", executionId: "e", step: null, attempt: 0, due: NOW };
  const doorbell = new Doorbell();
  const courier = new Courier({
    host: { now: () => NOW } as never,
    outbox: { pending: () => [row] as OutgoingRow[], content } as never,
    doorbell,
    prepare: async (ready) => ready,
    answered: () => {},
  });
  return { courier, doorbell };
}

test("a message that dead storage cannot read wakes nobody, who would send it again and again", async () => {
  const { courier, doorbell } = courierOver(() => {
    throw new Error("the object is dead");
  });
  let woken = 0;
  void doorbell.wait().then(() => woken++);
  courier.send(NOW);
  await new Promise(setImmediate);
  expect(woken).toBe(0);
  expect(courier.busy).toBe(false);
});
