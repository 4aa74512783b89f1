/** `wrangler dev` killed with SIGKILL and started again. After a start nothing is sent but /health. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type DevServer, startDevServer } from "../../scripts/dev-server.ts";
import { type Ledger, openLedger } from "./ledger.ts";

const TOTAL = 400;

let folder: string;
let ledger: Ledger;
let server: DevServer;

/** The temporary folder of what is started here. */
const scratch = () => join(folder, "scratch");

const boot = () =>
  startDevServer({
    persistTo: join(folder, "state"),
    logFile: join(folder, "dev.log"),
    config: join(import.meta.dirname, "fixture/wrangler.toml"),
    vars: { AUTH: "none" },
  });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "waymark-kill-"));
  mkdirSync(scratch());
  vi.stubEnv("TMPDIR", scratch());
  ledger = await openLedger();
  server = await boot();
}, 90_000);

afterAll(async () => {
  await server.kill();
  ledger.close();
  rmSync(folder, { recursive: true, force: true });
  vi.unstubAllEnvs();
});

async function post(path: string, body: unknown): Promise<void> {
  const headers = { "content-type": "application/json" };
  const request = { method: "POST", headers, body: JSON.stringify(body) };
  const response = await fetch(`${server.url}/v1${path}`, request);
  expect(response.status).toBe(202);
}

const start = (workflow: string, input: object) =>
  post(`/workflows/${workflow}/instances`, {
    id: workflow.toLowerCase(),
    input: { ledger: ledger.url, ...input },
  });

const until = (what: string, count: number) =>
  vi.waitFor(() => expect(ledger.of(what).length).toBeGreaterThanOrEqual(count), {
    timeout: 30_000,
    interval: 2,
  });

test("a SIGKILL loses nothing: stages go on, sleepers wake, requests are followed, and events are there in order", async () => {
  const wakeAt = Date.now() + 8_000;
  await start("Sleeper", { until: wakeAt });
  await start("Collector", { count: 12 });
  for (let item = 1; item <= 11; item++) await post("/instances/collector/events/item", item);
  await start("Caller", {});
  await until("GET /jobs/1", 1);
  await start("Migrate", { total: TOTAL });

  const killedAt: number[] = [];
  for (const seen of [40, 160]) {
    await until("record", seen);
    await server.kill();
    killedAt.push(ledger.of("record").length);
    server = await boot();
  }

  await until("migrated", 1);
  const ids = ledger.of("record").map((effect) => effect.value);
  expect(new Set(ids)).toEqual(new Set(Array.from({ length: TOTAL }, (_, index) => index + 1)));
  expect(killedAt.at(-1)).toBeLessThan(TOTAL);
  // A kill repeats at most the record whose checkpoint was under way, under the same key.
  expect(ids.length - TOTAL).toBeLessThanOrEqual(killedAt.length);
  expect(new Set(ledger.of("record").map((effect) => effect.idempotencyKey)).size).toBe(TOTAL);

  // Its job was handed over once, and is asked about after each start, until it has ended.
  const looks = ledger.of("GET /jobs/1").length;
  await until("GET /jobs/1", looks + 1);
  ledger.endJob();
  await until("called", 1);
  expect(ledger.of("called").map((effect) => effect.value)).toEqual(["the job is done"]);
  expect(ledger.of("POST /jobs")).toMatchObject([{ value: '"a job"' }]);

  await until("woke", 1);
  expect(ledger.of("woke")).toHaveLength(1);
  expect(ledger.of("woke")[0]?.at).toBeGreaterThanOrEqual(wakeAt);

  await post("/instances/collector/events/item", 12);
  await post("/instances/collector/events/open", null);
  await until("collected", 1);
  expect(ledger.of("collected").map((effect) => effect.value)).toEqual([
    Array.from({ length: 12 }, (_, index) => index + 1),
  ]);
}, 120_000);

test("updates under SIGKILL are each applied once, and their replies are equal however often they are asked for", async () => {
  await start("Till", {});
  const amounts = Array.from({ length: 30 }, (_, index) => index + 1);
  const killing = (async () => {
    for (const seen of [6, 15, 24]) {
      await until("added", seen);
      await server.kill();
      server = await boot();
    }
  })();
  const replies: unknown[] = [];
  for (const amount of amounts) replies.push(await add(amount));
  await killing;
  const totals = amounts.map((amount) => (amount * (amount + 1)) / 2);
  expect(replies).toEqual(totals); // one after the other: each reply tells of all before it
  expect(await Promise.all(amounts.map(add))).toEqual(totals);
  expect(await ask("total")).toBe(totals.at(-1));
  const told = new Map(ledger.of("added").map((effect) => [effect.idempotencyKey, effect.value]));
  expect([...told.values()].map(Number).sort((a, b) => a - b)).toEqual(amounts);
}, 120_000);

const add = (amount: number) => ask("add", amount, `add ${amount}`);

/** Calls a handler, as often as it takes. */
async function ask(name: string, body: unknown = null, key = "none"): Promise<unknown> {
  const headers = { "content-type": "application/json", "idempotency-key": key };
  const request = { method: "POST", headers, body: JSON.stringify(body) };
  for (;;) {
    const url = `${server.url}/v1/instances/till/calls/${name}`;
    const response = await fetch(url, request).catch(() => null);
    if (response?.status === 200) return response.json();
    await new Promise((resolve) => setTimeout(resolve, 50)); // 202, or nobody is there
  }
}

test("a server that was killed leaves nothing in the temporary folder", async () => {
  expect(readdirSync(scratch())).not.toEqual([]);
  await server.kill();
  expect(readdirSync(scratch())).toEqual([]);
});
