import { runInDurableObject } from "cloudflare:test";
import { expect, test, vi } from "vitest";
import { get, history, send, start, stubOf } from "./fixture/client.ts";
import { kill } from "./fixture/kill.ts";
import { ledger } from "./fixture/ledger.ts";

test("events around rounds all arrive in order, through a hard abort in the middle of one", async () => {
  const first = await start("Eternal", "eternal", { rounds: 3, taken: [] });
  for (let item = 1; item <= 4; item++) await send("eternal", "item", item);
  await vi.waitFor(() => expect(ledger.of("eternal")).toHaveLength(2), { timeout: 10_000 });
  const second = await get("eternal");
  expect(second).toMatchObject({ status: "Running", createdAt: first.createdAt });
  expect(second.input).toEqual({ rounds: 2, taken: [1, 2] });
  expect(second.executionId).not.toBe(first.executionId);
  await kill(stubOf("eternal"));
  await send("eternal", "item", 5);
  const waits = { input: { rounds: 1 }, waitingFor: [{ name: "item", step: "item#2" }] };
  await vi.waitFor(async () => expect(await get("eternal")).toMatchObject(waits), {
    timeout: 10_000,
  });
  await kill(stubOf("eternal"));
  await send("eternal", "item", 6);
  const end = await get("eternal", 10);
  expect(end).toMatchObject({ status: "Completed", output: [1, 2, 3, 4, 5, 6] });
  expect((await history("eternal")).map(({ step }) => step)).toEqual(["item", "Held", "item#2"]);
  // The round that was lost ran again with the key it had; each other one has its own.
  const noted = ledger.of("eternal");
  expect(noted).toHaveLength(4);
  expect(new Set(noted).size).toBe(3);
});

test("an event that had ended a wait of which nobody heard is there for the next round", async () => {
  await start("Either", "either", []);
  for (const [index, event] of ["a", "b", "b", "a"].entries()) await send("either", event, index);
  expect(await get("either", 10)).toMatchObject({ status: "Completed", output: [0, 1, 2, 3] });
});

test("a round of one step costs three rows, and 300 rounds leave no more than ten", async () => {
  const measured = [];
  for (const rounds of [10, 11, 300]) {
    const id = `counting-${rounds}`;
    await start("Counting", id, rounds);
    expect((await get(id, 30)).status).toBe("Completed");
    measured.push(
      await runInDurableObject(stubOf(id), ({ sql, alarms }, state) => ({
        rows: sql.rowsWritten,
        alarms,
        bytes: state.storage.sql.databaseSize,
      })),
    );
  }
  const [ten, eleven, many] = measured;
  expect((eleven?.rows ?? 0) - (ten?.rows ?? 0)).toBe(3);
  expect(many?.bytes).toBe(ten?.bytes);
  // Where a turn's budget of 50 ends, the next one begins with its alarm and one row more.
  const turns = (many?.alarms ?? 0) - 1;
  expect(turns).toBeLessThanOrEqual(600 / 50);
  expect((many?.rows ?? 0) - (ten?.rows ?? 0)).toBeLessThanOrEqual(3 * 290 + turns);
  console.info(`10 and 300 rounds: ${JSON.stringify(measured)}`);
});
