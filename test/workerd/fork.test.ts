import { abortAllDurableObjects, runInDurableObject } from "cloudflare:test";
import { expect, test, vi } from "vitest";
import { call, get, start, stubOf } from "./fixture/client.ts";
import { ledger } from "./fixture/ledger.ts";

const UNTIL = { timeout: 30_000 };

const fork = (id: string, body: unknown, headers: Record<string, string> = {}) =>
  call(`/v1/instances/${id}/fork`, { body, headers });

test("a fork has the history of its source, up to a step, over the loss of both objects", async () => {
  const { executionId } = await start("Chain", "forked", 4);
  await get("forked", 10);
  const history = await call("/v1/instances/forked/history");
  const { items } = (await history.json()) as { items: { step: string; result: unknown }[] };
  const to = items[2]?.step;
  const response = await fork("forked", { id: "fork", to, reason: "by test" });
  expect(response.status).toBe(202);
  expect(response.headers.get("Location")).toBe("/v1/instances/fork");
  await abortAllDurableObjects();
  const document = await get("fork", 10);
  expect(document).toMatchObject({ status: "Completed", input: 4, output: 4 });
  expect(document).toMatchObject({ forkedFrom: { id: "forked", executionId, step: to } });
  expect((await get("forked")).executionId).toBe(executionId);
});

test("it is made once for each key, and refused where its id is taken or there is nothing to fork", async () => {
  await start("Sleeper", "sleeping", 86_400_000);
  const headers = { "Idempotency-Key": "fork 1" };
  const places = new Set<string | null>();
  for (let time = 0; time < 2; time++) {
    const response = await fork("sleeping", {}, headers);
    expect(response.status).toBe(202);
    places.add(response.headers.get("Location"));
  }
  const [place] = places;
  expect([places.size, (await call(place ?? "")).status]).toEqual([1, 200]);
  const id = place?.split("/").at(-1);
  for (const [source, body, status] of [
    ["sleeping", { id }, 409],
    ["sleeping", { id: "sleeping" }, 409],
    ["sleeping", { id: "fork-2", version: "9" }, 409],
    ["sleeping", { id: "fork-2", to: "nothing" }, 422],
    ["nobody", { id: "fork-2" }, 404],
  ] as const) {
    expect([source, body, (await fork(source, body)).status]).toEqual([source, body, status]);
  }
  expect((await call("/v1/instances/fork-2")).status).toBe(404);
  expect((await get("sleeping")).completedAt).toBeNull();
});

test("a large value is copied, and the fork outlives the purge of its source", async () => {
  const value = `${"x".repeat(2_000_000)}東`; // in parts, and packed on its way
  await start("Largest", "large-source", value);
  await vi.waitFor(() => expect(ledger.of("large-source")).toContain("kept"), UNTIL);
  expect((await fork("large-source", { id: "large-fork" })).status).toBe(202);
  await vi.waitFor(async () => expect((await get("large-fork")).status).toBe("Running"), UNTIL);
  await call("/v1/instances/large-source?force=true", { method: "DELETE" });
  await abortAllDurableObjects();
  expect((await call("/v1/instances/large-fork/events/go", { body: "gone on" })).status).toBe(202);
  const document = await get("large-fork", 60);
  expect([document.status, document.input === value]).toEqual(["Completed", true]);
  expect(document.output).toBe("another");
  expect(ledger.of("large-fork")).toEqual([]); // its steps were not done again
}, 60_000);

test("it writes a row for each step that it copies, and eleven more, and none in its source", async () => {
  const rowsOf = (id: string) => runInDurableObject(stubOf(id), ({ sql }) => sql.rowsWritten);
  const written: number[] = [];
  for (const steps of [3, 13]) {
    await start("Chain", `rows-${steps}`, steps);
    await get(`rows-${steps}`, 10);
    const before = await rowsOf(`rows-${steps}`);
    await fork(`rows-${steps}`, { id: `rows-fork-${steps}` });
    await get(`rows-fork-${steps}`, 10);
    written.push(await rowsOf(`rows-fork-${steps}`));
    expect(await rowsOf(`rows-${steps}`)).toBe(before); // its source writes none
  }
  expect(written).toEqual([14, 24]);
});
