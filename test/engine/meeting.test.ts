/** Where rewinds, compensation, updates and entities meet. */
import { expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import { entity } from "../../src/core/entity.ts";
import { workflow } from "../../src/core/workflow.ts";
import { Cluster } from "../../src/testing/cluster.ts";

const once = { retry: { maxAttempts: 1 } } as const;
const book = activity("book", once, (trip: string) => `${trip} booked`);
const unbook = activity("unbook", () => "undone");

const journal = entity("Journal", {
  initial: (): string[] => [],
  operations: { note: (ctx, line: string) => ctx.state.push(line) },
});

test("a signal that nobody waits for leaves though what came before it is undone", async () => {
  const sell = workflow("Sell", async (ctx) => {
    await ctx.call(book, "trip", { undo: unbook });
    void ctx.entity(journal, "a").signal.note("failed");
    throw new Error("no");
  });
  const cluster = new Cluster({ workflows: [sell], entities: [journal] });
  const instance = await cluster.start(sell);
  await cluster.run();
  expect(instance.document().status).toBe("Failed");
  expect(cluster.entity(journal, "a").state()).toEqual(["failed"]);
});
