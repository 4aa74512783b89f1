import { abortAllDurableObjects, runDurableObjectAlarm } from "cloudflare:test";
import { expect, test, vi } from "vitest";
import { call, get, start, stubOf } from "./fixture/client.ts";
import { ledger } from "./fixture/ledger.ts";

async function control(id: string, verb: "suspend" | "resume") {
  const response = await call(`/v1/instances/${id}/${verb}`, { body: { reason: "by test" } });
  expect(response.status).toBe(202);
  return response.json();
}

test("a suspended instance stays so through a hard abort, has no alarm, and goes on when it is resumed", async () => {
  await start("Preempted", "suspended", 40);
  await vi.waitFor(() => expect(ledger.of("suspended")).toContain("record 2 attempt 1"), {
    timeout: 10_000,
    interval: 5,
  });
  expect(await control("suspended", "suspend")).toMatchObject({ status: "Suspended" });
  await abortAllDurableObjects();
  await vi.waitFor(async () => {
    expect(await runDurableObjectAlarm(stubOf("suspended"))).toBe(false);
  });
  const records = ledger.of("suspended");
  expect(await get("suspended", 0.5)).toMatchObject({
    status: "Suspended",
    error: { code: "SUSPENDED_BY_REQUEST", message: "by test" },
  });
  expect(ledger.of("suspended")).toEqual(records);
  expect(await control("suspended", "resume")).toMatchObject({ status: "Running", error: null });
  expect(await get("suspended", 10)).toMatchObject({ status: "Completed", output: 40 });
  expect(new Set(ledger.of("suspended").map((line) => line.split(" ")[1])).size).toBe(40);
});

test("a sleeping instance that is suspended has no alarm, and its old due again when it is resumed", async () => {
  const { createdAt } = await start("Sleeper", "suspended-sleeper", 86_400_000);
  await vi.waitFor(async () => expect((await get("suspended-sleeper")).waitingFor).toHaveLength(1));
  await control("suspended-sleeper", "suspend");
  await abortAllDurableObjects();
  expect(await runDurableObjectAlarm(stubOf("suspended-sleeper"))).toBe(false);
  expect(await control("suspended-sleeper", "resume")).toMatchObject({ status: "Running" });
  await vi.waitFor(async () => {
    const [sleep] = (await get("suspended-sleeper")).waitingFor;
    const due = Date.parse(sleep?.due ?? "") - Date.parse(createdAt);
    expect(due).toBeGreaterThanOrEqual(86_400_000);
  });
});

test("a cancel survives a hard abort, stops what runs, and lets the code clean up", async () => {
  await start("CleansUp", "cancelled");
  await vi.waitFor(() => expect(ledger.of("cancelled")).toEqual(["begun"]));
  const body = { reason: "by test" };
  const response = await call("/v1/instances/cancelled/cancel", { body });
  expect(response.status).toBe(202);
  await abortAllDurableObjects();
  await runDurableObjectAlarm(stubOf("cancelled"));
  expect(await get("cancelled", 10)).toMatchObject({
    status: "Terminated",
    error: { type: "CancelledError", code: "CANCELLED", message: "by test" },
  });
  expect(ledger.of("cancelled").at(-1)).toBe("cleaned up");
});
