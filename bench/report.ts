/** What the bench prints and keeps. */
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { dirname } from "node:path";
import { CONTENDERS, type ContenderName } from "./contender.ts";
import type { FileResult } from "./files.ts";
import type { FigureResult, WorkloadResult } from "./measure.ts";
import type { MemoryResult } from "./memory.ts";
import type { Options } from "./options.ts";
import type { RowsResult } from "./rows.ts";
import type { Summary } from "./statistics.ts";
import { type Column, digits, table } from "./table.ts";
import type { Verdict } from "./targets.ts";

export interface Report {
  readonly options: Options;
  readonly workloads: readonly WorkloadResult[];
  readonly rows: readonly RowsResult[];
  readonly files: readonly FileResult[];
  readonly memory: readonly MemoryResult[];
}

const FIGURE_COLUMNS: readonly Column[] = [
  { title: "figure", align: "left" },
  { title: "of", align: "left" },
  { title: "is", align: "right" },
  { title: "beside", align: "left" },
  { title: "which is", align: "right" },
  { title: "ratio", align: "right" },
];

/** A workload's figures: median (min to max), each subject beside every contender that has them. */
export function workloadText({ title, figures, subjects }: WorkloadResult): string {
  const rows = figures.flatMap((figure) => subjects.flatMap((name) => figureRows(figure, name)));
  return `${title}\n\n${table(FIGURE_COLUMNS, rows)}\n`;
}

function figureRows(figure: FigureResult, subject: ContenderName): string[][] {
  const title = `${figure.title}, ${figure.unit}`;
  const beside = figure.ratios.filter(({ of }) => of === subject);
  return beside.map(({ to, summary }, index) => [
    index === 0 ? title : "",
    index === 0 ? CONTENDERS[subject].title : "",
    index === 0 ? spread(figure.of[subject]) : "",
    CONTENDERS[to].title,
    spread(figure.of[to]),
    figure.unit === "x" ? "" : spread(summary), // it is a ratio itself
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

const FILE_COLUMNS: readonly Column[] = [
  { title: "for each short step", align: "left" },
  { title: "rows", align: "right" },
  { title: "bytes", align: "right" },
  { title: "rows by table, indexes included", align: "left" },
];

export function filesText(results: readonly FileResult[]): string {
  const rows = results.map(({ contender, rowsPerStep, bytesPerStep, tables }) => [
    CONTENDERS[contender].title,
    digits(rowsPerStep),
    digits(bytesPerStep),
    Object.entries(tables)
      .map(([name, count]) => `${name} ${digits(count)}`)
      .join(", "),
  ]);
  return `What is left in an instance's file\n\n${table(FILE_COLUMNS, rows)}\n`;
}

const MEMORY_COLUMNS: readonly Column[] = [
  { title: "memory of workerd", align: "left" },
  { title: "before, MB", align: "right" },
  { title: "an idle instance, KB", align: "right" },
  { title: "a running one, KB", align: "right" },
];

export function memoryText(results: readonly MemoryResult[]): string {
  const rows = results.map(({ server, before, idle, running }) => [
    CONTENDERS[server].title,
    digits(before / 2 ** 20),
    digits(idle / 2 ** 10),
    digits(running / 2 ** 10),
  ]);
  return `Resident memory, by instance\n\n${table(MEMORY_COLUMNS, rows)}\n`;
}

const TARGET_COLUMNS: readonly Column[] = [
  { title: "to show", align: "left" },
  { title: "measured", align: "right" },
  { title: "bound", align: "right" },
  { title: "", align: "left" },
  { title: "a bare object", align: "right" },
];

export function verdictsText(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(({ target: { title, bound, unit }, measured, floor, met }) => [
    title,
    spread(measured),
    `${"most" in bound ? `<= ${bound.most}` : `>= ${bound.least}`} ${unit}`,
    met === undefined ? "not measured" : met ? "met" : "not met",
    floor === undefined ? "" : spread(floor),
  ]);
  return `Targets\n\n${table(TARGET_COLUMNS, rows)}\n`;
}

/** Keeps everything, every sample included, for whoever draws or compares. */
export function writeReport(path: string, report: Report): void {
  const machine = {
    cores: cpus().length,
    platform: process.platform,
    node: process.version,
    load: loadavg(),
  };
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify({ machine, ...report }, null, 2)}\n`);
}
