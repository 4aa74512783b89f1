/** What the type of a fork follows from: `npm run types` checks this file. */
import { expectTypeOf, test } from "vitest";
import { workflow } from "../../src/definitions.ts";
import type { Cluster, TestInstance } from "../../src/testing/index.ts";

/** Never called: only its types are of interest. */
async function typed(cluster: Cluster) {
  const order = workflow("Order", async (ctx, amount: number) => ({ amount, at: ctx.now }));
  const source = await cluster.start(order, 5);
  const fork = source.fork({ to: "charge", id: "again", version: "2", reason: "why" });
  expectTypeOf(fork).toEqualTypeOf<TestInstance<{ amount: number; at: Date }>>();
  expectTypeOf(source.fork().output().amount).toEqualTypeOf<number>();
  // @ts-expect-error: a fork is made, and not tried
  source.fork({ dryRun: true });
}

test("types only", () => {
  expectTypeOf(typed).toBeFunction();
});
