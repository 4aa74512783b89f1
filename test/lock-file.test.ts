/** The lock file must install on every platform, whatever machine wrote it last. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

interface Locked {
  readonly version?: string;
  readonly resolved?: string;
  readonly optionalDependencies?: { readonly [name: string]: string };
}

const lock = JSON.parse(readFileSync("package-lock.json", "utf8")) as {
  readonly packages: { readonly [path: string]: Locked };
};

/** Where Node finds a package from the folder of another one. */
function isLocked(name: string, from: string): boolean {
  const folders = from.split("/node_modules/").slice(0, -1);
  const above = folders.map((_, count) => folders.slice(0, count + 1).join("/node_modules/"));
  return [from, ...above, ""].some((folder) => {
    const path = folder === "" ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
    return lock.packages[path] !== undefined;
  });
}

test("every package for another platform is locked too, or npm ci refuses the file", () => {
  const missing = Object.entries(lock.packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter((name) => !isLocked(name, path)),
  );
  expect(missing).toEqual([]);
});

test("no package is tied to the registry it was locked from", () => {
  expect(Object.values(lock.packages).filter((locked) => locked.resolved !== undefined)).toEqual(
    [],
  );
});
