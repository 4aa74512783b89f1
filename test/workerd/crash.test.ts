import { abortAllDurableObjects, evictDurableObject, runDurableObjectAlarm } from "cloudflare:test";
import { expect, test, vi } from "vitest";
import { get, history, send, start, stubOf } from "./fixture/client.ts";
import { kill } from "./fixture/kill.ts";
import { ledger } from "./fixture/ledger.ts";

/** Reads the ledger, not the instance: nothing here may wake it. */
const untilNoted = (id: string, what: string) =>
  vi.waitFor(() => expect(ledger.of(id)).toContain(what), { timeout: 10_000, interval: 10 });

test("an instance evicted between its steps goes on where it was, and repeats nothing", async () => {
  await start("Stepwise", "evicted");
  for (const step of [1, 2, 3]) {
    await untilNoted("evicted", `step ${step}`);
    await vi.waitFor(async () => {
      expect((await get("evicted")).waitingFor).toMatchObject([{ kind: "event", name: "next" }]);
    });
    await evictDurableObject(stubOf("evicted"));
    await send("evicted", "next", { step });
  }
  expect(await get("evicted", 10)).toMatchObject({
    status: "Completed",
    output: ["step 1", { step: 1 }, "step 2", { step: 2 }, "step 3", { step: 3 }],
  });
  expect(ledger.of("evicted")).toEqual(["step 1", "step 2", "step 3"]);
});

test("what was recorded comes back exactly: dates, maps, falsy values, a failure, a lost race", async () => {
  await start("Faithful", "faithful");
  await vi.waitFor(async () => {
    expect((await get("faithful")).waitingFor).toContainEqual(
      expect.objectContaining({ kind: "event", name: "go on" }),
    );
  });
  const before = ledger.of("faithful");
  await kill(stubOf("faithful"));
  await send("faithful", "go on", null);
  const document = await get("faithful", 10);
  expect(document.status).toBe("Completed");
  expect(document.output).toMatchObject({
    date: "2026-02-03T04:05:06.007Z",
    map: [true, true],
    falsy: [0, "", false, null, "undefined"],
    caught: ["Produce#8", 1, "cannot make unicorn", "the cause"],
    race: "sleep",
    replayed: true,
  });
  expect(ledger.of("faithful")).toEqual(before);
});

test("an object that dies in the middle of an activity goes on with no request from outside", async () => {
  await start("Preempted", "unattended", 4);
  await untilNoted("unattended", "record 1 attempt 1");
  await abortAllDurableObjects();
  await untilNoted("unattended", "record 4 attempt 1");
  expect(await get("unattended", 10)).toMatchObject({ status: "Completed", output: 4 });
});

test("an object that dies while a schema looks at an event asks it again, and takes what fits", async () => {
  await start("Picky", "picky");
  await send("picky", "order", { amount: "five" });
  await vi.waitFor(async () => {
    expect(await history("picky")).toContainEqual(
      expect.objectContaining({
        step: "order",
        state: "failed",
        result: { amount: "five" },
        error: expect.objectContaining({ code: "EVENT_INVALID" }),
      }),
    );
  });
  await send("picky", "order", { amount: 500, at: "2026-01-31T00:00:00Z" });
  await send("picky", "order", { amount: 5, at: "2026-01-31T00:00:00Z" });
  await untilNoted("picky", "looks at 500");
  await kill(stubOf("picky"));
  const looks = ledger.of("picky").length;
  ledger.note("picky", "let go");
  const output = { amount: 5, at: "2026-01-31T00:00:00.000Z" };
  expect(await get("picky", 15)).toMatchObject({ status: "Completed", output });
  expect(ledger.of("picky").slice(looks)).toContain("looks at 500");
  expect((await history("picky")).map(({ seq, state }) => [seq, state])).toEqual([
    [null, "failed"],
    [null, "failed"],
    [1, "done"],
  ]);
});

test("a sleeping instance wakes on time in a new object", async () => {
  const { createdAt } = await start("Sleeper", "sleeper", 86_400_000);
  await vi.waitFor(async () => expect((await get("sleeper")).waitingFor).toHaveLength(1));
  await abortAllDurableObjects();
  expect(await runDurableObjectAlarm(stubOf("sleeper"))).toBe(true);
  const { status, waitingFor } = await get("sleeper");
  expect(status).toBe("Running");
  const due = Date.parse(waitingFor[0]?.due ?? "") - Date.parse(createdAt);
  expect(due).toBeGreaterThanOrEqual(86_400_000);
  expect(due).toBeLessThan(86_410_000);
});

test("what a race has cancelled stays cancelled, and a map goes on, in a new object", async () => {
  await start("Cancelling", "cancelling");
  await untilNoted("cancelling", "endless begun");
  await vi.waitFor(async () => expect((await get("cancelling")).waitingFor).toHaveLength(3));
  await send("cancelling", "answer", "yes");
  await untilNoted("cancelling", "endless told CANCELLED");
  await untilNoted("cancelling", "item 3");
  await kill(stubOf("cancelling"));
  await untilNoted("cancelling", "item 8");
  await vi.waitFor(async () => {
    expect((await get("cancelling")).waitingFor).toMatchObject([{ kind: "event", name: "answer" }]);
  });
  await abortAllDurableObjects();
  await send("cancelling", "answer", "again");
  expect(await get("cancelling", 10)).toMatchObject({
    status: "Completed",
    output: {
      first: { winner: "answer", value: "yes" },
      items: [2, 4, 6, 8, 10, 12, 14, 16],
      last: "again",
    },
  });
  expect(ledger.of("cancelling").filter((what) => what === "endless begun")).toHaveLength(1);
  const rows = await history("cancelling");
  expect(rows.filter(({ state }) => state === "open" || state === "running")).toEqual([]);
});
