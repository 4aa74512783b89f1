/** The ledger: each key once, whatever becomes of the request, and a record of all of it. */
import { afterEach, expect, test } from "vitest";
import type { Draw } from "../../chaos/draw.ts";
import { type Ledger, openLedger } from "../../chaos/ledger.ts";

let ledger: Ledger | undefined;
afterEach(() => ledger?.close());

/** Answers at once, and fails in the way of that number. */
const failing = (failure: number): Draw => ({
  fraction: () => 0,
  int: (least) => least,
  chance: (probability) => probability > 0,
  pick: (items) => items[failure] as (typeof items)[number],
});

async function tell(path: string, body: unknown = null): Promise<Response | null> {
  const headers = { "idempotency-key": "k-1" };
  const init = { method: "POST", headers, body: JSON.stringify(body) };
  return fetch(`${ledger?.url}/${path}`, init).catch(() => null);
}

test("it gives one receipt for a key, however often it comes", async () => {
  ledger = await openLedger(failing(0));
  const receipts = [await tell("i/a"), await tell("i/a")].map((answer) => answer?.json());
  expect(await Promise.all(receipts)).toEqual([{ receipt: "receipt-1" }, { receipt: "receipt-1" }]);
  expect(ledger.records).toMatchObject([
    { instance: "i", what: "a", key: "k-1", taken: true, ending: "answered" },
    { instance: "i", what: "a", key: "k-1", taken: true, ending: "answered" },
  ]);
});

test("it fails before the effect or after it, with an answer or without", async () => {
  for (const failure of [0, 1, 2, 3]) {
    ledger = await openLedger(failing(failure));
    const answer = await tell("i/a?flaky=1");
    const dropped = failure > 1;
    expect(answer?.status).toBe(dropped ? undefined : 503);
    expect(ledger.records.map(({ taken, ending }) => ({ taken, ending }))).toContainEqual({
      taken: failure % 2 === 1,
      ending: dropped ? "dropped" : "failed",
    });
    ledger.close();
  }
});

test("it refuses what it is told to, but not what undoes it", async () => {
  ledger = await openLedger(failing(0));
  expect((await tell("i/a?refuse=409", { book: 1 }))?.status).toBe(409);
  expect((await tell("i/a?refuse=409", { cancel: 1 }))?.status).toBe(200);
  expect(ledger.records).toMatchObject([
    { what: "a", ending: "refused", taken: false },
    { what: "undo/a", ending: "answered", taken: true },
  ]);
});

test("it takes a job, and gives the receipt after so many looks", async () => {
  ledger = await openLedger(failing(0));
  const url = new URL("i/job?job=1", ledger.url);
  const posted = await tell("i/job?job=1");
  expect(posted?.status).toBe(202);
  const first = await fetch(new URL(posted?.headers.get("location") ?? "", url));
  expect(first.status).toBe(202);
  const second = await fetch(new URL(first.headers.get("location") ?? "", url));
  expect(await second.json()).toEqual({ receipt: "receipt-1" });
  expect(ledger.records).toHaveLength(1);
});
