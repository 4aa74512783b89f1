import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { expect, test } from "vitest";

const SOURCE = join(import.meta.dirname, "../src");

/** From the bottom up: a layer may import itself and what its list names (design, section 4). */
const LAYERS: Record<string, readonly string[]> = {
  core: [],
  store: ["core"],
  engine: ["core", "store"],
  http: ["core"],
  objects: ["core", "store", "engine", "http"],
  testing: ["core", "store", "engine"],
  workflows: ["core"],
};

/** Packages a layer may import; a layer that is not named may import none. */
const PACKAGES: Record<string, readonly string[]> = {
  core: ["devalue"],
  http: ["hono", "zod"],
  objects: ["cloudflare:workers"],
  workflows: ["zod"],
  testing: ["node:crypto"],
};

const files = readdirSync(SOURCE, { recursive: true, encoding: "utf8" }).filter((name) =>
  /\.tsx?$/.test(name),
);

function importsOf(file: string): string[] {
  const text = readFileSync(join(SOURCE, file), "utf8");
  const found = text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*["']([^"']+)["']/g);
  return Array.from(found, ([, target]) => target ?? "").filter((target) => !target.includes(" "));
}

const layerOf = (file: string): string | undefined =>
  file.includes(sep) ? file.split(sep)[0] : undefined;

function problems(file: string): string[] {
  const layer = layerOf(file);
  if (layer === undefined) return [];
  return importsOf(file).flatMap((target) => {
    if (target.startsWith(".")) {
      const imported = layerOf(relative(SOURCE, join(SOURCE, dirname(file), target))) ?? "(top)";
      const allowed = imported === layer || LAYERS[layer]?.includes(imported);
      return allowed ? [] : [`${file} imports ${target}`];
    }
    if (file === join("store", "node-sql.ts") && target === "node:sqlite") return [];
    const known = PACKAGES[layer]?.some((name) => target === name || target.startsWith(`${name}/`));
    return known ? [] : [`${file} imports ${target}`];
  });
}

test("every folder of the source is a layer", () => {
  const folders = new Set(files.map(layerOf).filter((layer) => layer !== undefined));
  expect([...folders].filter((folder) => !(folder in LAYERS))).toEqual([]);
});

test("imports only go down through the layers, and to the packages a layer may know", () => {
  expect(files.length).toBeGreaterThan(20);
  expect(files.flatMap(problems)).toEqual([]);
});
