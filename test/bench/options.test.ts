import { expect, test } from "vitest";
import { parseOptions } from "../../bench/options.ts";

const NAMES = ["chain", "create"];

test("nothing given is everything, five times, and nothing is checked or drawn", () => {
  expect(parseOptions([], NAMES)).toEqual({
    rounds: 5,
    only: [],
    seed: 1,
    svg: undefined,
    check: false,
  });
});

test("a part, more rounds, a chart and a check", () => {
  const args = ["--only", "chain,create", "--rounds", "9", "--svg", "a.svg", "--check"];
  expect(parseOptions(args, NAMES)).toMatchObject({
    only: NAMES,
    rounds: 9,
    svg: "a.svg",
    check: true,
  });
});

test("an unknown workload and a number that is none are refused", () => {
  expect(() => parseOptions(["--only", "chian"], NAMES)).toThrow('no workload "chian"');
  expect(() => parseOptions(["--rounds", "0"], NAMES)).toThrow("--rounds");
  expect(() => parseOptions(["--rounds", "1e2"], NAMES)).toThrow("--rounds");
});
