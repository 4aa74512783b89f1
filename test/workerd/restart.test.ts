import { abortAllDurableObjects } from "cloudflare:test";
import { expect, test } from "vitest";
import { call, get, start } from "./fixture/client.ts";

const restart = (id: string, body: unknown, headers: Record<string, string> = {}) =>
  call(`/v1/instances/${id}/restart`, { body, headers });

test("an instance runs anew in its place, with its first input", async () => {
  const { executionId } = await start("Chain", "restarted", 4);
  await get("restarted", 10);
  const response = await restart("restarted", { reason: "by test" });
  expect(response.status).toBe(202);
  expect(response.headers.get("Location")).toBe("/v1/instances/restarted");
  await abortAllDurableObjects();
  const document = await get("restarted", 10);
  expect(document).toMatchObject({ status: "Completed", input: 4, output: 4 });
  expect(document.executionId).not.toBe(executionId);
});

test("under another id it runs beside the one there is, once for each key", async () => {
  await start("Sleeper", "original", 86_400_000);
  const headers = { "Idempotency-Key": "restart 1" };
  for (let time = 0; time < 2; time++) {
    const response = await restart("original", { id: "copy" }, headers);
    expect(response.status).toBe(202);
    expect(response.headers.get("Location")).toBe("/v1/instances/copy");
    expect(await response.json()).toMatchObject({ id: "copy", input: 86_400_000 });
  }
  expect((await restart("original", { id: "copy" })).status).toBe(409);
  expect((await restart("nobody", { id: "another-copy" })).status).toBe(404);
  expect((await restart("nobody", {})).status).toBe(404);
  expect((await get("original")).completedAt).toBeNull();
});

test("a key stands for one restart, whatever id another request with it asks for", async () => {
  const { executionId } = await start("Chain", "keyed", 2);
  await get("keyed", 10);
  const headers = { "Idempotency-Key": "restart 2" };
  const first = await restart("keyed", { id: "keyed-a" }, headers);
  expect(first.status).toBe(202);
  const answer = await first.json();
  for (const body of [{ id: "keyed-b" }, { id: "keyed" }, {}]) {
    const other = await restart("keyed", body, headers);
    expect(other.status).toBe(422);
    expect(await other.json()).toMatchObject({ code: "IDEMPOTENCY_KEY_REUSED" });
  }
  expect((await call("/v1/instances/keyed-b")).status).toBe(404);
  expect((await get("keyed")).executionId).toBe(executionId);
  await abortAllDurableObjects();
  expect(await (await restart("keyed", { id: "keyed-a" }, headers)).json()).toEqual(answer);
});

test("a restart under another id is known after its instance is purged", async () => {
  await start("Chain", "outlived", 2);
  await get("outlived", 10);
  const headers = { "Idempotency-Key": "restart 3" };
  expect((await restart("outlived", { id: "outliving" }, headers)).status).toBe(202);
  expect((await call("/v1/instances/outlived", { method: "DELETE" })).status).toBe(204);
  const again = await restart("outlived", { id: "outliving" }, headers);
  expect(again.status).toBe(410);
  expect(await again.json()).toMatchObject({ code: "INSTANCE_PURGED" });
  expect(await get("outliving", 10)).toMatchObject({ status: "Completed", output: 2 });
});
