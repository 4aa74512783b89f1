import { beforeEach, describe, expect, test } from "vitest";
import { LIMITS } from "../../src/core/limits.ts";
import { encode } from "../../src/core/payload.ts";
import { PLAIN } from "../../src/store/cipher.ts";
import { NodeSql } from "../../src/store/node-sql.ts";
import { PartStore, partIds } from "../../src/store/part-store.ts";
import { Tables } from "../../src/store/schema.ts";
import type { Sql } from "../../src/store/sql.ts";
import { partsOf, tablesOf } from "./tables.ts";

let sql: NodeSql;
let parts: PartStore;

beforeEach(() => {
  sql = new NodeSql();
  parts = new PartStore(sql, 12);
});

const bytes = (text: string): number => new TextEncoder().encode(text).length;
const lengths = (): number[] => partsOf(sql).map(({ text }) => bytes(text));

describe("a text that fits its cell", () => {
  test.each(["", "-1", "[1]", "x".repeat(12), "é".repeat(6), "\u{1f600}".repeat(3)])(
    "is its cell: %j",
    (text) => {
      expect(parts.write(text, "step.result")).toBe(text);
      expect(parts.read(text, "step.result")).toBe(text);
      parts.forget([text, null]);
      expect(tablesOf(sql)).toEqual([]);
    },
  );

  test("is as long as a row can safely hold twice", () => {
    const store = new PartStore(sql);
    expect(store.write("x".repeat(LIMITS.cellBytes), "step.result")).toHaveLength(LIMITS.cellBytes);
    expect(tablesOf(sql)).toEqual([]);
    expect(partIds(store.write("x".repeat(LIMITS.cellBytes + 1), "step.result"))).toHaveLength(1);
    expect(2 * LIMITS.cellBytes).toBeLessThan(2_000_000); // what a row may hold
  });
});

describe("a longer text", () => {
  test.each([
    ["one byte too long", "x".repeat(13)],
    ["of many parts", "0123456789".repeat(30)],
    ["of two bytes a character", "é".repeat(100)],
    ["of three bytes a character", "東".repeat(100)],
    ["of pairs", "\u{1f600}".repeat(100)],
    ["of pairs, each begun at every place", `${"\u{1f600}a".repeat(40)}${"\u{1f600}".repeat(40)}`],
    ["of all kinds", "a é 東 \u{1f600} ".repeat(40)],
  ])("%s is split, and read as it was written", (_what, text) => {
    const cell = parts.write(text, "step.result");
    expect(cell.length).toBeLessThan(40);
    expect(parts.read(cell, "step.result")).toBe(text);
    expect(new PartStore(sql).read(cell, "step.result")).toBe(text);
    expect(Math.max(...lengths())).toBeLessThanOrEqual(24);
    expect(partIds(cell)).toHaveLength(lengths().length);
  });

  test("takes no more parts than its bytes need", () => {
    parts.write("x".repeat(24 * 5), "step.result");
    expect(lengths()).toEqual([24, 24, 24, 24, 24]);
  });

  test("of the largest value takes nine rows, none of which is too large for the platform", () => {
    const text = encode("x".repeat(LIMITS.payloadBytes - 4), "it");
    const store = new PartStore(sql);
    expect(store.read(store.write(text, "step.result"), "step.result")).toBe(text);
    expect(lengths()).toHaveLength(9);
    expect(Math.max(...lengths())).toBeLessThan(2_000_000);
  });

  test("is told from every text that the codec makes, whatever the value", () => {
    for (const value of ["parts:1:1:1", "far:9", undefined, null, Number.NaN, -0, [], {}]) {
      const text = encode(value, "it");
      expect(text).toMatch(/^[[-]/);
      expect(partIds(text)).toEqual([]);
    }
  });
});

describe("parts that are forgotten", () => {
  test("are gone, and those of other cells stay", () => {
    const [first, second, third] = ["a", "b", "c"].map((letter) =>
      parts.write(letter.repeat(50), "step.result"),
    );
    parts.forget([second ?? null, "[1]", null]);
    expect([
      parts.read(first ?? "", "step.result"),
      parts.read(third ?? "", "step.result"),
    ]).toEqual(["a".repeat(50), "c".repeat(50)]);
    expect(partsOf(sql)).toHaveLength(6);
    parts.forget([first ?? null, third ?? null]);
    expect(partsOf(sql)).toEqual([]);
  });

  test("make room for others, which do not mix with what is left", () => {
    const kept = parts.write("k".repeat(60), "step.result");
    for (let round = 0; round < 5; round++) {
      const cell = parts.write(String(round).repeat(30 + round * 24), "step.result");
      expect(parts.read(cell, "step.result")).toBe(String(round).repeat(30 + round * 24));
      parts.forget([cell]);
    }
    expect(parts.read(kept, "step.result")).toBe("k".repeat(60));
    expect(partsOf(sql)).toHaveLength(3);
  });
});

describe("their table", () => {
  test("is there from the first split text on, also for another memory", () => {
    expect(parts.exists).toBe(false);
    parts.write("x".repeat(13), "step.result");
    expect(parts.exists).toBe(true);
    expect(tablesOf(sql)).toEqual(["part"]);
    const other = new PartStore(sql, 12);
    const cell = other.write("y".repeat(30), "step.result");
    expect(other.read(cell, "step.result")).toBe("y".repeat(30));
  });

  test("goes with all of them, and comes again", () => {
    parts.drop();
    parts.write("x".repeat(100), "step.result");
    parts.drop();
    expect(tablesOf(sql)).toEqual([]);
    expect(parts.read(parts.write("x".repeat(13), "step.result"), "step.result")).toBe(
      "x".repeat(13),
    );
  });

  test("is not looked for where it is known that there is none", () => {
    const asked: string[] = [];
    const sql: Sql = {
      cipher: PLAIN,
      all: (statement) => {
        asked.push(statement);
        return [];
      },
      run: (statement) => void asked.push(statement),
      later: () => {},
      settle: () => {},
      transaction: () => {
        throw new Error("none is needed");
      },
    };
    const tables = new Tables(sql);
    expect(tables.has("instance")).toBe(false); // one look is for all of them
    asked.length = 0;
    const watched = new PartStore(sql, LIMITS.cellBytes, tables);
    expect(watched.exists).toBe(false);
    watched.write("[1]", "step.result");
    watched.read("[1]", "step.result");
    watched.forget(["[1]", null]);
    watched.drop();
    expect(asked).toEqual([]);
  });
});
