import { runInDurableObject } from "cloudflare:test";
import { expect, test, vi } from "vitest";
import { call, entityStubOf, get, start } from "./fixture/client.ts";

const SOON = { timeout: 10_000, interval: 10 };

test("a section costs an entity eleven rows beside those of its operations", async () => {
  await call("/v1/entities/Account/rows-a/deposit", { body: 100 });
  const rows = () =>
    runInDurableObject(entityStubOf("Account/rows-a"), (entity) => entity.sql.rowsWritten);
  const move = async (id: string) => {
    await start("TransferMoney", id, { from: "rows-a", to: "rows-b", cents: 10 });
    await vi.waitFor(async () => expect((await get(id)).status).toBe("Completed"), SOON);
    await vi.waitFor(async () => {
      const response = await call("/v1/entities/Account/rows-a");
      expect(await response.json()).not.toHaveProperty("lockedBy"); // the release has arrived
    }, SOON);
  };
  await move("rows-1");
  const before = await rows();
  await move("rows-2");
  const operations = 6 + 7; // the balance, and the withdrawal, which changes the state
  expect((await rows()) - before).toBe(11 + operations);
});
