/** The faults of `npm run mutations` fit the engine as it is: the run itself takes too long for every change. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { MUTATIONS } from "./mutations.ts";

test.each(MUTATIONS)("the engine has one place to $fault", ({ file, find, replace }) => {
  const sound = readFileSync(join(import.meta.dirname, "../../src", file), "utf8");
  expect(sound.split(find)).toHaveLength(2);
  expect(replace).not.toBe(find);
});
