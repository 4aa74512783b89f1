import { expect, test } from "vitest";
import { NodeSql } from "../../src/store/node-sql.ts";
import { TombstoneStore } from "../../src/store/tombstone-store.ts";
import { tablesOf } from "./tables.ts";

test("reading where nothing was purged finds nothing and creates no table", () => {
  const sql = new NodeSql();
  const store = new TombstoneStore(sql);
  expect(store.read()).toBeUndefined();
  store.clear();
  expect(sql.dirty).toBe(false);
});

test("a tombstone is found by every later memory, until it is cleared", () => {
  const sql = new NodeSql();
  new TombstoneStore(sql).write({ executionId: "e-1", at: 5 });
  new TombstoneStore(sql).write({ executionId: "e-2", at: 6 });
  expect(new TombstoneStore(sql).read()).toEqual({ executionId: "e-2", at: 6 });
  new TombstoneStore(sql).clear();
  expect(new TombstoneStore(sql).read()).toBeUndefined();
  expect(tablesOf(sql)).toEqual([]);
});
