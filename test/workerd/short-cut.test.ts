/** Very short steps that share a commit, in the real runtime: its output gate, its aborts, its alarms. */
import { runInDurableObject } from "cloudflare:test";
import { expect, test } from "vitest";
import { get, history, start, stubOf } from "./fixture/client.ts";
import { ledger } from "./fixture/ledger.ts";

const STEPS = ["step 1", "step 2", "step 3", "step 4"];

const stepsOf = async (id: string) =>
  (await history(id)).map(({ step, state, attempts }) => `${step} ${state} ${attempts}`);

test("a chain of short steps has a row for each, and few that another one did not follow at once", async () => {
  await start("Chain", "short", 100);
  expect(await get("short", 10)).toMatchObject({ status: "Completed", output: 100 });
  expect(ledger.of("short")).toHaveLength(100);
  const rows = await runInDurableObject(stubOf("short"), (_, { storage }) =>
    storage.sql
      .exec<{ inline: number; count: number }>(
        "SELECT inline, COUNT(*) AS count FROM step GROUP BY inline ORDER BY inline",
      )
      .toArray(),
  );
  const [long, short] = rows.map(({ count }) => count);
  expect((long ?? 0) + (short ?? 0)).toBe(100);
  expect(long).toBeLessThan(10);
});

test("what is written together is what would have been written one by one", async () => {
  const keys = [
    "plain",
    'a "quoted" \\ key',
    "nothing \0 ends it",
    "\u2028<\u{1f600}>",
    "[1]",
    "null",
  ];
  await start("Keyed", "keyed", keys);
  expect(await get("keyed", 10)).toMatchObject({ status: "Completed" });
  const items = await history("keyed");
  expect(items.map(({ step }) => step)).toEqual(keys.map((key) => `Noted:${key}`));
  expect(items.map(({ input, result }) => [input, result])).toEqual(keys.map((key) => [key, key]));
});

test("what came before a step that reached the outside is stored by then, and never repeated", async () => {
  await start("Reaching", "reached", "answered");
  expect(await get("reached", 15)).toMatchObject({ status: "Completed", output: 5 });
  expect(ledger.of("reached")).toEqual([...STEPS, "reached", "reached", "after"]);
  expect(await stepsOf("reached")).toHaveLength(6);
});

test("steps that an abort has lost together are done again, in their order", async () => {
  await start("Reaching", "lost", "at once");
  expect(await get("lost", 15)).toMatchObject({ status: "Completed", output: 5 });
  const noted = ledger.of("lost");
  expect(noted.slice(-2)).toEqual(["reached", "after"]);
  expect(noted.filter((what) => what === "reached")).toHaveLength(2);
  const repeated = noted.slice(noted.indexOf("reached") + 1, -2);
  expect(repeated).toEqual(STEPS.slice(STEPS.length - repeated.length));
  expect(await stepsOf("lost")).toHaveLength(6);
});
