import { abortAllDurableObjects, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { expect, test, vi } from "vitest";
import { call, get, start, stubOf } from "./fixture/client.ts";
import { ledger } from "./fixture/ledger.ts";

const purge = (id: string, query = "") => call(`/v1/instances/${id}${query}`, { method: "DELETE" });

const tablesIn = (id: string) =>
  runInDurableObject(stubOf(id), ({ sql }) =>
    sql
      .all<{ name: string }>("SELECT name FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name")
      .map(({ name }) => name)
      .filter((name) => !name.startsWith("_cf_")),
  );

test("a purged instance leaves a tombstone, which goes with all storage after the resend window", async () => {
  await start("Chain", "purged", 2);
  await get("purged", 10);
  expect((await purge("purged")).status).toBe(204);
  expect((await purge("purged")).status).toBe(204);
  expect((await call("/v1/instances/purged")).status).toBe(404);
  await abortAllDurableObjects();
  expect(await tablesIn("purged")).toEqual(["tombstone"]);
  await runInDurableObject(stubOf("purged"), ({ sql }) => sql.run("UPDATE tombstone SET at = 0"));
  expect(await runDurableObjectAlarm(stubOf("purged"))).toBe(true);
  expect(await tablesIn("purged")).toEqual([]);
  expect((await purge("purged")).status).toBe(404);
  await start("Chain", "purged", 3);
  expect(await get("purged", 10)).toMatchObject({ status: "Completed", output: 3 });
});

test("a running instance is purged by force, and its id is free at once", async () => {
  await start("Preempted", "forced", 40);
  await vi.waitFor(() => expect(ledger.of("forced").length).toBeGreaterThan(1), { interval: 5 });
  expect((await purge("forced")).status).toBe(409);
  expect((await purge("forced", "?force=true")).status).toBe(204);
  await start("Chain", "forced", 1);
  expect(await get("forced", 10)).toMatchObject({ workflow: "Chain", status: "Completed" });
  await abortAllDurableObjects();
  expect(await get("forced")).toMatchObject({ workflow: "Chain", status: "Completed" });
});
