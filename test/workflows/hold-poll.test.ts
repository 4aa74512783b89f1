/** The gallery's aggregator: what it does, and that no crash of workflow or entity changes it. */
import { describe, expect, test } from "vitest";
import { workflow } from "../../src/core/workflow.ts";
import { Cluster } from "../../src/testing/cluster.ts";
import { explore } from "../../src/testing/explore.ts";
import { leftBehind } from "../../src/testing/left-behind.ts";
import { holdPoll, poll } from "../../src/workflows/hold-poll.ts";

const lunch = { poll: "lunch", choices: ["pizza", "soup"], voters: 3, seconds: 60 };

/** Holds a poll, and votes in it, one after the other and some twice. */
const office = workflow("Office", async (ctx) => {
  const held = ctx.call(holdPoll, lunch, { id: "lunch" });
  await ctx.sleep("10 seconds");
  const { vote } = ctx.entity(poll, "lunch");
  const votes = [
    ["ada", "soup"],
    ["ada", "pizza"],
    ["bob", "pizza"],
    ["eve", "soup"],
  ] as const;
  for (const [voter, choice] of votes) await vote({ voter, choice });
  const outcome = await held;
  const late = await vote({ voter: "mallory", choice: "soup" }).catch(() => "closed");
  return [outcome, late];
});

const cluster = () => new Cluster({ workflows: [holdPoll, office], entities: [poll] });

describe("aggregator: HoldPoll", () => {
  test("counts a voter once, and is over when all have voted", async () => {
    const company = cluster();
    const instance = await company.start(holdPoll, lunch);
    await company.advance("1 second");
    const one = company.entity(poll, "lunch");
    expect(await one.call("vote", { voter: "ada", choice: "soup" })).toEqual({ pizza: 0, soup: 1 });
    await one.call("vote", { voter: "ada", choice: "pizza" });
    await one.call("vote", { voter: "bob", choice: "pizza" });
    await expect(one.call("vote", { voter: "eve", choice: "fish" })).rejects.toMatchObject({
      code: "INPUT_INVALID",
    });
    await one.call("vote", { voter: "eve", choice: "soup" });
    await company.advance("1 second");
    expect(instance.output()).toEqual({ complete: true, tally: { pizza: 2, soup: 1 } });
    await expect(one.call("vote", { voter: "joe", choice: "soup" })).rejects.toMatchObject({
      message: expect.stringContaining('the poll "lunch" is not open'),
    });
    expect(leftBehind(company)).toEqual([]);
  });

  test("is over in time with the votes there are", async () => {
    const company = cluster();
    const instance = await company.start(holdPoll, lunch);
    await company.advance("1 second");
    await company.entity(poll, "lunch").call("vote", { voter: "ada", choice: "soup" });
    await company.run();
    expect(instance.output()).toEqual({ complete: false, tally: { pizza: 0, soup: 1 } });
  });

  test("is crash-proof, with the entity lost at each of its points", async () => {
    const { failures, report, points } = await explore(office, undefined, {
      workflows: [holdPoll],
      entities: [poll],
    });
    expect(failures, report).toEqual([]);
    expect(points).toBeGreaterThan(60);
  }, 60_000);
});
