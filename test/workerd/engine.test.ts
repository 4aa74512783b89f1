import { runInDurableObject } from "cloudflare:test";
import { expect, test } from "vitest";
import { get, history, send, start, stubOf } from "./fixture/client.ts";
import { ledger } from "./fixture/ledger.ts";

test("creating an instance answers before it runs", async () => {
  const document = await start("Chain", "answered-first", 1);
  expect(document).toMatchObject({ status: "Pending", startedAt: null });
  expect(await get("answered-first", 10)).toMatchObject({ status: "Completed", output: 1 });
});

test("failed attempts are repeated on real alarms with growing waits and one idempotency key", async () => {
  await start("Retried", "retried", 3);
  expect(await get("retried", 10)).toMatchObject({ status: "Completed", output: 4 });
  const attempts = ledger.of("retried").map((line) => line.split(" "));
  expect(attempts.map(([, attempt]) => attempt)).toEqual(["1", "2", "3", "4"]);
  expect(new Set(attempts.map(([, , , , key]) => key)).size).toBe(1);
  const times = attempts.map(([, , , at]) => Number(at));
  const waits = times.slice(1).map((at, index) => at - (times[index] ?? 0));
  for (const [index, least] of [100, 200, 400].entries()) {
    expect(waits[index]).toBeGreaterThanOrEqual(least - 1);
  }
});

test("an activity that fails for good shows its last failure and its attempts", async () => {
  await start("Retried", "exhausted", 9);
  expect(await get("exhausted", 10)).toMatchObject({
    status: "Failed",
    error: {
      type: "ActivityFailedError",
      message: "Flaky failed after 4 attempts: TypeError: failure 4",
      cause: { type: "TypeError", message: "failure 4" },
    },
  });
  expect(await history("exhausted")).toMatchObject([{ state: "failed", attempts: 4 }]);
});

test("a chain longer than a turn's budget goes over several turns and runs each step once", async () => {
  await start("Chain", "long", 180);
  expect(await get("long", 10)).toMatchObject({ status: "Completed", output: 180 });
  expect(ledger.of("long")).toEqual(Array.from({ length: 180 }, (_, step) => `step ${step + 1}`));
});

test("an activity that is pre-empted many times does each record once, in its first attempt", async () => {
  await start("Preempted", "preempted", 60);
  expect(await get("preempted", 10)).toMatchObject({
    status: "Completed",
    output: 60,
    activityStatus: { lastProcessedId: "60", processingStatus: "Complete" },
    progress: { done: 60, total: 60 },
  });
  const records = Array.from({ length: 60 }, (_, index) => `record ${index + 1} attempt 1`);
  expect(ledger.of("preempted")).toEqual(records);
});

test("events that come early are kept in order, and each is delivered once", async () => {
  await start("Collector", "collector", 5);
  for (let item = 1; item <= 5; item++) await send("collector", "item", item);
  expect(await get("collector", 10)).toMatchObject({
    status: "Completed",
    output: [1, 2, 3, 4, 5],
  });
});

test("a result that cannot be stored fails its step at once, and what was done before stays", async () => {
  await start("Unstored", "unstored-function", "function");
  await start("Unstored", "unstored-large", "large");
  expect(await get("unstored-function", 10)).toMatchObject({
    status: "Failed",
    error: {
      cause: { code: "PAYLOAD_UNSUPPORTED", message: expect.stringContaining("deep[0].fn") },
    },
  });
  expect(await get("unstored-large", 10)).toMatchObject({
    status: "Failed",
    error: { cause: { code: "PAYLOAD_TOO_LARGE" } },
  });
  expect(ledger.of("unstored-large")).toEqual(["before", "large"]);
  const items = await history("unstored-function");
  expect(items.map((item) => [item.step, item.state, item.attempts])).toEqual([
    ["Noted", "done", 1],
    ["Unstorable", "failed", 1],
  ]);
});

/** What the object has written since it came to memory, which is its whole life here. */
const written = (id: string) =>
  runInDurableObject(stubOf(id), ({ sql, alarms }) => ({ rows: sql.rowsWritten, alarms }));

test("three short activities in a new object cost at most 12 rows, and each further step 1", async () => {
  for (const length of [3, 4, 10]) {
    await start("Chain", `rows-${length}`, length);
    expect((await get(`rows-${length}`, 10)).status).toBe("Completed");
  }
  const three = await written("rows-3");
  expect(three.rows).toBeLessThanOrEqual(12);
  // Beside them: `setAlarm` writes a row that no cursor counts.
  expect(three.alarms).toBe(1);
  expect(await written("rows-4")).toEqual({ rows: three.rows + 1, alarms: 1 });
  expect(await written("rows-10")).toEqual({ rows: three.rows + 7, alarms: 1 });
  console.info(`three short activities: ${three.rows} rows and ${three.alarms} alarm`);
});
