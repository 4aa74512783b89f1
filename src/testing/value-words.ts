/** Any value in words, for people to read and for checks to tell apart; lossy where it is deep. */

/** Two values that read the same count as the same: Maps, Sets and bigints are spelled out. */
export function valueWords(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "number") return Object.is(value, -0) ? "-0" : String(value);
  if (value instanceof Error) return String(value);
  try {
    return JSON.stringify(value, spelledOut) ?? String(value);
  } catch {
    return String(value); // it contains itself
  }
}

/** What JSON would refuse, or take for nothing. */
function spelledOut(_name: string, value: unknown): unknown {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  if (value instanceof Map || value instanceof Set) return [...value];
  return value instanceof Error ? String(value) : value;
}
