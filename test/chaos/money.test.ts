/** Money that was made, lost, or moved on what another transfer had not left yet. */
import { expect, test } from "vitest";
import { ACCOUNTS, moneyFaults, OPENING_CENTS, type Transfer } from "../../chaos/shapes/money.ts";

const transfer = (cents: number, from: number, to: number): Transfer => ({
  ...{ id: `of ${cents}`, from: "ada", to: "bob", cents },
  output: { moved: true, from, to },
});

const balances = (ada: number, bob: number) =>
  new Map<string, number>(
    ACCOUNTS.map((key) => [key, key === "ada" ? ada : key === "bob" ? bob : OPENING_CENTS]),
  );

const GOOD = [transfer(300, 600, 1_400), transfer(100, 900, 1_100)]; // the second one came first

test("transfers that follow each other in some order have no fault", () => {
  expect(moneyFaults(GOOD, balances(600, 1_400))).toEqual([]);
  const poor = { ...transfer(5_000, 0, 0), output: { moved: false, from: 600 } };
  expect(moneyFaults([...GOOD, poor], balances(600, 1_400))).toEqual([]);
});

test("a deposit that was made twice, or never, is noticed", () => {
  expect(moneyFaults(GOOD, balances(600, 1_700)).join()).toContain('"bob" has 1700 cents');
  expect(moneyFaults(GOOD, balances(600, 1_100)).join()).toContain('"bob" has 1100 cents');
});

test("two transfers that found the same balance are noticed though the sum is right", () => {
  const both = [transfer(100, 900, 1_100), transfer(300, 700, 1_400)]; // both began from 1000
  expect(moneyFaults(both, balances(600, 1_400)).join()).toContain("follow from no order");
});
