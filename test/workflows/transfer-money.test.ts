/** The gallery's critical section: what it does, and that no crash of workflow or entity changes it. */
import { describe, expect, test } from "vitest";
import { workflow } from "../../src/core/workflow.ts";
import { Cluster } from "../../src/testing/cluster.ts";
import { explore } from "../../src/testing/explore.ts";
import { leftBehind } from "../../src/testing/left-behind.ts";
import { account, transferMoney } from "../../src/workflows/transfer-money.ts";

/** Two transfers that want the same two accounts, one each way: whoever is first, the end is the same. */
const payday = workflow("Payday", async (ctx) => {
  for (const key of ["ada", "bob"]) await ctx.entity(account, key).deposit(10);
  const done = await Promise.all([
    ctx.call(transferMoney, { from: "ada", to: "bob", cents: 5 }, { id: "there" }),
    ctx.call(transferMoney, { from: "bob", to: "ada", cents: 3 }, { id: "back" }),
  ]);
  return done.map(({ moved }) => moved);
});

describe("critical section: TransferMoney", () => {
  test("moves money, or says what there is, and keeps others out meanwhile", async () => {
    const bank = new Cluster({ workflows: [transferMoney], entities: [account] });
    await bank.entity(account, "ada").call("deposit", 100);
    const people = ["ada", "bob", "eve"];
    const transfers = await Promise.all(
      Array.from({ length: 30 }, (_, n) => {
        const [from = "", to = ""] = [people[n % 3], people[(n + 1 + (n % 2)) % 3]];
        return bank.start(transferMoney, { from, to, cents: 10 + n });
      }),
    );
    await bank.run();
    const balances = people.map((key) => bank.entity(account, key).state() ?? 0);
    expect(balances.reduce((sum, cents) => sum + cents, 0)).toBe(100);
    expect(Math.min(...balances)).toBeGreaterThanOrEqual(0);
    const moved = transfers.map((transfer) => transfer.output().moved);
    expect(new Set(moved)).toEqual(new Set([true, false]));
    expect(leftBehind(bank)).toEqual([]);
  });

  test("refuses an account to itself", async () => {
    const bank = new Cluster({ workflows: [transferMoney], entities: [account] });
    await expect(
      bank.start(transferMoney, { from: "ada", to: "ada", cents: 1 }),
    ).rejects.toMatchObject({ code: "INPUT_INVALID" });
  });

  test("is crash-proof, with each of its objects lost at each of its points", async () => {
    const { failures, report, points } = await explore(payday, undefined, {
      workflows: [transferMoney],
      entities: [account],
    });
    expect(failures, report).toEqual([]);
    expect(points).toBeGreaterThan(60);
  }, 60_000);
});
