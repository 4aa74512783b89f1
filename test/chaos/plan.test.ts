/** A seed decides what is planned, and what a command line may say. */
import { expect, test } from "vitest";
import { drawOf } from "../../chaos/draw.ts";
import { parseOptions } from "../../chaos/options.ts";
import { planInstances } from "../../chaos/shapes/index.ts";

const planOf = (seed: number, count = 42) => planInstances(count, drawOf(seed), "http://ledger");

test("the same seed plans the same instances, and another one others", () => {
  const inputs = (seed: number) => planOf(seed).map(({ id, input }) => JSON.stringify([id, input]));
  expect(inputs(7)).toEqual(inputs(7));
  expect(inputs(7)).not.toEqual(inputs(8));
});

test("of each shape there are as many as of any other, and no two instances have one id", () => {
  const shapes = Map.groupBy(planOf(1), ({ shape }) => shape);
  expect([...shapes.values()].map((of) => of.length)).toEqual(Array(14).fill(3));
  expect(new Set(planOf(1).map(({ id }) => id)).size).toBe(42);
});

test("a run without arguments has 200 instances and 20 kills or more, and takes the seed it is given", () => {
  const options = parseOptions([], 5);
  expect(options.instances).toBeGreaterThanOrEqual(200);
  expect(options.kills).toBeGreaterThanOrEqual(20);
  expect(options).toMatchObject({ seed: 5, keep: false });
});

test("arguments that are no whole numbers, or that there are none of, are refused by name", () => {
  expect(() => parseOptions(["--kills", "many"], 1)).toThrow("--kills takes a whole number");
  expect(() => parseOptions(["--instances", "0"], 1)).toThrow("--instances takes a whole number");
  expect(() => parseOptions(["--fast"], 1)).toThrow("--fast");
});
