/** Each fault that a run may have is put into forged evidence, and must be noticed as what it is. */
import { expect, test } from "vitest";
import { check } from "../../chaos/check.ts";
import type { Evidence } from "../../chaos/evidence.ts";
import { CHAIN, end, evidence, item, request } from "./forged.ts";

const found = (other: Partial<Evidence>) =>
  check([CHAIN], evidence(other)).map(({ kind, what }) => `${kind}: ${what}`);

const [A, B, AGAIN, C] = evidence().records;
if (!A || !B || !AGAIN || !C) throw new Error("the good run is not there");
const ended = (forged: Parameters<typeof end>[0]) => new Map([["chain", end(forged)]]);

test("a run in which a killed step was asked for again under its key has no fault", () => {
  expect(check([CHAIN], evidence())).toEqual([]);
});

test("an instance that has not ended is stuck, and so is one that was never started", () => {
  const document = { status: "Running" as const, waitingFor: [] };
  expect(found({ ends: ended({ document }) })).toEqual(["stuck: null"]);
  expect(found({ ends: new Map() })).toEqual(["stuck: null"]);
});

test("an instance that failed, or has another output, came to a wrong end", () => {
  const error = { type: "Error", message: "boom", code: "ACTIVITY_FAILED" };
  const failed = end({ document: { status: "Failed", error } });
  expect(found({ ends: new Map([["chain", failed]]) })).toContain("wrong end: null");
  expect(found({ ends: ended({ document: { output: "receipt of b" } }) })).toEqual([
    "wrong end: null",
  ]);
  expect(found({ ends: ended({ document: { error } }) })).toEqual(["wrong end: null"]);
});

test("an effect that the ledger never had is lost, also where it was only refused", () => {
  expect(found({ records: [A, B, AGAIN] })).toContain("lost effect: c");
  const refused = { taken: false, receipt: null, ending: "failed" as const };
  expect(found({ records: [A, B, AGAIN, { ...C, ...refused }] })).toContain("lost effect: c");
});

test("an effect that nobody expects is noticed, of an instance as of none", () => {
  expect(found({ records: [A, B, AGAIN, C, request("d", 360)] })).toEqual(["unknown effect: d"]);
  const stranger = request("a", 360, { instance: "stranger", key: "its own" });
  expect(found({ records: [A, B, AGAIN, C, stranger] })).toEqual(["unknown effect: null"]);
});

test("a step that was told another step's result is noticed", () => {
  const value = { previous: "receipt of x" };
  expect(found({ records: [A, B, AGAIN, { ...C, value }] })).toEqual(["wrong value: c"]);
});

test("a repeat under another key is noticed, and so are two steps with one key", () => {
  const other = { ...AGAIN, key: "another" };
  expect(found({ records: [A, B, other, C] })).toEqual(["two keys: b"]);
  expect(found({ records: [A, B, AGAIN, { ...C, key: A.key }] })).toEqual(["shared key: c"]);
});

test("a step that began before the one that it follows is out of order", () => {
  const early = { ...C, at: 150 };
  expect(found({ records: [A, early, B, AGAIN] })).toContain("out of order: c");
});

test("a step that began again after the next one had begun was repeated after its commit", () => {
  const late = request("b", 390);
  const kills = [...evidence().kills, { killedAt: 370, goneAt: 375, upAt: 380 }];
  expect(found({ records: [A, B, AGAIN, C, late], kills })).toEqual(["repeated after commit: b"]);
});

test("a step that began again after a history had shown it as ended was repeated after its commit", () => {
  const sightings = [{ instance: "chain", step: "b", at: 250, result: '"receipt of b"' }];
  expect(found({ sightings })).toEqual(["repeated after commit: b"]);
});

test("a step that began again after its instance had ended was repeated after its commit", () => {
  const kills = [...evidence().kills, { killedAt: 410, goneAt: 415, upAt: 420 }];
  const records = [A, B, AGAIN, C, request("c", 430)];
  expect(found({ records, kills })).toEqual(["repeated after commit: c"]);
});

test("a repeat of an answered request without a kill in between has no cause", () => {
  const records = [A, B, AGAIN, request("b", 320), C];
  expect(found({ records })).toEqual(["repeated without cause: b"]);
  const failed = { ...AGAIN, ending: "failed" as const };
  expect(found({ records: [A, B, failed, request("b", 320), C] })).toEqual([]);
});

test("a step that the history does not have, or has with another result, is lost", () => {
  const short = [item("a"), item("c")];
  expect(found({ ends: ended({ history: short }) })).toContain("lost step: b");
  const other = [item("a"), item("b", { result: "another" }), item("c")];
  expect(found({ ends: ended({ history: other }) })).toEqual(["lost step: b"]);
});

test("a step that a history has shown, and shows no more or shows otherwise, is lost", () => {
  const sightings = [{ instance: "chain", step: "x", at: 190, result: "1" }];
  expect(found({ sightings })).toEqual(["lost step: x"]);
  const changed = [{ instance: "chain", step: "a", at: 190, result: '"before"' }];
  expect(found({ sightings: changed })).toEqual(["lost step: a"]);
});

test("an open step of an instance that has ended is noticed, and a step that is there twice", () => {
  const open = [item("a"), item("b"), item("c"), item("d", { state: "open", kind: "timer" })];
  expect(found({ ends: ended({ history: open }) })).toEqual(["wrong end: d"]);
  const twice = [item("a"), item("b"), item("b"), item("c")];
  expect(found({ ends: ended({ history: twice }) })).toEqual(["wrong end: b"]);
});

test("a refused effect that was taken is noticed", () => {
  const refusing = {
    ...CHAIN,
    expect: () => ({
      ...{ status: "Completed" as const, steps: [], output: "receipt of c" },
      effects: [
        { what: "a", after: [] },
        { what: "b", after: ["a"], refused: true },
        { what: "c", after: ["b"] },
      ],
    }),
  };
  const kinds = check([refusing], evidence()).map(({ kind, what }) => `${kind}: ${what}`);
  expect(kinds).toEqual(["unknown effect: b"]);
});

test("what went wrong in a story is a fault, with its text", () => {
  const complaints = [{ instance: "chain", text: "was answered 404" }];
  expect(check([CHAIN], evidence({ complaints }))).toEqual([
    { kind: "story", instance: "chain", what: null, text: "was answered 404" },
  ]);
});

test("an instance that its model cannot make sense of is a fault, and not the end of the check", () => {
  const puzzled = {
    ...CHAIN,
    expect: () => {
      throw new Error("no such output");
    },
  };
  expect(check([puzzled], evidence()).map(({ kind }) => kind)).toEqual(["wrong end"]);
});
