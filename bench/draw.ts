/**
 * Draws the chart of results that were kept: `node bench/draw.ts docs/bench.svg bench/results/latest.json`.
 * Of several files, a later one's workload stands for an earlier one's.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { svgOf } from "./chart.ts";
import type { WorkloadResult } from "./measure.ts";
import { chartOf } from "./picture.ts";

const [svg, ...files] = process.argv.slice(2);
if (svg === undefined || files.length === 0) {
  console.error("node bench/draw.ts SVG RESULTS...");
  process.exit(2);
}
const byName = new Map<string, WorkloadResult>();
for (const file of files) {
  const report = JSON.parse(readFileSync(file, "utf8")) as { workloads: WorkloadResult[] };
  for (const workload of report.workloads) byName.set(workload.name, workload);
}
writeFileSync(svg, svgOf(chartOf([...byName.values()])));
