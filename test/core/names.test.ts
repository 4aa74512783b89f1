import fc from "fast-check";
import { expect, test } from "vitest";
import { LIMITS } from "../../src/core/limits.ts";
import {
  checkInstanceId,
  checkName,
  countedIdentity,
  isCounted,
  keyedIdentity,
  nameOf,
} from "../../src/core/names.ts";
import { codeOf, thrownBy } from "./thrown.ts";

test.each(["A", "_a", "9", "Charge card", "v1.2-beta_3", "a".repeat(LIMITS.nameLength)])(
  "%j is a name",
  (name) => expect(codeOf(() => checkName(name, "a step"))).toBeUndefined(),
);

test.each<unknown>([
  "",
  " a",
  ".a",
  "-a",
  "a#2",
  "a:b",
  "a\n",
  "a/b",
  "\u00e9",
  "a".repeat(LIMITS.nameLength + 1),
  undefined,
  null,
  5,
])("%j is no name", (name) => {
  const error = thrownBy(() => checkName(name as string, "a step"));
  expect(error.code).toBe("NAME_INVALID");
  expect(error.message).toContain("is no name for a step");
});

test.each(["a", "0", "_", "order:4711@eu=1+2.3-4", "a".repeat(LIMITS.instanceIdLength)])(
  "%j is an instance id",
  (id) => expect(codeOf(() => checkInstanceId(id))).toBeUndefined(),
);

test.each([
  "",
  "-a",
  ":a",
  "a b",
  "a/b",
  "a\n",
  "a\u00e9",
  "a".repeat(LIMITS.instanceIdLength + 1),
])("%j is no instance id", (id) =>
  expect(codeOf(() => checkInstanceId(id))).toBe("INSTANCE_ID_INVALID"),
);

test("steps of one name are told apart by their count, and the first keeps the bare name", () => {
  expect([1, 2, 10].map((count) => countedIdentity("A", count))).toEqual(["A", "A#2", "A#10"]);
});

test("a key stands in place of the count", () => {
  expect(keyedIdentity("A", "k")).toBe("A:k");
});

test.each<unknown>(["", "k".repeat(LIMITS.stepKeyLength + 1), 5, null, {}])("%j is no key", (key) =>
  expect(codeOf(() => keyedIdentity("A", key as string))).toBe("NAME_INVALID"),
);

test("a key of exactly the limit is one", () => {
  const key = "k".repeat(LIMITS.stepKeyLength);
  expect(keyedIdentity("A", key)).toBe(`A:${key}`);
});

test("a key that is not well-formed text is refused: storage would give back another one", () => {
  expect(codeOf(() => keyedIdentity("A", "cut in the middle of \ud83d"))).toBe("NAME_INVALID");
});

test.each([
  ["A", "A"],
  ["A#2", "A"],
  ["A:k", "A"],
  ["A:k#2", "A"],
  ["A:k:l", "A"],
  ["A:#2", "A"],
  ["A b.c-d_e#12", "A b.c-d_e"],
])("the name in %j is %j", (identity, name) => {
  expect(nameOf(identity)).toBe(name);
});

const names = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.\- ]{0,20}$/);
const step = fc.oneof(
  fc.record({ name: names, count: fc.integer({ min: 1, max: 1_000 }) }),
  fc.record({ name: names, key: fc.string({ minLength: 1, maxLength: 20 }) }),
);
const identityOf = (of: { name: string; count: number } | { name: string; key: string }): string =>
  "key" in of ? keyedIdentity(of.name, of.key) : countedIdentity(of.name, of.count);

test("whatever the name, count and key, the name is found again in the identity", () => {
  fc.assert(
    fc.property(step, (of) => {
      expect(nameOf(identityOf(of))).toBe(of.name);
      expect(isCounted(identityOf(of))).toBe("count" in of);
    }),
  );
});

test("two different steps never have the same identity", () => {
  fc.assert(
    fc.property(step, step, (a, b) => {
      fc.pre(JSON.stringify(a) !== JSON.stringify(b));
      expect(identityOf(a)).not.toBe(identityOf(b));
    }),
  );
});
