/** The model of the saga: what is refused, what is undone for it and in which order, and what kills wear out. */
import { expect, test } from "vitest";
import { check } from "../../chaos/check.ts";
import type { Draw } from "../../chaos/draw.ts";
import type { LedgerRecord } from "../../chaos/evidence.ts";
import { trip } from "../../chaos/shapes/trip.ts";
import { end, evidence, item, request } from "./forged.ts";

/** A trip whose hotel is refused, or one that is to be had. */
const drawing = (refused: boolean): Draw => ({
  ...{ fraction: () => 0, int: (least) => least, chance: () => refused },
  pick: (items) => items[1] as (typeof items)[number],
});

const keyOf = (leg: string) => `key of ${leg}`;
const booked = (leg: string, at: number, other: Partial<LedgerRecord> = {}) =>
  request(leg, at, {
    ...{ instance: "trip", value: { book: "trip", reference: keyOf(leg) } },
    ...other,
  });
const cancelled = (leg: string, at: number) =>
  request(`undo/${leg}`, at, {
    instance: "trip",
    value: { cancel: "trip", reference: keyOf(leg) },
  });

const REFUSED = { taken: false, receipt: null, ending: "refused" as const };
const UNDONE = [
  ...[booked("flight", 100), booked("hotel", 200, REFUSED), booked("car", 201)],
  ...[cancelled("car", 300), cancelled("hotel", 320), cancelled("flight", 340)],
];
const STEPS = ["Book:flight", "undo/Book:car", "undo/Book:hotel", "undo/Book:flight"];

function faultsOf(
  records: readonly LedgerRecord[],
  { refused = true, cause = "NON_RETRYABLE", kills = evidence().kills } = {},
) {
  const error = {
    ...{ type: "ActivityFailedError", message: "failed", code: "ACTIVITY_FAILED" },
    ...{ cause: { type: "Error", message: "why", code: cause } },
    properties: { step: "Book:hotel", attempts: 1 },
  };
  const ended = end({
    document: {
      ...{ id: "trip", status: "Failed", error, output: null },
      ...{ createdAt: new Date(0).toISOString(), completedAt: new Date(400).toISOString() },
    },
    history: STEPS.map((step) => item(step)),
  });
  const seen = evidence({ records, kills, sightings: [], ends: new Map([["trip", ended]]) });
  const planned = trip("trip", drawing(refused), "http://ledger");
  return check([planned], seen).map(({ kind, what }) => `${kind}: ${what}`);
}

test("a trip whose hotel is refused has all that it began undone, the last first", () => {
  expect(faultsOf(UNDONE)).toEqual([]);
  const carNeverArrived = UNDONE.filter(({ what }) => what !== "car");
  expect(faultsOf(carNeverArrived)).toEqual([]);
});

test("a booking that is not undone, or undone in another order, is noticed", () => {
  expect(faultsOf(UNDONE.filter(({ what }) => what !== "undo/flight"))).toEqual([
    "lost effect: undo/flight",
  ]);
  const early = UNDONE.map((one) => (one.what === "undo/flight" ? { ...one, at: 250 } : one));
  expect(faultsOf(early.toSorted((a, b) => a.at - b.at))).toContain("out of order: undo/flight");
});

test("a trip that fails though nothing is refused is excused by enough kills alone", () => {
  const lost = UNDONE.map((one) =>
    one.what === "hotel" ? { ...one, ...REFUSED, ending: "open" as const } : one,
  );
  const worn = { refused: false, cause: "ATTEMPT_LOST" };
  expect(faultsOf(lost, worn)).toEqual([]);
  expect(faultsOf(lost, { ...worn, kills: [] })).toContain("wrong end: null");
  expect(faultsOf(lost, { refused: false })).toContain("wrong end: null");
});
