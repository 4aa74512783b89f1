import { abortAllDurableObjects } from "cloudflare:test";
import { expect, test, vi } from "vitest";
import { call, get, history, start } from "./fixture/client.ts";

const SOON = { timeout: 10_000, interval: 5 };

/** What a careless condition takes for nothing, and what is shown of it; all that JSON has, and nothing at all. */
const VALUES: readonly [id: string, value: unknown, shown: unknown][] = [
  ["zero", 0, 0],
  ["empty-text", "", ""],
  ["false", false, false],
  ["null", null, null],
  ["undefined", undefined, null],
  ["empty-array", [], []],
  ["empty-object", {}, {}],
];

test("falsy values go from a start over HTTP to the document, through a hard abort in the middle", async () => {
  await Promise.all(VALUES.map(([id, value]) => start("Travelling", id, value)));
  for (const [id] of VALUES) {
    await vi.waitFor(async () => {
      expect((await get(id)).waitingFor).toMatchObject([{ kind: "event", name: "value" }]);
    }, SOON);
  }
  await abortAllDurableObjects();
  for (const [id, value, shown] of VALUES) {
    const event = await call(`/v1/instances/${id}/events/value`, { method: "POST", body: value });
    expect([id, event.status]).toEqual([id, 202]);
    const { status, input, output, customStatus } = await get(id, 10);
    expect([id, status, input, output, customStatus]).toEqual([
      id,
      "Completed",
      shown,
      shown,
      shown,
    ]);
    const child = await get(`${id}-child`);
    expect([id, child.input, child.output]).toEqual([id, shown, shown]);
    const steps = await history(id);
    expect(steps.map(({ step, result }) => [step, result])).toEqual([
      ["Same", shown],
      ["Echo", shown],
      ["value", shown],
    ]);
  }
});
