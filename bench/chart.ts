/**
 * The chart of the README: for each job a line with a dot for each contender, on a logarithmic scale of
 * milliseconds. A pure function from figures to SVG; it follows the reader's light or dark theme.
 */

/** One contender's figure. */
export interface Dot {
  readonly series: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export interface ChartLine {
  readonly title: string;
  readonly dots: readonly Dot[];
  /** Said at the end of the line, such as `3.9 x`. */
  readonly note: string;
}

export interface Chart {
  readonly title: string;
  readonly unit: string;
  /** Over the notes. */
  readonly noteTitle: string;
  /** In the order of the legend. */
  readonly series: readonly string[];
  readonly lines: readonly ChartLine[];
}

const WIDTH = 860;
const LEFT = 290;
const RIGHT = 90;
const TOP = 84;
const LINE = 32;
const BOTTOM = 40;
const RADIUS = 6;
/** A series beyond these has the last one's colour. */
const MOST_SERIES = 4;

const STYLE = `
  text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #24292f }
  .title { font-size: 15px; font-weight: 600 }
  .faint { fill: #57606a }
  .grid { stroke: #d0d7de }
  .range { stroke-width: 2; stroke-linecap: round }
  .s0 { fill: #0969da; stroke: #0969da }
  .s1 { fill: #54aeff; stroke: #54aeff }
  .s2 { fill: #bc4c00; stroke: #bc4c00 }
  .s3 { fill: #8c959f; stroke: #8c959f }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .faint { fill: #9198a1 }
    .grid { stroke: #3d444d }
    .s0 { fill: #58a6ff; stroke: #58a6ff }
    .s1 { fill: #1f6feb; stroke: #1f6feb }
    .s2 { fill: #f0883e; stroke: #f0883e }
    .s3 { fill: #7d8590; stroke: #7d8590 }
  }`;

/**
 * Draws a chart.
 *
 * @throws RangeError where a figure is not above zero: a logarithmic scale has no place for it
 */
export function svgOf(chart: Chart): string {
  const { title, unit, noteTitle, lines } = chart;
  const values = lines.flatMap(({ dots }) => dots.flatMap(({ min, max }) => [min, max]));
  const bad = values.find((value) => !(value > 0 && Number.isFinite(value)));
  if (bad !== undefined) throw new RangeError(`${bad} has no place on a logarithmic scale`);
  const [from, to] = decadesAround(values);
  const x = (value: number) => {
    const part = (Math.log10(value) - from) / (to - from);
    return round(LEFT + part * (WIDTH - LEFT - RIGHT));
  };
  const height = TOP + lines.length * LINE + BOTTOM;
  const parts = [
    `<text class="title" x="16" y="26">${escaped(title)}</text>`,
    ...legendOf(chart.series),
    `<text class="faint" x="${WIDTH - 12}" y="${TOP - 14}" text-anchor="end">${escaped(noteTitle)}</text>`,
    ...gridOf({ from, to, x, bottom: height - BOTTOM, unit }),
    ...lines.flatMap((line, index) => lineOf(line, { x, y: yOf(index), series: chart.series })),
  ];
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<style>${STYLE}\n</style>`,
    ...parts,
    "</svg>",
  ].join("\n")}\n`;
}

const yOf = (index: number) => TOP + index * LINE + LINE / 2;

/** The powers of ten between which all values lie. */
function decadesAround(values: readonly number[]): readonly [from: number, to: number] {
  const from = Math.floor(Math.log10(Math.min(...values)));
  const to = Math.ceil(Math.log10(Math.max(...values)));
  return Number.isFinite(from) ? [from, Math.max(to, from + 1)] : [0, 1];
}

function legendOf(series: readonly string[]): string[] {
  let x = 16;
  return series.flatMap((name, index) => {
    const at = x;
    x += 40 + name.length * 7.5;
    return [
      `<circle class="s${colourOf(index)}" cx="${at + RADIUS}" cy="48" r="${RADIUS}"/>`,
      `<text x="${at + 18}" y="52">${escaped(name)}</text>`,
    ];
  });
}

interface Grid {
  readonly from: number;
  readonly to: number;
  readonly x: (value: number) => number;
  readonly bottom: number;
  readonly unit: string;
}

function gridOf({ from, to, x, bottom, unit }: Grid): string[] {
  return Array.from({ length: to - from + 1 }, (_, index) => {
    const value = 10 ** (from + index);
    const at = x(value);
    const label = value.toLocaleString("en-US", { maximumFractionDigits: 3 });
    return [
      `<line class="grid" x1="${at}" x2="${at}" y1="${TOP - 4}" y2="${bottom}"/>`,
      `<text class="faint" x="${at}" y="${bottom + 20}" text-anchor="middle">${label} ${escaped(unit)}</text>`,
    ].join("\n");
  });
}

function lineOf(
  { title, dots, note }: ChartLine,
  { x, y, series }: { x: (value: number) => number; y: number; series: readonly string[] },
): string[] {
  return [
    `<text x="${LEFT - 16}" y="${y + 4}" text-anchor="end">${escaped(title)}</text>`,
    ...dots.map((dot) => {
      const colour = `s${colourOf(series.indexOf(dot.series))}`;
      const said = `${dot.series}: ${round(dot.median)} (${round(dot.min)} to ${round(dot.max)})`;
      return [
        `<g class="${colour}"><title>${escaped(said)}</title>`,
        `<line class="range" x1="${x(dot.min)}" x2="${x(dot.max)}" y1="${y}" y2="${y}"/>`,
        `<circle cx="${x(dot.median)}" cy="${y}" r="${RADIUS}"/></g>`,
      ].join("");
    }),
    `<text x="${WIDTH - 12}" y="${y + 4}" text-anchor="end">${escaped(note)}</text>`,
  ];
}

const colourOf = (series: number): number => Math.min(Math.max(series, 0), MOST_SERIES - 1);

const round = (value: number): number => Math.round(value * 100) / 100;

const ESCAPES: { readonly [sign: string]: string } = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
};

const escaped = (text: string): string => text.replace(/[&<>"]/g, (sign) => ESCAPES[sign] ?? sign);
