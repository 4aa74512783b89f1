/** All shapes, and a plan of so many instances of them. */
import type { Draw } from "../draw.ts";
import type { Planned } from "../expectation.ts";
import { transfers } from "./money.ts";
import { approvals, orders, polls } from "./people.ts";
import { digests, rounds } from "./rounds.ts";
import { services, shipments } from "./services.ts";
import { stages } from "./stages.ts";
import { chain, fanOut, retries, timers } from "./steps.ts";
import { trip } from "./trip.ts";

/** One instance of a shape: what chance makes of it. */
type Shape = (id: string, draw: Draw, ledger: string) => Planned;

const SHAPES: { readonly [name: string]: Shape } = {
  chain,
  "fan-out": fanOut,
  retries,
  timers,
  rounds,
  stages,
  trip,
  transfer: transfers,
  order: orders,
  approval: approvals,
  poll: polls,
  ship: shipments,
  service: services,
  digest: digests,
};

/** Plans so many instances, of each shape as many as of any other. */
export function planInstances(count: number, draw: Draw, ledger: string): readonly Planned[] {
  const shapes = Object.entries(SHAPES);
  return Array.from({ length: count }, (_, index) => {
    const [name, shape] = shapes[index % shapes.length] ?? [];
    if (name === undefined || shape === undefined) throw new Error("there are no shapes");
    return shape(`${name}-${Math.floor(index / shapes.length) + 1}`, draw, ledger);
  });
}
