/** What the bench prints and keeps. */
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname } from "node:path";
import { CONTENDERS, type ContenderName } from "./contender.ts";
import type { FigureResult, WorkloadResult } from "./measure.ts";
import type { Options } from "./options.ts";
import type { RowsResult } from "./rows.ts";
import type { Summary } from "./statistics.ts";
import { type Column, digits, table } from "./table.ts";

export interface Report {
  readonly options: Options;
  readonly workloads: readonly WorkloadResult[];
  readonly rows: readonly RowsResult[];
}

const FIGURE_COLUMNS: readonly Column[] = [
  { title: "figure", align: "left" },
  { title: "Waymark", align: "right" },
  { title: "beside", align: "left" },
  { title: "its figure", align: "right" },
  { title: "Waymark : it", align: "right" },
];

/** A workload's figures: median (min to max), each beside every contender that has it. */
export function workloadText({ title, figures, contenders }: WorkloadResult): string {
  const others = contenders.filter((name) => name !== "waymark");
  const rows = figures.flatMap((figure) => figureRows(figure, others));
  return `${title}\n\n${table(FIGURE_COLUMNS, rows)}\n`;
}

function figureRows(figure: FigureResult, others: readonly ContenderName[]): string[][] {
  const beside = others.filter((name) => figure.of[name] !== undefined);
  return beside.map((name, index) => [
    index === 0 ? `${figure.title}, ${figure.unit}` : "",
    index === 0 ? spread(figure.of.waymark) : "",
    CONTENDERS[name].title,
    spread(figure.of[name]),
    spread(figure.ratioTo[name]),
  ]);
}

function spread(summary: Summary | undefined): string {
  if (summary === undefined) return "-";
  const { median, min, max } = summary;
  return `${digits(median)} (${digits(min)} to ${digits(max)})`;
}

const ROWS_COLUMNS: readonly Column[] = [
  { title: "instance in a new object", align: "left" },
  ...["schema", "instance", "step", "alarms", "total", "commits", "rows read"].map(
    (title): Column => ({ title, align: "right" }),
  ),
];

export function rowsText(results: readonly RowsResult[]): string {
  const rows = results.map(({ title, schema, instance, step, alarms, total, commits, read }) => [
    title,
    ...[schema, instance, step, alarms, total, commits, read].map((count) =>
      count.toLocaleString("en-US"),
    ),
  ]);
  return `Rows written, by table\n\n${table(ROWS_COLUMNS, rows)}\n`;
}

/** Keeps everything, every sample included, for whoever draws or compares. */
export function writeReport(path: string, report: Report): void {
  const machine = { cores: cpus().length, platform: process.platform, node: process.version };
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify({ machine, ...report }, null, 2)}\n`);
}
