import { describe, expect, test } from "vitest";
import { jsonLength, jsonPieces } from "../../src/core/json-text.ts";

const LARGE = "0123456789".repeat(20_000);

const VALUES: readonly [string, unknown][] = [
  ["a number", 1.5],
  ["null", null],
  ["a short text", "hé"],
  ["a long text", LARGE],
  ["a long text of pairs, cut at every place", `a${"\u{1f600}".repeat(100_000)}`],
  ["a long text that is all escapes", '\u0001"\\\n'.repeat(50_000)],
  ["many small values", Array.from({ length: 50_000 }, (_, index) => [index, `${index}`])],
  ["a long array in an object", { head: 1, items: Array(40_000).fill({ a: true }), tail: null }],
  ["many members", Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`"k${i}"`, i]))],
  ["members without a value", { large: LARGE, none: undefined, items: [undefined, LARGE] }],
  ["nothing in something", { large: LARGE, empty: [{}, [], ""] }],
  ["large values in large values", { a: { b: [LARGE, { c: LARGE }] } }],
];

test.each(VALUES)("%s has in pieces the JSON that it has", (_what, value) => {
  const text = [...jsonPieces(value)].join("");
  expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
});

test("no piece is much longer than it must be, and few are shorter", () => {
  const value = { text: LARGE.repeat(20), list: Array(100_000).fill("short") };
  const pieces = [...jsonPieces(value)];
  const { length } = JSON.stringify(value);
  expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThan(200_000);
  expect(pieces.length).toBeLessThan(length / 50_000);
});

describe("a length", () => {
  test.each(VALUES.filter(([what]) => !/escapes|members/.test(what)))(
    "of %s is about that of its JSON",
    (_what, value) => {
      const length = jsonLength(value, Number.POSITIVE_INFINITY);
      const { length: exact } = JSON.stringify(value);
      expect(length).toBeGreaterThanOrEqual(exact - 1);
      expect(length).toBeLessThan(exact * 1.3 + 10);
    },
  );

  test("is counted no further than it is of interest", () => {
    let visited = 0;
    const item = {
      get value() {
        visited++;
        return "x".repeat(100);
      },
    };
    expect(jsonLength(Array(1_000_000).fill(item), 1_000)).toBeGreaterThan(1_000);
    expect(visited).toBeLessThan(15);
  });
});
