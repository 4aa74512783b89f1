import { describe, expect, test } from "vitest";
import { differences, type RunResult } from "../../src/testing/difference.ts";
import { effectsOf } from "../../src/testing/effects.ts";
import type { TraceEvent } from "../../src/testing/trace.ts";

const result = (changes: Partial<RunResult> = {}): RunResult => ({
  outcome: { status: "Completed", detail: null },
  effects: [],
  observed: undefined,
  leftBehind: [],
  ...changes,
});
const completed = (detail: unknown) => result({ outcome: { status: "Completed", detail } });

/** What is said where two completed runs differ in their output alone. */
const said = (usual: unknown, other: unknown) => differences(completed(usual), completed(other));

const effect = (what: string, value?: unknown, key?: string) => ({ what, key, value });

describe("the outcome", () => {
  test("of two runs that ended the same is no difference", () => {
    expect(differences(result(), result())).toEqual([]);
  });

  test("of two statuses is told with its reason", () => {
    const failed = result({ outcome: { status: "Failed", detail: { message: "no money" } } });
    expect(differences(completed([1]), failed)).toEqual([
      'the instance is Failed ({"message":"no money"}), and otherwise Completed ([1])',
    ]);
  });

  test("of two statuses is told with a bigint in it too", () => {
    const failed = result({ outcome: { status: "Failed", detail: null } });
    expect(differences(completed({ total: 5n }), failed)).toEqual([
      'the instance is Failed (null), and otherwise Completed ({"total":"5n"})',
    ]);
  });
});

describe("the place at which two values differ", () => {
  test("is named by its path", () => {
    expect(said({ orders: [{ id: 1 }, { id: 2 }] }, { orders: [{ id: 1 }, { id: 3 }] })).toEqual([
      "the outcome (Completed) differs at .orders.1.id: it is 3, and otherwise 2",
    ]);
  });

  test("is the whole value where the kinds differ", () => {
    expect(said("1", 1)).toEqual(['the outcome (Completed) differs: it is 1, and otherwise "1"']);
    expect(said([], {})).toHaveLength(1);
    expect(said(null, {})).toHaveLength(1);
    expect(said(undefined, null)).toEqual([
      "the outcome (Completed) differs: it is null, and otherwise undefined",
    ]);
  });

  test("is found in what is missing and in what is more", () => {
    expect(said([1, 2], [1])).toEqual([
      "the outcome (Completed) differs at .1: it is missing, and otherwise 2",
    ]);
    expect(said({}, { a: 0 })).toEqual([
      "the outcome (Completed) differs at .a: it is 0, and otherwise missing",
    ]);
    expect(said([1], [1, undefined])).toHaveLength(1);
    expect(said({}, { a: undefined })).toHaveLength(1);
  });

  test("is found in Dates, Maps, Sets, bigints and bytes, and equal ones are equal", () => {
    const value = () => ({
      at: new Date(5),
      totals: new Map([["a", 1n]]),
      seen: new Set([1, 2]),
      bytes: new Uint8Array([1, 2]),
    });
    expect(said(value(), value())).toEqual([]);
    expect(said(value(), { ...value(), at: new Date(6) })).toEqual([
      "the outcome (Completed) differs at .at: " +
        'it is "1970-01-01T00:00:00.006Z", and otherwise "1970-01-01T00:00:00.005Z"',
    ]);
    expect(said(value(), { ...value(), totals: new Map([["a", 2n]]) })).toEqual([
      "the outcome (Completed) differs at .totals.a: it is 2n, and otherwise 1n",
    ]);
    expect(said(value(), { ...value(), seen: new Set([1, 3]) })[0]).toContain("at .seen.1:");
    expect(said(value(), { ...value(), bytes: new Uint8Array([1, 3]) })[0]).toContain(".bytes.1:");
  });

  test("is found in a Map with Dates as keys, which no two runs share", () => {
    const days = (count: number) => new Map([[new Date(5), count]]);
    expect(said(days(1), days(1))).toEqual([]);
    expect(said(days(1), days(2))).toHaveLength(1);
  });

  test("is found in errors by what they say", () => {
    expect(said(new Error("a"), new Error("a"))).toEqual([]);
    expect(said(new Error("a"), new Error("b"))).toEqual([
      "the outcome (Completed) differs: it is Error: b, and otherwise Error: a",
    ]);
  });

  test("is told with Maps and Sets spelled out, and cut where it is long", () => {
    expect(said(new Map([["a", 1]]), null)).toEqual([
      'the outcome (Completed) differs: it is null, and otherwise [["a",1]]',
    ]);
    expect(said(new Set([1n]), null)[0]).toMatch(/otherwise \["1n"\]$/);
    const [long] = said("x".repeat(10_000), 1);
    expect(long).toMatch(/x…$/);
    expect(long?.length).toBeLessThan(400);
  });

  test("tells NaN from null, and NaN from no other NaN", () => {
    expect(said(Number.NaN, Number.NaN)).toEqual([]);
    expect(said(Number.NaN, null)).toEqual([
      "the outcome (Completed) differs: it is null, and otherwise NaN",
    ]);
  });
});

describe("effects", () => {
  const said = (usual: RunResult["effects"], other: RunResult["effects"]) =>
    differences(result({ effects: usual }), result({ effects: other }));

  test("are counted, and their order does not matter", () => {
    const [charge, mail] = [effect("charge", 10), effect("mail")];
    expect(said([charge, mail], [mail, charge])).toEqual([]);
    expect(said([charge, mail], [charge, charge])).toEqual([
      'the effect "charge 10" happened 2 times, and otherwise once',
      'the effect "mail" happened never, and otherwise once',
    ]);
  });

  test("with other values are other effects, be the values Maps or bigints", () => {
    expect(said([effect("a", 1n)], [effect("a", 1n)])).toEqual([]);
    expect(said([effect("a", { n: 1n })], [effect("a", { n: 2n })])).toHaveLength(2);
    expect(said([effect("a", new Map([[1, 2]]))], [effect("a", new Map([[1, 3]]))])).toHaveLength(
      2,
    );
  });

  test("with a key count once for each key; with the same key and another value they count again", () => {
    const trace = [
      effect("charge", 10n, "k1"),
      effect("charge", 10n, "k1"),
      effect("charge", 10n, "k2"),
      effect("charge", 20n, "k2"),
      effect("mail"),
      effect("mail"),
    ].map((told): TraceEvent => ({ kind: "effect", at: 0, object: "a", ...told }));
    expect(effectsOf(trace).map(({ what, value, key }) => [what, value, key])).toEqual([
      ["charge", 10n, "k1"],
      ["charge", 10n, "k2"],
      ["charge", 20n, "k2"],
      ["mail", undefined, undefined],
      ["mail", undefined, undefined],
    ]);
  });
});

test("what the test observes is compared like the outcome", () => {
  const rows = (count: number) => result({ observed: { rows: [{ count }] } });
  expect(differences(rows(1), rows(1))).toEqual([]);
  expect(differences(rows(1), rows(2))).toEqual([
    "what the test observes differs at .rows.0.count: it is 2, and otherwise 1",
  ]);
});

test("what a run has left undone is told, also where the usual one has left the same", () => {
  const left = result({ leftBehind: ['"a" is stuck: nothing will wake it'] });
  expect(differences(left, left)).toEqual(['"a" is stuck: nothing will wake it']);
  expect(differences(left, result())).toEqual([]);
});
