import { expect, test } from "vitest";
import { percentile, randomOf, shuffled, summarize } from "../../bench/statistics.ts";

test("the median of an even number of samples is the mean of the middle two", () => {
  expect(summarize([4, 1, 3, 2])).toMatchObject({ median: 2.5, min: 1, max: 4 });
});

test("a percentile is a sample, by nearest rank", () => {
  const samples = Array.from({ length: 100 }, (_, index) => index + 1);
  expect(percentile(samples, 99)).toBe(99);
  expect(percentile([7], 99)).toBe(7);
});

test("the same seed draws the same order", () => {
  const draw = () => shuffled(["a", "b", "c", "d", "e"], randomOf(7));
  expect(draw()).toEqual(draw());
  expect(draw().toSorted()).toEqual(["a", "b", "c", "d", "e"]);
});
