/** A table for the console that is also a table in Markdown. */

export type Align = "left" | "right";

export interface Column {
  readonly title: string;
  readonly align: Align;
}

export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map(({ title }, column) =>
    Math.max(3, title.length, ...rows.map((row) => (row[column] ?? "").length)),
  );
  const line = (cells: readonly string[]) => {
    const padded = columns.map(({ align }, column) => {
      const [cell = "", width = 0] = [cells[column], widths[column]];
      return align === "left" ? cell.padEnd(width) : cell.padStart(width);
    });
    return `| ${padded.join(" | ")} |`;
  };
  const rule = columns.map(({ align }, column) => {
    const dashes = "-".repeat((widths[column] ?? 3) - 1);
    return align === "left" ? `-${dashes}` : `${dashes}:`;
  });
  const titles = columns.map(({ title }) => title);
  return [line(titles), line(rule), ...rows.map(line)].join("\n");
}

/** Three significant digits, or all of a whole number's. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return "-";
  const size = Math.abs(value);
  const decimals = size >= 100 || value === 0 ? 0 : size >= 10 ? 1 : 2;
  return value.toLocaleString("en-US", {
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
  });
}
