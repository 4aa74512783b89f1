/** Activities with `where: "worker"`: they run in the stateless entrypoint, and behave as any other. */
import { expect, test, vi } from "vitest";
import { type ActivityContext, activity } from "../../src/core/activity.ts";
import { encode } from "../../src/core/payload.ts";
import { runRemotely } from "../../src/objects/attempt-channel.ts";
import type { RemoteCall, RemoteChannel } from "../../src/objects/remote-attempt.ts";
import { call, get, history, start, stubOf } from "./fixture/client.ts";
import { kill } from "./fixture/kill.ts";
import { ledger } from "./fixture/ledger.ts";

test("a result comes back as it was: dates, maps, bigints and undefined", async () => {
  await start("HeavyWork", "heavy-values", { kind: "values" });
  expect(await get("heavy-values", 10)).toMatchObject({
    status: "Completed",
    output: { date: "1970-01-01T00:00:00.000Z", map: [["big", "2"]] },
  });
  expect(await history("heavy-values")).toMatchObject([
    { step: "Heavy", state: "done", attempts: 1, startedAt: expect.any(String) },
  ]);
});

test("checkpoints are kept, and a turn's end stops it at one: each record once", async () => {
  await start("HeavyWork", "heavy-records", { kind: "records", total: 12 });
  expect(await get("heavy-records", 15)).toMatchObject({
    status: "Completed",
    output: [12, "12"],
    activityStatus: { lastProcessedId: "12", processingStatus: "Complete" },
    progress: { done: 12, total: 12 },
  });
  const entries = ledger.of("heavy-records");
  expect(entries.filter((entry) => entry.startsWith("record "))).toEqual(
    Array.from({ length: 12 }, (_, index) => `record ${index + 1}`),
  );
  // The turn allows five checkpoints: it went on in others, always in its first attempt.
  expect(entries.filter((entry) => entry.includes("attempt"))).toEqual([
    "records attempt 1 from initialId",
    "records attempt 1 from 5",
    "records attempt 1 from 10",
  ]);
});

test("it goes on after its last checkpoint when the object dies, and that is no failed attempt", async () => {
  await start("HeavyWork", "heavy-killed", { kind: "records", total: 4 });
  await vi.waitFor(() => expect(ledger.of("heavy-killed")).toContain("record 2"), {
    timeout: 10_000,
    interval: 1,
  });
  await kill(stubOf("heavy-killed"));
  expect(await get("heavy-killed", 20)).toMatchObject({ status: "Completed", output: [4, "4"] });
  const records = ledger.of("heavy-killed").filter((entry) => entry.startsWith("record "));
  expect(new Set(records)).toEqual(new Set(["record 1", "record 2", "record 3", "record 4"]));
  expect(records.length).toBeLessThanOrEqual(5);
  expect(await history("heavy-killed")).toMatchObject([{ attempts: 1 }]);
});

test("its errors decide on another attempt as they do in the object", async () => {
  for (const kind of ["picky", "limited", "stubborn", "unstorable"]) {
    await start("HeavyWork", `heavy-${kind}`, { kind });
  }
  expect(await get("heavy-picky", 10)).toMatchObject({
    status: "Failed",
    error: {
      cause: { code: "NON_RETRYABLE", message: "not that", cause: { type: "RangeError" } },
    },
  });
  expect(ledger.of("heavy-picky")).toHaveLength(1);
  expect(await get("heavy-limited", 10)).toMatchObject({ status: "Completed", output: "patient" });
  expect(await get("heavy-stubborn", 10)).toMatchObject({
    status: "Failed",
    error: {
      cause: { type: "TypeError", message: "failure 3", properties: { field: "amount" } },
    },
  });
  expect(await get("heavy-unstorable", 10)).toMatchObject({
    error: { cause: { code: "PAYLOAD_UNSUPPORTED", message: expect.stringContaining("deep[0]") } },
  });
});

test("its signal aborts when its instance is terminated", async () => {
  await start("HeavyWork", "heavy-waiting", { kind: "waiting" });
  await vi.waitFor(() => expect(ledger.of("heavy-waiting")).toHaveLength(1), { timeout: 10_000 });
  expect((await call("/v1/instances/heavy-waiting/terminate", { body: {} })).status).toBe(202);
  await vi.waitFor(() => expect(ledger.of("heavy-waiting")).toContain("aborted: ATTEMPT_STOPPED"), {
    timeout: 10_000,
  });
});

test("its signal aborts at its timeout, and the next attempt is another one", async () => {
  await start("HeavyWork", "heavy-late", { kind: "waiting" });
  await vi.waitFor(() => expect(ledger.of("heavy-late")).toContain("aborted: ATTEMPT_TIMEOUT"), {
    timeout: 10_000,
  });
  expect((await call("/v1/instances/heavy-late/terminate", { body: {} })).status).toBe(202);
});

test("one that is not listed fails its step at once, and says where to list it", async () => {
  await start("UnlistedWork", "unlisted");
  expect(await get("unlisted", 10)).toMatchObject({
    status: "Failed",
    error: {
      cause: {
        code: "DEFINITION_INVALID",
        message: expect.stringContaining("list it in createWaymark({ activities })"),
      },
    },
  });
});

test("nothing of an attempt stays open that has ended: its object may be evicted", async () => {
  let stopped: Promise<unknown> = Promise.resolve("not asked");
  const entrypoint = {
    run: async (_call: RemoteCall, channel: RemoteChannel) => {
      stopped = channel.stopped();
      return { ok: true as const, result: encode("done", "the result") };
    },
  };
  const ctx = { signal: new AbortController().signal } as ActivityContext;
  const work = activity("Work", () => {});
  expect(await runRemotely(entrypoint, work, undefined, ctx)).toBe("done");
  expect(await Promise.race([stopped, scheduler.wait(100).then(() => "open")])).toBe(null);
});

test("the death of its isolate costs no attempt where it made headway, and waits before the next", async () => {
  await start("MortalWork", "headway", 3);
  expect(await get("headway", 20)).toMatchObject({ status: "Completed", output: 3 });
  const entries = ledger.of("headway");
  expect(entries.map((entry) => entry.replace(/ at \d+$/, ""))).toEqual([
    "attempt 1 from 0",
    "attempt 1 from 1",
    "attempt 1 from 2",
    "attempt 1 from 3",
  ]);
  const times = entries.map((entry) => Number(entry.split(" at ")[1]));
  const waits = times.slice(1).map((at, index) => at - (times[index] ?? 0));
  for (const wait of waits) expect(wait).toBeGreaterThanOrEqual(990);
  expect(await history("headway")).toMatchObject([{ state: "done", attempts: 1 }]);
});

test("the death of its isolate without a checkpoint counts, and fails the step in the end", async () => {
  await start("MortalWork", "no-headway", -1);
  expect(await get("no-headway", 20)).toMatchObject({
    status: "Failed",
    error: { cause: { code: "ATTEMPT_LOST", cause: { message: expect.any(String) } } },
  });
  expect(ledger.of("no-headway")).toHaveLength(2);
});
