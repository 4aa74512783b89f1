/** The largest values on every way through the system, of which an RPC would carry one at most. */
import { runInDurableObject } from "cloudflare:test";
import { describe, expect, test, vi } from "vitest";
import { LIMITS } from "../../src/core/limits.ts";
import type { HistoryPage } from "../../src/index.ts";
import { call, get, start, stubOf } from "./fixture/client.ts";
import { kill } from "./fixture/kill.ts";
import { ledger } from "./fixture/ledger.ts";

/** Each of these writes tens of megabytes to a disk that others use as well. */
vi.setConfig({ testTimeout: 90_000 });
const UNTIL = { timeout: 60_000 };

/** Of exactly the limit when it is stored, as `["..."]`. */
const ROOM = LIMITS.payloadBytes - '[""]'.length;
const LARGEST = {
  "one byte a character": "x".repeat(ROOM),
  // One character beyond Latin-1 makes each of the others take two bytes in memory and in an RPC.
  "two bytes a character in memory": `${"x".repeat(ROOM - 3)}東`,
  "two bytes a character in UTF-8": "é".repeat(ROOM / 2),
};

const problem = async (response: Response) => {
  const { code }: { code: string } = await response.json();
  return [response.status, code];
};

/** Not `toBe`: what it would say of a difference would be as large as they are. */
const same = (a: unknown, b: unknown): boolean => a === b;

/** The whole history, page by page: a large step fills one. */
async function historyOf(id: string): Promise<HistoryPage["items"]> {
  const items: HistoryPage["items"][number][] = [];
  for (let query = ""; ; ) {
    const response = await call(`/v1/instances/${id}/history${query}`);
    const page: HistoryPage = await response.json();
    items.push(...page.items);
    if (page.cursor === null) return items;
    query = `?cursor=${encodeURIComponent(page.cursor)}`;
  }
}

describe.each(Object.entries(LARGEST))("the largest value of %s", (what, value) => {
  const id = what.replaceAll(" ", "-");
  const path = `/v1/instances/${id}`;

  test("is an input, a result, an event and an output, through a loss of the object", async () => {
    const started = await start("Largest", id, value);
    expect(same(started.input, value)).toBe(true);
    await vi.waitFor(() => expect(ledger.of(id)).toContain("kept"), UNTIL);
    await kill(stubOf(id));
    expect((await call(`${path}/events/go`, { body: value })).status).toBe(202);
    const ended = await get(id, 60);
    expect(ended.status).toBe("Completed");
    expect([same(ended.input, value), same(ended.output, value)]).toEqual([true, true]);
    expect(ledger.of(id)).toEqual(["kept"]);
    expect(Object.keys(ended)).toContain("links");
  });

  test("is shown whole in its history, and exported", async () => {
    const results = (await historyOf(id)).map(({ result }) => same(result, value));
    expect(results).toEqual([true, true]);
    const exported = await call(`${path}/export`);
    const { input, output }: { input: string; output: string } = await exported.json();
    expect(input.length).toBeGreaterThanOrEqual(value.length);
    expect(same(output, input)).toBe(true);
  });

  test("is handed on to another instance, and gone with its own", async () => {
    const again = `${id}-again`;
    const response = await call(`${path}/restart`, { body: { id: again } });
    expect(response.status).toBe(202);
    const { input }: { input: unknown } = await response.json();
    expect(same(input, value)).toBe(true);
    expect((await call(path, { method: "DELETE" })).status).toBe(204);
    const tables = await runInDurableObject(stubOf(id), ({ sql }) =>
      sql.all<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table'"),
    );
    expect(tables.map(({ name }) => name)).not.toContain("part");
  });
});

test("the largest value goes to the entrypoint and comes back", async () => {
  const value = LARGEST["two bytes a character in memory"];
  await start("Entrypoint", "entrypoint", value);
  const { status, output } = await get("entrypoint", 60);
  expect(status).toBe("Completed");
  const [step] = await historyOf("entrypoint");
  expect([output, step?.input, step?.result].map((one) => same(one, value))).toEqual([
    true,
    true,
    true,
  ]);
});

test("one byte more is refused, as an input, an event and a result, before anything is written", async () => {
  const more = `${"x".repeat(ROOM - 2)}東`;
  const refused = await call("/v1/workflows/Largest/instances", {
    body: { id: "no", input: more },
  });
  expect(await problem(refused)).toEqual([413, "PAYLOAD_TOO_LARGE"]);
  expect((await call("/v1/instances/no")).status).toBe(404);

  await start("Largest", "yes", "small");
  await vi.waitFor(() => expect(ledger.of("yes")).toContain("kept"), UNTIL);
  const rows = () => runInDurableObject(stubOf("yes"), ({ sql }) => sql.rowsWritten);
  const before = await rows();
  const event = await call("/v1/instances/yes/events/go", { body: more });
  expect(await problem(event)).toEqual([413, "PAYLOAD_TOO_LARGE"]);
  expect(await rows()).toBe(before);

  await start("Unstored", "unstored", "large");
  expect(await get("unstored", 60)).toMatchObject({
    status: "Failed",
    error: { cause: { code: "PAYLOAD_TOO_LARGE" } },
  });
});

test("a value that is split costs a row for each 1,920,000 bytes, and the first one two for their table", async () => {
  const written = async (id: string, input: string) => {
    await start("Entrypoint", id, input);
    expect((await get(id, 60)).status).toBe("Completed");
    return runInDurableObject(stubOf(id), ({ sql }) => sql.rowsWritten);
  };
  const whole = await written("whole", "x".repeat(LIMITS.cellBytes - 4));
  expect(whole).toBe(await written("short", "x"));
  const parts = 4 * 9; // the input of the instance and of its step, the result and the output
  expect(await written("split", LARGEST["one byte a character"])).toBe(whole + parts + 2);
});

test("a body of more bytes than a payload and its envelope is not read to its end", async () => {
  const body = "x".repeat(LIMITS.bodyBytes);
  const response = await call("/v1/workflows/Largest/instances", { body: { input: body } });
  expect(await problem(response)).toEqual([413, "BODY_TOO_LARGE"]);
});

test("a large document that nobody reads does no harm", async () => {
  await start("Largest", "unread", LARGEST["one byte a character"]);
  const head = await call("/v1/instances/unread", { method: "HEAD" });
  expect([head.status, head.headers.get("content-type")]).toEqual([200, "application/json"]);
  const left = await call("/v1/instances/unread");
  await left.body?.cancel();
  await vi.waitFor(() => expect(ledger.of("unread")).toContain("kept"), UNTIL);
  expect((await get("unread")).status).toBe("Running");
});
