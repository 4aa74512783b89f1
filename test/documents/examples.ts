/** Keeps the examples of a document the same as the tested ones. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * The examples of a test file: what stands between a line `// ── name` and a line `// ──`, moved to the
 * margin as it stands in the document.
 */
export function examplesOf(testFile: string): string[] {
  const source = readFileSync(testFile, "utf8");
  const examples = source.split(/^ *\/\/ ── \w.*$/m).slice(1);
  return examples.map((example) => {
    const [code = ""] = example.split(/^ *\/\/ ──$/m);
    const indent = /^\n?( *)/.exec(code)?.[1]?.length ?? 0;
    const lines = code
      .trim()
      .split("\n")
      .map((line) => line.slice(Math.min(indent, line.search(/\S|$/))));
    return [lines[0]?.trim(), ...lines.slice(1)].join("\n");
  });
}

/** The text of a file in `docs/`. */
export const documentText = (name: string): string =>
  readFileSync(join(import.meta.dirname, "../../docs", name), "utf8");
