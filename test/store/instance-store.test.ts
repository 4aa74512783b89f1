import { expect, test } from "vitest";
import { textOf } from "../../src/core/stored-text.ts";
import { InstanceStore } from "../../src/store/instance-store.ts";
import { NodeSql } from "../../src/store/node-sql.ts";
import { PartStore } from "../../src/store/part-store.ts";
import type { InstanceRow } from "../../src/store/rows.ts";
import { partsOf, tablesOf } from "./tables.ts";

const ROW: InstanceRow = {
  id: "i-1",
  executionId: "e-1",
  workflow: "W",
  version: "1",
  status: "Pending",
  input: "[1]",
  output: null,
  error: null,
  tags: '{"a":"b"}',
  parent: null,
  due: 500,
  suspensions: 0,
  heldAt: null,
  customStatus: null,
  round: 1,
  createdAt: 100,
  startedAt: null,
  updatedAt: 100,
  completedAt: null,
  rewind: null,
  rewinds: 0,
  fork: null,
  sensitive: 0,
  compensating: 0,
};

function stored(row: InstanceRow = ROW) {
  const sql = new NodeSql();
  const store = new InstanceStore(sql);
  store.write(row);
  return { sql, store };
}

test("reading an object that holds nothing says so and creates no table", () => {
  const sql = new NodeSql();
  const store = new InstanceStore(sql);
  expect(store.exists).toBe(false);
  expect(store.read()).toBeUndefined();
  expect(tablesOf(sql)).toEqual([]);
  expect(sql.dirty).toBe(false);
});

test("a row is read as it was written, in this memory and in the next", () => {
  const full: InstanceRow = { ...ROW, output: "[2]", error: "{}", startedAt: 1, completedAt: 2 };
  const { sql, store } = stored(full);
  expect(store.exists).toBe(true);
  expect({ ...store.read() }).toEqual(full);
  expect({ ...new InstanceStore(sql).read() }).toEqual(full);
});

test("the first write makes the tables of an instance, and no index", () => {
  const { sql } = stored();
  expect(tablesOf(sql)).toEqual(["instance", "step"]);
});

test("another write takes the place of the row: there is always one", () => {
  const { sql, store } = stored();
  store.write({ ...ROW, executionId: "e-2", startedAt: 7 });
  expect({ ...store.read() }).toEqual({ ...ROW, executionId: "e-2", startedAt: 7 });
  expect(sql.all("SELECT * FROM instance")).toHaveLength(1);
});

test("an instance that runs owes nothing any more, and keeps the time of its first start", () => {
  const { store } = stored({ ...ROW, error: "{}" });
  store.setRunning(200);
  const running = { ...ROW, status: "Running", due: null, startedAt: 200, updatedAt: 200 };
  expect({ ...store.read() }).toEqual(running);
  store.setRunning(300);
  expect({ ...store.read() }).toEqual({ ...running, updatedAt: 300 });
});

test("a suspended instance says why and until when, and running again forgets it", () => {
  const { store } = stored();
  store.setRunning(200);
  store.setSuspended({ error: '{"code":"NONDETERMINISM"}', due: 900, suspensions: 2, at: 300 });
  expect(store.read()).toMatchObject({
    status: "Suspended",
    error: '{"code":"NONDETERMINISM"}',
    due: 900,
    suspensions: 2,
    updatedAt: 300,
    startedAt: 200,
  });
  store.setRunning(400);
  const running = { status: "Running", error: null, due: null, suspensions: 2 };
  expect(store.read()).toMatchObject(running); // how often is not forgotten
});

test("an instance that a person suspended keeps when it would have started", () => {
  const { store } = stored();
  store.setHeld({ error: '{"code":"SUSPENDED_BY_REQUEST"}', at: 300 });
  const held = {
    status: "Suspended",
    error: '{"code":"SUSPENDED_BY_REQUEST"}',
    heldAt: 300,
  } as const;
  expect({ ...store.read() }).toEqual({ ...ROW, ...held, updatedAt: 300 });
  store.setReleased({ status: "Pending", due: 500, at: 400 });
  expect({ ...store.read() }).toEqual({ ...ROW, updatedAt: 400 });
});

