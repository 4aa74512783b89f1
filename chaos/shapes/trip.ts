/** The gallery's saga: three bookings, of which one may be refused; then what had begun is undone. */
import type { Draw } from "../draw.ts";
import type { ExpectedEffect, Planned, Seen } from "../expectation.ts";
import { wornOutStep } from "../worn-out.ts";

const LEGS = ["flight", "hotel", "car"] as const;
type Leg = (typeof LEGS)[number];

export function trip(id: string, draw: Draw, ledger: string): Planned {
  const refused = draw.chance(0.5) ? draw.pick(LEGS) : null;
  const urlOf = (leg: Leg) => `${ledger}/${id}/${leg}${leg === refused ? "?refuse=409" : ""}`;
  const input = { trip: id, flight: urlOf("flight"), hotel: urlOf("hotel"), car: urlOf("car") };
  const common = { id, shape: "saga", workflow: "BookTrip", input };
  return {
    ...common,
    expect: (seen) => {
      const wornOut = wornOutStep(seen);
      const worn = LEGS.find((leg) => bookOf(leg) === wornOut);
      if (worn !== undefined) return undone(seen, worn, { optional: true });
      return refused === null ? booked(seen, urlOf) : undone(seen, refused, { refused: true });
    },
  };
}

const bookOf = (leg: Leg) => `Book:${leg}`;

function booked(seen: Seen, urlOf: (leg: Leg) => string) {
  const effects = LEGS.map(
    (leg): ExpectedEffect => ({
      ...{ what: leg, step: bookOf(leg), after: leg === "flight" ? [] : ["flight"] },
      value: { book: seen.end.document.id, reference: keyOf(seen, leg) },
    }),
  );
  return {
    status: "Completed" as const,
    output: LEGS.map((leg) => ({ url: urlOf(leg), reference: keyOf(seen, leg) })),
    effects,
    steps: LEGS.map(bookOf),
  };
}

/** One leg has failed. Hotel and car are booked at the same time: the other one may be on its way. */
function undone(seen: Seen, failed: Leg, how: Pick<ExpectedEffect, "refused" | "optional">) {
  const legs: readonly Leg[] = failed === "flight" ? ["flight"] : LEGS;
  const books = legs.map(
    (leg): ExpectedEffect => ({
      what: leg,
      step: bookOf(leg),
      after: leg === "flight" ? [] : ["flight"],
      ...(leg === failed ? how : { optional: leg !== "flight" }),
    }),
  );
  const undos = legs.toReversed().map(
    (leg, index, all): ExpectedEffect => ({
      what: `undo/${leg}`,
      step: `undo/${bookOf(leg)}`,
      after: [...legs, ...all.slice(0, index).map((earlier) => `undo/${earlier}`)],
      // The reference of a booking that never arrived is known to the undo alone.
      ...(keyOf(seen, leg) === undefined
        ? {}
        : { value: { cancel: seen.end.document.id, reference: keyOf(seen, leg) } }),
    }),
  );
  const steps = undos.flatMap(({ step }) => step ?? []);
  const effects = [...books, ...undos];
  return { status: "Failed" as const, error: "ACTIVITY_FAILED", effects, steps };
}

const keyOf = ({ records }: Seen, what: string): string | undefined =>
  records.find((record) => record.what === what)?.key;
