import { expect, test } from "vitest";
import { measure } from "../../bench/measure.ts";
import { millis } from "../../bench/workload.ts";
import { measured } from "./fixture.ts";

const FIGURES = [millis("total", "in all")];
const totals = (...values: readonly number[]) => values.map((total) => ({ total }));

test("a ratio is taken within its round, and the round that warms up is dropped", async () => {
  const { figures } = await measured("chain", FIGURES, {
    waymark: totals(1_000, 10, 40, 30),
    floor: totals(1, 5, 10, 30),
  });
  const [figure] = figures;
  expect(figure?.of.waymark).toMatchObject({ median: 30, min: 10, max: 40 });
  expect(figure?.ratios).toEqual([
    { of: "waymark", to: "floor", summary: { median: 2, min: 1, max: 4, samples: [2, 4, 1] } },
  ]);
});

test("each subject is set beside all contenders that are none", async () => {
  const { figures } = await measured(
    "chain",
    FIGURES,
    {
      waymark: totals(0, 1),
      waymarkEachCommit: totals(0, 3),
      cloudflare: totals(0, 12),
      floor: totals(0, 2),
    },
    ["waymark", "waymarkEachCommit"],
  );
  const ratios = figures[0]?.ratios.map(({ of, to, summary }) => [of, to, summary.median]);
  expect(ratios).toEqual([
    ["waymark", "cloudflare", 1 / 12],
    ["waymark", "floor", 0.5],
    ["waymarkEachCommit", "cloudflare", 0.25],
    ["waymarkEachCommit", "floor", 1.5],
  ]);
});

test("a contender that lacks a figure has no ratio of it", async () => {
  const own = [millis("own", "less the rest")];
  const { figures } = await measured("fetches", own, {
    waymark: [{ own: 1 }, { own: 2 }],
    floorWithoutWrites: [{}, {}],
  });
  expect(figures[0]?.ratios).toEqual([]);
  expect(figures[0]?.of.floorWithoutWrites).toBeUndefined();
});

test("a workload that takes long has no more rounds than it is worth", async () => {
  let runs = 0;
  const workload = {
    name: "slow",
    title: "slow",
    figures: FIGURES,
    contenders: ["waymark"] as const,
    mostRounds: 2,
    run: async () => ({ total: ++runs }),
  };
  await measure(workload, {} as never, { rounds: 5, random: () => 0 });
  expect(runs).toBe(3); // one of them warms up
});
