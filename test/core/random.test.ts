import { expect, test } from "vitest";
import { randomFrom, uuidFrom } from "../../src/core/random.ts";

const SEEDS = Array.from({ length: 20_000 }, (_, index) => `execution/${index % 100}/${index}`);

test("the same text gives the same number and the same UUID, another text another", () => {
  expect(randomFrom("a/1/1")).toBe(randomFrom("a/1/1"));
  expect(uuidFrom("a/1/1")).toBe(uuidFrom("a/1/1"));
  expect(randomFrom("a/1/1")).not.toBe(randomFrom("a/1/2"));
  expect(uuidFrom("a/1/1")).not.toBe(uuidFrom("a/1/2"));
});

test("what an instance in flight has drawn, it draws again after an upgrade of Waymark", () => {
  expect(randomFrom("execution/3/1")).toBe(0.4218822818133343);
  expect(uuidFrom("execution/3/1")).toBe("6c007a2a-5933-458a-8702-8503389a6656");
});

test("every UUID is one of version 4, and no two of many are the same", () => {
  const uuids = SEEDS.map(uuidFrom);
  const form = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
  expect(uuids.filter((uuid) => !form.test(uuid))).toEqual([]);
  expect(new Set(uuids).size).toBe(uuids.length);
});

test("every free digit of a UUID takes every value about as often", () => {
  const digits = SEEDS.map((seed) => uuidFrom(seed).replaceAll("-", ""));
  for (let place = 0; place < 32; place++) {
    if (place === 12) continue; // the version
    const values = place === 16 ? 4 : 16; // the variant leaves two bits
    const counts = new Map<string, number>();
    for (const uuid of digits) {
      const digit = uuid.charAt(place);
      counts.set(digit, (counts.get(digit) ?? 0) + 1);
    }
    expect(counts.size).toBe(values);
    expect(chiSquare([...counts.values()])).toBeLessThan(45); // 15 degrees: beyond 1 in 10,000
  }
});

test("numbers lie from 0 up to 1 and are spread evenly, and so are pairs of neighbours", () => {
  const numbers = SEEDS.map(randomFrom);
  expect(numbers.every((number) => number >= 0 && number < 1)).toBe(true);
  const buckets = new Array<number>(16).fill(0);
  const pairs = new Array<number>(16).fill(0);
  numbers.forEach((number, index) => {
    const next = numbers[index + 1] ?? 0;
    const bucket = Math.floor(number * 16);
    const pair = Math.floor(number * 4) * 4 + Math.floor(next * 4);
    buckets[bucket] = (buckets[bucket] ?? 0) + 1;
    pairs[pair] = (pairs[pair] ?? 0) + 1;
  });
  expect(chiSquare(buckets)).toBeLessThan(45);
  expect(chiSquare(pairs)).toBeLessThan(45);
});

test("numbers have bits beyond the first 32", () => {
  const fine = SEEDS.map((seed) => (randomFrom(seed) * 2 ** 32) % 1);
  expect(new Set(fine).size).toBeGreaterThan(SEEDS.length * 0.95);
});

function chiSquare(counts: readonly number[]): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const expected = total / counts.length;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}
