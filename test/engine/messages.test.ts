/** Messages between instances: that each has its effect once, in time, and leaves nothing behind. */
import { expect, test } from "vitest";
import { type AnyWorkflow, workflow } from "../../src/core/workflow.ts";
import { Cluster, type ClusterOptions } from "../../src/testing/cluster.ts";

const waits = workflow("Waits", (ctx) => ctx.waitForEvent<string>("go"));
const calls = workflow("Calls", (ctx) => ctx.call(waits, undefined, { id: "w" }));

const cluster = (workflows: readonly AnyWorkflow[], options: Partial<ClusterOptions> = {}) =>
  new Cluster({ workflows, ...options });

const tablesOf = (clustered: Cluster, id: string) =>
  clustered.object(id).sql.all("SELECT name FROM sqlite_master");

test("a message to an object of which nothing is left leaves nothing there", async () => {
  const simulated = cluster([calls, waits]);
  const instance = await simulated.start(calls, undefined, { id: "p" });
  await simulated.advance("1 second");
  instance.purge({ force: true });
  await simulated.advance("2 days");
  expect(tablesOf(simulated, "p")).toEqual([]);
  simulated.instance("w").send("go", "late");
  await simulated.advance("1 minute");
  expect(simulated.instance("w").document().status).toBe("Completed");
  expect(tablesOf(simulated, "p")).toEqual([]);
  expect(simulated.stuck()).toEqual([]);
});
