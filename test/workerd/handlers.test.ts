/** Queries and updates over HTTP, on the platform's own storage and alarms. */
import {
  abortAllDurableObjects,
  evictDurableObject,
  runDurableObjectAlarm,
  runInDurableObject,
} from "cloudflare:test";
import { expect, test, vi } from "vitest";
import { call, get, history, send, start, stubOf } from "./fixture/client.ts";
import { ledger } from "./fixture/ledger.ts";

const written = (id: string) =>
  runInDurableObject(stubOf(id), ({ sql, alarms }) => ({ rows: sql.rowsWritten, alarms }));

const ask = (id: string, name: string, body?: unknown, key?: string) =>
  call(`/v1/instances/${id}/calls/${name}`, {
    method: "POST",
    ...(body === undefined ? {} : { body }),
    ...(key === undefined ? {} : { headers: { "idempotency-key": key } }),
  });

const waits = (id: string) =>
  vi.waitFor(async () => expect((await get(id)).waitingFor).toMatchObject([{ kind: "event" }]), {
    timeout: 60_000,
  });

test("a query of an evicted instance writes zero rows and sets no alarm", async () => {
  await start("Summing", "evicted", 3);
  await waits("evicted");
  expect((await ask("evicted", "add", 5)).status).toBe(200);
  await evictDurableObject(stubOf("evicted"));
  for (let count = 0; count < 3; count++) {
    const response = await ask("evicted", "total");
    expect([response.status, await response.json()]).toEqual([200, 5]);
  }
  expect(await written("evicted")).toEqual({ rows: 0, alarms: 0 });
  await send("evicted", "end", null);
  expect(await get("evicted", 10)).toMatchObject({ status: "Completed", output: 5 });
  await evictDurableObject(stubOf("evicted"));
  expect(await (await ask("evicted", "total")).json()).toBe(5);
  expect(await written("evicted")).toEqual({ rows: 0, alarms: 0 });
});

test("a query of a long history lets other requests in while its code is replayed", async () => {
  await start("Summing", "long", 6_000); // several times as long as it may go on without a pause
  await waits("long");
  await evictDurableObject(stubOf("long"));
  const order: string[] = [];
  const note = (what: string) => () => order.push(what);
  // A timer fires only where the replay makes a pause, as a request that comes over a socket does.
  const read = scheduler.wait(1).then(() => get("long"));
  await Promise.all([ask("long", "total").then(note("query")), read.then(note("read"))]);
  expect(order).toEqual(["read", "query"]);
}, 90_000);

test("updates under hard aborts are each applied once, and replies are equal however often they are asked for", async () => {
  await start("Summing", "aborted", 1);
  const amounts = [1, 2, 3, 4];
  const replies: unknown[] = [];
  for (const amount of amounts) {
    const key = `add ${amount}`;
    const answers = [ask("aborted", "add", amount, key), ask("aborted", "add", amount, key)];
    await scheduler.wait(amount); // somewhere in its middle
    await abortAllDurableObjects();
    await Promise.allSettled(answers);
    await runDurableObjectAlarm(stubOf("aborted"));
    const response = await ask("aborted", "add", amount, key);
    replies.push([response.status, await response.json()]);
  }
  expect(replies).toEqual([1, 3, 6, 10].map((total) => [200, total]));
  await abortAllDurableObjects();
  const again = await Promise.all(
    amounts.map(async (amount) => (await ask("aborted", "add", amount, `add ${amount}`)).json()),
  );
  expect(again).toEqual([1, 3, 6, 10]);
  expect(await (await ask("aborted", "total")).json()).toBe(10);
  const updates = (await history("aborted")).filter(({ kind }) => kind === "update");
  expect(updates.map(({ input }) => input)).toEqual(amounts);
  expect(new Set(ledger.of("aborted"))).toEqual(new Set(["step", ...amounts.map(String)]));
});

test("an update costs 6 rows at most with its one short step, and its key 1", async () => {
  await start("Summing", "rows", 0);
  await waits("rows");
  const rows = async () => (await written("rows")).rows;
  await ask("rows", "add", 1); // the first one: the row of the wait, too
  await vi.waitFor(async () => expect((await get("rows")).waitingFor).toHaveLength(1));
  const before = await rows();
  await ask("rows", "add", 2);
  const [plain, alarms] = [(await rows()) - before, (await written("rows")).alarms];
  expect(plain).toBeLessThanOrEqual(6);
  expect(alarms).toBeGreaterThan(0);
  await ask("rows", "add", 3, "key");
  expect((await rows()) - before - plain).toBeLessThanOrEqual(plain + 4);
  console.info(`an update with one short step: ${plain} rows`);
});

test("what an instance answers to no call is a problem that says why", async () => {
  await start("Summing", "problems", 0);
  await waits("problems");
  const codes = [
    await ask("problems", "nothing"),
    await ask("problems", "add", "no number"),
    await ask("problems", "add", 2_000).then(() => ask("problems", "add", 1)),
    await ask("nobody", "total"),
  ].map(async (response) => [response.status, (await response.json<{ code: string }>()).code]);
  expect(await Promise.all(codes)).toEqual([
    [404, "HANDLER_NOT_FOUND"],
    [422, "INPUT_INVALID"],
    [422, "UPDATE_REFUSED"],
    [404, "INSTANCE_NOT_FOUND"],
  ]);
});
