import { abortAllDurableObjects, evictDurableObject, runInDurableObject } from "cloudflare:test";
import { expect, test, vi } from "vitest";
import { call, entityStubOf, get, history, start, stubOf } from "./fixture/client.ts";
import { kill } from "./fixture/kill.ts";
import { ledger } from "./fixture/ledger.ts";

const SOON = { timeout: 10_000, interval: 10 };
const LATE = { timeout: 40_000, interval: 100 };

async function stateOf(name: string, key: string): Promise<unknown> {
  const response = await call(`/v1/entities/${name}/${key}`);
  if (response.status !== 200) return response.status;
  return ((await response.json()) as { state: unknown }).state;
}

async function operate(name: string, key: string, operation: string, body: unknown) {
  const response = await call(`/v1/entities/${name}/${key}/${operation}`, { body });
  return { status: response.status, answer: (await response.json()) as unknown };
}

test("an entity is called over HTTP, and its state is there after an eviction", async () => {
  expect(await stateOf("Tally", "http")).toBe(404);
  expect(await operate("Tally", "http", "add", 5)).toEqual({ status: 200, answer: 5 });
  expect(await operate("Tally", "http", "add", 2)).toEqual({ status: 200, answer: 7 });
  await evictDurableObject(entityStubOf("Tally/http"));
  expect(await stateOf("Tally", "http")).toBe(7);
  const signalled = await call("/v1/entities/Tally/http/add?signal=true", { body: 1 });
  expect([signalled.status, await signalled.text()]).toEqual([202, ""]);
  await vi.waitFor(async () => expect(await stateOf("Tally", "http")).toBe(8), SOON);
  expect(await operate("Tally", "http", "subtract", 1)).toMatchObject({
    status: 404,
    answer: { code: "OPERATION_NOT_FOUND" },
  });
  expect(await operate("Nothing", "http", "add", 1)).toMatchObject({
    status: 404,
    answer: { code: "ENTITY_NOT_FOUND" },
  });
  expect(await operate("Tally", "http", "add", "five")).toMatchObject({
    status: 422,
    answer: { code: "INPUT_INVALID" },
  });
  expect(await operate("Tally", "http", "refuse", null)).toMatchObject({
    status: 500,
    answer: { code: "ENTITY_FAILED", detail: expect.stringContaining("no more") },
  });
  expect(await stateOf("Tally", "http")).toBe(8);
});

test("a request with an Idempotency-Key has its effect once, and the same answer", async () => {
  const headers = { "idempotency-key": "once" };
  for (const again of [false, true, true]) {
    if (again) await abortAllDurableObjects();
    const response = await call("/v1/entities/Tally/once/add", { body: 5, headers });
    expect([response.status, await response.json()]).toEqual([200, 5]);
  }
  expect(await stateOf("Tally", "once")).toBe(5);
  const other = await call("/v1/entities/Tally/once/add", { body: 6, headers });
  expect(other.status).toBe(422);
});

test("thirty workflows that add to one counter add up exactly over hard aborts", async () => {
  const ids = Array.from({ length: 30 }, (_, index) => `adding-${index}`);
  await Promise.all(ids.map((id, index) => start("Adding", id, index)));
  for (let aborts = 0; aborts < 4; aborts++) {
    await new Promise((resolve) => setTimeout(resolve, 40));
    await kill(entityStubOf("Tally/shared"), ...ids.map(stubOf));
  }
  await vi.waitFor(async () => {
    for (const id of ids) expect((await get(id)).status).toBe("Completed");
    expect(await stateOf("Tally", "shared")).toBe(3 * 435);
  }, LATE);
  expect((await history("adding-3")).filter(({ kind }) => kind === "entity")).toMatchObject([
    { step: "Tally.add", state: "done", instanceId: "Tally/shared" },
    { step: "Tally.add#2", state: "done", result: null },
    { step: "Tally.add#3", state: "done" },
  ]);
}, 60_000);

test("an operation that kills its object every time fails, and those behind it have their turn", async () => {
  await start("Poisoning", "poisoning");
  await vi.waitFor(async () => expect((await get("poisoning")).status).toBe("Completed"), LATE);
  expect(await get("poisoning")).toMatchObject({ output: ["ENTITY_LOST", 1] });
  expect(ledger.of("Tally/poisoned")).toEqual(["dies", "dies", "dies"]);
}, 60_000);

test("an operation that calls the outside is one at a time with the others", async () => {
  const answers = await Promise.all(
    [1, 2, 3].map(() => operate("Tally", "slow", "readThenAdd", null)),
  );
  expect(answers.map(({ answer }) => answer).toSorted()).toEqual([1, 2, 3]);
});

test("a call costs its entity seven rows; the first one also its row and its tables", async () => {
  await start("Calling", "calling-1", 1);
  await vi.waitFor(async () => expect((await get("calling-1")).status).toBe("Completed"), SOON);
  const rows = () =>
    runInDurableObject(entityStubOf("Tally/rows"), (entity) => entity.sql.rowsWritten);
  const one = await rows();
  await start("Calling", "calling-2", 1);
  await vi.waitFor(async () => expect((await get("calling-2")).status).toBe("Completed"), SOON);
  expect({ one, each: (await rows()) - one }).toEqual({ one: 15, each: 7 });
});

test("a value of 16 MiB goes to an entity and comes back", async () => {
  const text = "Ж".repeat((16 * 1_048_576 - 4) / 2);
  await start("Keeping", "keeping", text);
  expect(await get("keeping", 20)).toMatchObject({ status: "Completed", output: text.length });
  const state = await stateOf("Box", "large");
  expect(state === text).toBe(true);
}, 60_000);
