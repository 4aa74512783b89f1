import { abortAllDurableObjects, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { expect, test, vi } from "vitest";
import { partsOf } from "../store/tables.ts";
import { call, get, history, send, start, stubOf } from "./fixture/client.ts";

const SOON = { timeout: 10_000, interval: 5 };

async function wake(...ids: string[]): Promise<void> {
  for (const id of ids) await runDurableObjectAlarm(stubOf(id));
}

test("a parent gets its children's results over hard aborts of all of them", async () => {
  await start("Family", "family", ["family-a", "family-b"]);
  for (const id of ["family-a", "family-b"]) {
    await vi.waitFor(async () => expect((await get(id)).waitingFor).toHaveLength(1), SOON);
  }
  await abortAllDurableObjects();
  await send("family-a", "go", "first");
  await vi.waitFor(async () => expect((await get("family-a")).status).toBe("Completed"), SOON);
  await abortAllDurableObjects();
  await send("family-b", "go", "second");
  await wake("family-a", "family-b", "family");
  expect(await get("family", 10)).toMatchObject({
    status: "Completed",
    output: ["first", "second"],
  });
  expect((await get("family-a")).parent).toEqual({ id: "family", step: "Member" });
  const steps = (await history("family")).filter(({ kind }) => kind !== "start");
  expect(steps).toMatchObject([
    { step: "Member", kind: "child", state: "done", instanceId: "family-a" },
    { step: "Member#2", kind: "child", state: "done", instanceId: "family-b" },
    { step: "send told", kind: "send", state: "done" },
  ]);
  await vi.waitFor(async () => {
    expect((await get("family-listener")).output).toBe("family is done");
  }, SOON);
});

test("a recursive terminate reaches the children, and a recursive purge removes them", async () => {
  await start("Family", "ended", ["ended-a", "ended-b"]);
  await vi.waitFor(async () => expect((await get("ended-b")).waitingFor).toHaveLength(1), SOON);
  const body = { reason: "all of it", recursive: true };
  expect((await call("/v1/instances/ended/terminate", { body })).status).toBe(202);
  await vi.waitFor(async () => {
    for (const id of ["ended", "ended-a", "ended-b"]) {
      expect(await get(id)).toMatchObject({
        status: "Terminated",
        error: { message: "all of it" },
      });
    }
  }, SOON);
  await call("/v1/instances/ended?recursive=true", { method: "DELETE" });
  await vi.waitFor(async () => {
    for (const id of ["ended", "ended-a", "ended-b"]) {
      expect((await call(`/v1/instances/${id}`)).status).toBe(404);
    }
  }, SOON);
});

test("a child costs its parent seven rows; the first one of a parent also its two tables and the index", async () => {
  await start("Only", "rows", 1);
  await vi.waitFor(async () => expect((await get("rows")).status).toBe("Completed"), SOON);
  const one = await runInDurableObject(stubOf("rows"), (instance) => instance.sql.rowsWritten);
  await start("Only", "more-rows", 2);
  await vi.waitFor(async () => expect((await get("more-rows")).status).toBe("Completed"), SOON);
  const two = await runInDurableObject(stubOf("more-rows"), (instance) => instance.sql.rowsWritten);
  expect({ one, each: two - one }).toEqual({ one: 18, each: 7 });
});

test("a value of 16 MiB goes to a child and comes back, whatever its characters", async () => {
  for (const [id, character] of [
    ["echoed-ascii", "a"],
    ["echoed-wide", "Ж"],
  ] as const) {
    const bytes = 16 * 1_048_576 - 4; // as stored: with brackets and quotes
    const text = character.repeat(bytes / new TextEncoder().encode(character).length);
    await start("Echoed", id, text);
    const { status, output } = await get(id, 20);
    expect(status).toBe("Completed");
    expect(output === text).toBe(true);
    expect((await get(`${id}-echo`)).parent).toEqual({ id, step: "Echo" });
    await call(`/v1/instances/${id}?recursive=true`, { method: "DELETE" });
    await vi.waitFor(async () => {
      expect((await call(`/v1/instances/${id}-echo`)).status).toBe(404);
    }, SOON);
    for (const left of [id, `${id}-echo`]) {
      const parts = await runInDurableObject(stubOf(left), ({ sql }) => partsOf(sql));
      expect(parts).toEqual([]);
    }
  }
}, 60_000);
