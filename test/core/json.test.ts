import { expect, test } from "vitest";
import { toJson } from "../../src/core/payload.ts";

test.each<[string, unknown, unknown]>([
  ["text", "a", "a"],
  ["a number", 1.5, 1.5],
  ["a truth", false, false],
  ["null", null, null],
  ["NaN as null", Number.NaN, null],
  ["infinity as null", Number.NEGATIVE_INFINITY, null],
  ["a bigint as decimal text", 12345678901234567890n, "12345678901234567890"],
  ["a Date as ISO text with milliseconds", new Date(5), "1970-01-01T00:00:00.005Z"],
  ["bytes as base64", new Uint8Array([0, 255, 254]), "AP/+"],
  ["a view as its own bytes", new Uint8Array([1, 2, 3, 4]).subarray(1, 3), "AgM="],
  ["a Node Buffer as base64", Buffer.from("hi"), "aGk="],
  [
    "a Map as an array of pairs",
    new Map<unknown, unknown>([
      ["a", 1n],
      [2, new Date(0)],
    ]),
    [
      ["a", "1"],
      [2, "1970-01-01T00:00:00.000Z"],
    ],
  ],
  ["a Set as an array", new Set([1n, "b"]), ["1", "b"]],
  ["undefined at the top as null", undefined, null],
  ["undefined in an array as null", [1, undefined], [1, null]],
  ["an undefined member not at all", { a: undefined, b: 1 }, { b: 1 }],
  [
    "nested values by the same rules",
    { a: [{ b: new Set([new Map([[1n, undefined]])]) }] },
    { a: [{ b: [[["1", null]]] }] },
  ],
])("plain JSON shows %s", (_what, value, shown) => {
  expect(toJson(value)).toStrictEqual(shown);
});

test("plain JSON is what JSON.stringify writes and JSON.parse reads back unchanged", () => {
  const value = { at: new Date(1), list: [1, undefined, Number.NaN], map: new Map([["k", 1n]]) };
  expect(JSON.parse(JSON.stringify(toJson(value)))).toEqual(toJson(value));
});

test("base64 of more bytes than a call takes arguments is whole", () => {
  const bytes = Uint8Array.from({ length: 100_000 }, (_, index) => index % 251);
  expect(toJson(bytes)).toBe(Buffer.from(bytes).toString("base64"));
});
