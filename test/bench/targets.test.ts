import { expect, test } from "vitest";
import { CONTENDERS } from "../../bench/contender.ts";
import type { FileResult } from "../../bench/files.ts";
import { judge, TARGETS, type Target } from "../../bench/targets.ts";
import { millis } from "../../bench/workload.ts";
import { measured } from "./fixture.ts";

const TIME: Target = {
  title: "time",
  value: { workload: "chain", figure: "total", of: "waymark" },
  to: "floor",
  bound: { most: 1.5 },
  unit: "x",
};
const RATE: Target = {
  ...TIME,
  value: { workload: "chain", figure: "total", of: "floor" },
  to: "waymark",
  bound: { least: 6 },
};

const chain = (waymark: readonly number[], floor: readonly number[]) =>
  measured("chain", [millis("total", "in all")], {
    waymark: [0, ...waymark].map((total) => ({ total })),
    floor: [0, ...floor].map((total) => ({ total })),
  });

test("the median of the ratios decides, and a bound is met where it is just reached", async () => {
  const workloads = [await chain([10, 15, 100], [10, 10, 10])];
  const [verdict] = judge([TIME], { workloads, files: [] });
  expect(verdict).toMatchObject({ measured: { median: 1.5, min: 1, max: 10 }, met: true });
  const slower = [await chain([10, 15.1, 100], [10, 10, 10])];
  expect(judge([TIME], { workloads: slower, files: [] })[0]?.met).toBe(false);
});

test("a target of so many times is met from there on", async () => {
  const judged = async (floor: number) =>
    judge([RATE], { workloads: [await chain([10], [floor])], files: [] })[0]?.met;
  expect(await judged(60)).toBe(true);
  expect(await judged(59)).toBe(false);
});

test("what is not asked to be in proportion is taken off first", async () => {
  const workloads = [await chain([25], [5])];
  const [verdict] = judge([{ ...TIME, lessMillis: 5 }], { workloads, files: [] });
  expect(verdict?.measured?.median).toBe(4);
});

test("a value without another beside it is bound itself", async () => {
  const { to: _, ...alone } = TIME;
  const workloads = [await chain([1.4], [1])];
  expect(judge([alone], { workloads, files: [] })[0]).toMatchObject({
    measured: { median: 1.4 },
    met: true,
  });
});

test("beside it stands what the floor comes to in Waymark's place", async () => {
  const samples = (...totals: number[]) => [0, ...totals].map((total) => ({ total }));
  const workload = await measured("chain", [millis("total", "in all")], {
    waymark: samples(8, 10),
    cloudflare: samples(10, 40),
    floor: samples(5, 10),
  });
  const report = { workloads: [workload], files: [] };
  const time: Target = { ...TIME, to: "cloudflare", floor: "floor" };
  const ofCloudflare = { workload: "chain", figure: "total", of: "cloudflare" } as const;
  const rate: Target = { ...RATE, value: ofCloudflare, to: "waymark", floor: "floor" };
  expect(judge([time, rate, TIME], report)).toMatchObject([
    { measured: { samples: [0.8, 0.25] }, floor: { samples: [0.5, 0.25] } },
    { measured: { samples: [1.25, 4] }, floor: { samples: [2, 4] } },
    { floor: undefined },
  ]);
});

test("what was not measured is neither met nor missed", () => {
  for (const verdict of judge(TARGETS, { workloads: [], files: [] })) {
    expect(verdict).toMatchObject({ measured: undefined, met: undefined });
  }
});

test("rows are those of the file", () => {
  const file: FileResult = { contender: "waymark", tables: {}, rowsPerStep: 2, bytesPerStep: 60 };
  const target: Target = { title: "rows", rowsOf: "waymark", bound: { most: 1 }, unit: "rows" };
  expect(judge([target], { workloads: [], files: [file] })[0]).toMatchObject({
    measured: { median: 2 },
    met: false,
  });
});

test("each target names contenders that there are, and what it is measured by", () => {
  for (const { title, value, to, floor, rowsOf } of TARGETS) {
    expect([value === undefined, rowsOf === undefined], title).toContain(false);
    for (const name of [value?.of, to, floor, rowsOf]) {
      if (name !== undefined) expect(CONTENDERS, title).toHaveProperty(name);
    }
  }
});