test("a custom status is written without a word about the rest", () => {
  const { store } = stored();
  store.setCustomStatus('["waiting"]');
  expect({ ...store.read() }).toEqual({ ...ROW, customStatus: '["waiting"]' });
});

test("an instance that was dropped leaves no table, and may be written again", () => {
  const { sql, store } = stored();
  store.drop(true);
  expect(store.read()).toBeUndefined();
  expect(tablesOf(sql)).toEqual([]);
  store.write(ROW);
  expect({ ...store.read() }).toEqual(ROW);
});

test.each(["Completed", "Failed", "Terminated"] as const)("an instance ends as %s", (status) => {
  const begun = { ...ROW, startedAt: 150 };
  const { store } = stored(begun);
  store.setEnded({ status, output: "[3]", error: "{}", at: 700 });
  const ended = { status, output: "[3]", error: "{}", due: null, updatedAt: 700, completedAt: 700 };
  expect({ ...store.read() }).toEqual({ ...begun, ...ended });
});

test("an instance that ends before it has begun keeps when it was to", () => {
  const { store } = stored();
  store.setEnded({ status: "Terminated", output: null, error: "{}", at: 200 });
  expect(store.read()).toMatchObject({ status: "Terminated", due: 500 });
});

test("what was rolled back was never there", () => {
  const { sql } = stored();
  sql.rollback();
  const after = new InstanceStore(sql);
  expect(after.exists).toBe(false);
  after.write(ROW);
  expect(after.read()).toMatchObject({ id: "i-1" });
});

test("another execution takes the place of the present one, and what is the instance's stays", () => {
  const suspended = { status: "Suspended", error: "{}", suspensions: 3, startedAt: 150 } as const;
  const { store } = stored({ ...ROW, ...suspended });
  const next = { executionId: "e-2", version: "2", input: "[2]", updatedAt: 200 };
  store.setContinued({ ...next, due: null, startedAt: 200 });
  const running = { ...ROW, ...next, status: "Running", due: null } as const;
  expect(store.read()).toEqual({ ...running, startedAt: 200, round: 2 });
  store.setContinued({ ...next, due: 200, startedAt: null });
  expect(store.read()).toEqual({ ...running, due: 200, round: 3 });
  store.write(ROW);
  expect(store.read()?.round).toBe(1);
});

test("large texts of the row are split, and gone with it, with another execution, or with another row", () => {
  const large = (letter: string) => `["${letter.repeat(200)}"]`;
  const sql = new NodeSql();
  const store = new InstanceStore(sql, new PartStore(sql, 60)); // of which each takes two parts
  store.write({ ...ROW, input: large("a") });
  store.setEnded({ status: "Completed", output: large("b"), error: null, at: 5 });
  const read = new InstanceStore(sql).read();
  expect([read?.input, read?.output].map((text) => textOf(text ?? ""))).toEqual([
    large("a"),
    large("b"),
  ]);
  expect(partsOf(sql)).toHaveLength(4);
  store.write({ ...ROW, input: read?.input ?? "" }); // as a restart does: the same input once more
  expect(partsOf(sql)).toHaveLength(2);
  expect(textOf(store.read()?.input ?? "")).toBe(large("a"));
  const next = { executionId: "e-2", version: "1", due: null, startedAt: 7, updatedAt: 7 };
  store.setContinued({ ...next, input: large("c") });
  expect(textOf(store.read()?.input ?? "")).toBe(large("c"));
  expect(partsOf(sql)).toHaveLength(2);
  store.setContinued({ ...next, input: "[1]" });
  expect(partsOf(sql)).toEqual([]);
  store.write({ ...ROW, input: large("d") });
  store.drop(true);
  expect(tablesOf(sql)).toEqual([]);
  store.write(ROW);
  expect(tablesOf(sql)).toEqual(["instance", "step"]);
});
