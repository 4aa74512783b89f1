import { expect, test } from "vitest";
import { type Chart, type Dot, svgOf } from "../../bench/chart.ts";
import { chartOf } from "../../bench/picture.ts";
import { type Figure, millis } from "../../bench/workload.ts";
import { measured } from "./fixture.ts";

const dot = (series: string, median: number, min = median, max = median): Dot => ({
  series,
  median,
  min,
  max,
});

const chart = (...dots: readonly Dot[]): Chart => ({
  title: "Times",
  unit: "ms",
  noteTitle: "times faster",
  series: ["ours", "theirs"],
  lines: [{ title: "a chain", dots, note: "10 ×" }],
});

/** Where the dots are, from left to right as they are drawn. */
const dotsIn = (svg: string) =>
  [...svg.matchAll(/<circle cx="([\d.]+)" cy=/g)].map(([, x]) => Number(x));

/** Where the decades are, by label. */
const decadesIn = (svg: string) =>
  Object.fromEntries(
    [...svg.matchAll(/x="([\d.]+)" y="[\d.]+" text-anchor="middle">([^<]+)</g)].map(
      ([, x, label]) => [label, Number(x)],
    ),
  );

test("equal ratios are equally far apart, on the decades of the scale", () => {
  const svg = svgOf(chart(dot("ours", 1), dot("theirs", 10), dot("theirs", 100)));
  const [one = NaN, ten = NaN, hundred = NaN] = dotsIn(svg);
  expect(ten - one).toBeCloseTo(hundred - ten);
  expect(decadesIn(svg)).toEqual({ "1 ms": one, "10 ms": ten, "100 ms": hundred });
});

test("the range of the rounds lies around its dot, inside the scale", () => {
  const svg = svgOf(chart(dot("ours", 50, 20, 300)));
  const [, from, to] = /class="range" x1="([\d.]+)" x2="([\d.]+)"/.exec(svg) ?? [];
  const [at = NaN] = dotsIn(svg);
  const { "10 ms": least = NaN, "1,000 ms": most = NaN } = decadesIn(svg);
  const places = [least, Number(from), at, Number(to), most];
  expect(places).toEqual(places.toSorted((a, b) => a - b));
  expect(new Set(places).size).toBe(5);
});

test("each series has its colour, in the light theme and in the dark one", () => {
  const svg = svgOf(chart(dot("ours", 1), dot("theirs", 2)));
  expect(svg).toContain("prefers-color-scheme: dark");
  expect(svg.match(/<g class="s0"/g)).toHaveLength(1);
  expect(svg.match(/<g class="s1"/g)).toHaveLength(1);
  expect(svg.match(/^ +\.s1 \{/gm)).toHaveLength(2);
});

test("texts are escaped, and nothing is loaded from elsewhere", () => {
  const svg = svgOf({ ...chart(dot("ours", 1)), title: `<b> & "c"` });
  expect(svg).toContain("&lt;b&gt; &amp; &quot;c&quot;");
  expect(svg.replace("http://www.w3.org/2000/svg", "")).not.toMatch(/https?:|@import|url\(/);
});

test("a figure that is not above zero is refused", () => {
  expect(() => svgOf(chart(dot("ours", 0)))).toThrow(RangeError);
  expect(() => svgOf(chart(dot("ours", 1, Number.NaN)))).toThrow(RangeError);
});

test("a chart without a line is one all the same", () => {
  expect(svgOf({ ...chart(), lines: [] })).toMatch(/^<svg .*<\/svg>\n$/s);
});

test("the picture turns a rate into a time, and says how many times faster", async () => {
  const rate: Figure = { key: "outside", title: "rate", unit: "1/s", better: "higher" };
  const workloads = [
    await measured("throughput", [rate], {
      waymark: [{}, { outside: 200 }],
      cloudflare: [{}, { outside: 50 }],
    }),
    await measured("chain", [millis("total", "in all")], {
      waymark: [{}, { total: 100 }],
      cloudflare: [{}, { total: 700 }],
    }),
  ];
  const { lines } = chartOf(workloads);
  expect(lines.map(({ title, note }) => [title, note])).toEqual([
    ["1,000 steps", "7.00 ×"],
    ["200 × 3 steps, 20 at a time, each", "4.00 ×"],
  ]);
  expect(lines[1]?.dots.map(({ median }) => median).toSorted((a, b) => a - b)).toEqual([5, 20]);
});

test("the picture leaves out a dot that has no place on its scale", async () => {
  const workloads = [
    await measured("kill", [millis("all", "all")], {
      waymark: [{}, { all: 0 }],
      cloudflare: [{}, { all: 200 }],
    }),
  ];
  expect(chartOf(workloads).lines[0]?.dots.map(({ median }) => median)).toEqual([200]);
});
