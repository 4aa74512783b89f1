/** Shapes with other parties: an order of child workflows, and a service that says 202. */
import { isTerminal } from "../../src/core/documents.ts";
import type { Draw } from "../draw.ts";
import type { ExpectedEffect, Planned, Seen } from "../expectation.ts";
import { jobAddress } from "../ledger.ts";
import { wornOutStep } from "../worn-out.ts";

export function shipments(id: string, draw: Draw, ledger: string): Planned {
  const names = Array.from({ length: draw.int(2, 4) }, (_, index) => `parcel-${index}`);
  const refused = draw.chance(0.3) ? draw.pick(names) : null;
  const urlOf = (name: string) => `${ledger}/${id}/${name}${name === refused ? "?refuse=409" : ""}`;
  const parcels = names.map((name) => ({ warehouse: urlOf(name), items: [name] }));
  // Where one is refused none of the others may leave before it is called back.
  const input = { order: id, parcels, pickupSeconds: refused === null ? draw.int(1, 3) : 3_600 };
  const common = { id, shape: "children", workflow: "ShipOrder", input };
  const bodyOf = (name: string) => ({ book: id, items: [name] });
  if (refused !== null) {
    return { ...common, expect: (seen) => calledBack(seen, names, refused) };
  }
  return {
    ...common,
    expect: (seen) => {
      const children = childrenOf(seen);
      return {
        status: "Completed",
        output: names.map((name, index) => ({ warehouse: urlOf(name), parcel: children[index] })),
        effects: names.map((name) => ({ what: name, after: [], value: bodyOf(name) })),
        steps: names.map((name) => `ShipParcel:${urlOf(name)}`),
        faults: childFaults(seen, ["Completed"]),
      };
    },
  };
}

/** Each of the others is called back where its booking may have arrived. */
function calledBack(seen: Seen, names: readonly string[], refused: string) {
  const others = names.filter((name) => name !== refused);
  const has = (what: string) => seen.records.some((record) => record.what === what);
  const effects: readonly ExpectedEffect[] = [
    { what: refused, after: [], refused: true },
    ...others.flatMap((name): ExpectedEffect[] => [
      { what: name, after: [], optional: true },
      { what: `back/${name}`, after: has(name) ? [name] : [], optional: !has(name) },
    ]),
  ];
  const faults = childFaults(seen, ["Failed", "Terminated"]);
  return { status: "Failed" as const, error: "CHILD_FAILED", effects, steps: [], faults };
}

const childrenOf = ({ end }: Seen): readonly string[] =>
  end.history
    .filter(({ kind }) => kind === "child")
    .toSorted((a, b) => a.step.localeCompare(b.step)) // the parcels are numbered below ten
    .flatMap(({ instanceId }) => instanceId ?? []);

function childFaults(seen: Seen, allowed: readonly string[]): readonly string[] {
  return childrenOf(seen).flatMap((id) => {
    const status = seen.other(id)?.document.status;
    if (status !== undefined && isTerminal(status) && allowed.includes(status)) return [];
    return [`its child ${id} is ${status ?? "not there"}`];
  });
}

export function services(id: string, draw: Draw, ledger: string): Planned {
  const url = `${ledger}/${id}/job`;
  const work = { from: id };
  const looks = draw.int(0, 3);
  const input = { url: `${url}?job=${looks}`, work, everySeconds: 1 };
  return {
    ...{ id, shape: "durable-http", workflow: "CallService", input },
    expect: (seen) => {
      const { receipt, records } = seen;
      const { key } = records[0] ?? {};
      if (wornOutStep(seen) !== null) {
        const effects = [{ what: "job", after: [], value: work, optional: true }];
        return { status: "Failed", error: "ACTIVITY_FAILED", effects, steps: [] };
      }
      return {
        ...{ status: "Completed", steps: [] },
        output: {
          url: jobAddress(url, String(looks), key ?? ""),
          status: 200,
          answer: { receipt: receipt("job") },
        },
        effects: [{ what: "job", after: [], value: work }],
      };
    },
  };
}
