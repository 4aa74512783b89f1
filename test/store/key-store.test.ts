import { beforeEach, describe, expect, test } from "vitest";
import { LIMITS } from "../../src/core/limits.ts";
import { KeyStore } from "../../src/store/key-store.ts";
import { NodeSql } from "../../src/store/node-sql.ts";
import { codeOf, thrownBy } from "../core/thrown.ts";
import { tablesOf } from "./tables.ts";

const DAY = LIMITS.idempotencyKeyMillis;
const KEY = { key: "k", fingerprint: "f" };

let sql: NodeSql;
let store: KeyStore;

beforeEach(() => {
  sql = new NodeSql();
  store = new KeyStore(sql);
});

test("looking for a key makes no table, and neither does looking for room", () => {
  expect(store.find(KEY, 0)).toBeUndefined();
  store.checkRoom(0);
  expect(tablesOf(sql)).toEqual([]);
  expect(sql.dirty).toBe(false);
});

test("an answer is found again, in this memory and in the next", () => {
  store.keep(KEY, '{"a":1}', 100);
  expect(store.find(KEY, 200)).toBe('{"a":1}');
  expect(new KeyStore(sql).find(KEY, 200)).toBe('{"a":1}');
  expect(store.find({ ...KEY, key: "other" }, 200)).toBeUndefined();
});

test("an empty answer is one", () => {
  store.keep(KEY, "", 100);
  expect(store.find(KEY, 200)).toBe("");
});

test("the key of another request is an error that names it", () => {
  store.keep(KEY, "{}", 100);
  const error = thrownBy(() => store.find({ ...KEY, fingerprint: "g" }, 200));
  expect(error.code).toBe("IDEMPOTENCY_KEY_REUSED");
  expect(error.message).toContain('"k"');
});

test("a key is honoured for 24 hours, then it is free for any request", () => {
  store.keep(KEY, "{}", 100);
  expect(store.find(KEY, 100 + DAY - 1)).toBe("{}");
  expect(store.find(KEY, 100 + DAY)).toBeUndefined();
  expect(store.find({ ...KEY, fingerprint: "g" }, 100 + DAY)).toBeUndefined();
  store.keep({ ...KEY, fingerprint: "g" }, "[]", 100 + DAY);
  expect(store.find({ ...KEY, fingerprint: "g" }, 101 + DAY)).toBe("[]");
});

test("what was rolled back is not found, and can be kept again by the next memory", () => {
  store.keep(KEY, "{}", 100);
  sql.rollback();
  const next = new KeyStore(sql);
  expect(next.find(KEY, 200)).toBeUndefined();
  next.keep(KEY, "[]", 200);
  expect(next.find(KEY, 300)).toBe("[]");
});

describe("the keys an instance keeps", () => {
  const fill = (count: number, at: (index: number) => number) => {
    for (let index = 0; index < count; index++) {
      store.keep({ key: `k${index}`, fingerprint: "f" }, "{}", at(index));
    }
  };

  test(`are ${LIMITS.idempotencyKeys}: the last has room and one more has none`, () => {
    fill(LIMITS.idempotencyKeys - 1, () => 100);
    expect(codeOf(() => store.checkRoom(200))).toBeUndefined();
    store.keep(KEY, "{}", 200);
    const error = thrownBy(() => store.checkRoom(200));
    expect(error).toMatchObject({ code: "IDEMPOTENCY_KEYS_FULL", retryable: true });
    expect(codeOf(() => new KeyStore(sql).checkRoom(200))).toBe("IDEMPOTENCY_KEYS_FULL");
  });

  test("make room when they are older than 24 hours, and only those", () => {
    fill(LIMITS.idempotencyKeys, (index) => (index < 3 ? 100 : 101));
    expect(codeOf(() => store.checkRoom(99 + DAY))).toBe("IDEMPOTENCY_KEYS_FULL");
    expect(codeOf(() => store.checkRoom(100 + DAY))).toBeUndefined();
    const left = sql.all<{ n: number }>("SELECT COUNT(*) AS n FROM idempotency")[0]?.n;
    expect(left).toBe(LIMITS.idempotencyKeys - 3);
    expect(store.find({ key: "k3", fingerprint: "f" }, 100 + DAY)).toBe("{}");
  });

  test("full as they are, still answer those who have one", () => {
    fill(LIMITS.idempotencyKeys, () => 100);
    expect(store.find({ key: "k5", fingerprint: "f" }, 200)).toBe("{}");
  });
});
