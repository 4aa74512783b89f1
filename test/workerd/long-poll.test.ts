/** A status read that waits for the end, and loses the object that it waits for. */
import { abortAllDurableObjects } from "cloudflare:test";
import { expect, test, vi } from "vitest";
import { call, get, send, start } from "./fixture/client.ts";

/** Kills every object when the request before is sure to have arrived: they come in order. */
async function killUnder(id: string): Promise<void> {
  await get(id);
  await abortAllDurableObjects();
}

test("a status read goes on waiting over hard aborts, and answers when the end comes", async () => {
  await start("Collector", "polled", 2);
  const waiting = get("polled", 30);
  await killUnder("polled");
  await send("polled", "item", 1);
  await killUnder("polled");
  await send("polled", "item", 2);
  expect(await waiting).toMatchObject({ status: "Completed", output: [1, 2] });
});

test("a start that waits is answered with the end, also over hard aborts, and where it is sent again", async () => {
  const path = "/v1/workflows/Collector/instances?wait=30";
  const asked = { body: { id: "waited", input: 1 }, headers: { "idempotency-key": "waited" } };
  const waiting = call(path, asked);
  await vi.waitFor(() => killUnder("waited"));
  await send("waited", "item", 1);
  for (const response of [await waiting, await call(path, asked)]) {
    expect(response.status).toBe(202);
    expect(await response.json()).toMatchObject({ status: "Completed", output: [1] });
  }
});

test("a start that waits is answered with how far it is when its time is over", async () => {
  const path = "/v1/workflows/Collector/instances?wait=0.05";
  const response = await call(path, { body: { id: "too-long", input: 1 } });
  expect(await response.json()).toMatchObject({
    status: "Running",
    waitingFor: [{ kind: "event", name: "item" }],
  });
});

test("a status read of an instance that is gone says so, also where its object was lost first", async () => {
  await start("Collector", "purged", 1);
  const waiting = call("/v1/instances/purged?wait=30");
  await killUnder("purged");
  await call("/v1/instances/purged?force=true", { method: "DELETE" });
  expect((await waiting).status).toBe(404);
});
