import { expect, test } from "vitest";
import { type Duration, durationMillis } from "../../src/core/duration.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { codeOf } from "./thrown.ts";

test.each<[Duration, number]>([
  [0, 0],
  [1_500, 1_500],
  [0.4, 0],
  [0.6, 1],
  ["1 millisecond", 1],
  ["250 milliseconds", 250],
  ["1 second", 1_000],
  ["30 seconds", 30_000],
  ["5 minutes", 300_000],
  ["1 hour", 3_600_000],
  ["1.5 hours", 5_400_000],
  ["2 days", 172_800_000],
  ["3 weeks", 1_814_400_000],
  ["0 days", 0],
  ["0.0005 seconds", 1],
])("%j is %d milliseconds", (duration, millis) => {
  expect(durationMillis(duration)).toBe(millis);
});

test.each<unknown>([
  -1,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  "-1 seconds",
  "5",
  "seconds",
  "5  seconds",
  " 5 seconds",
  "5 seconds ",
  "5seconds",
  "5 Seconds",
  "5 fortnights",
  "5 months",
  "1e3 seconds",
  ".5 seconds",
  "5. seconds",
  "1 second 2 seconds",
  "",
  null,
  undefined,
  {},
  5n,
])("%o is no duration", (value) => {
  expect(codeOf(() => durationMillis(value as Duration))).toBe("DURATION_INVALID");
});

test("100 years are the longest duration", () => {
  expect(durationMillis(LIMITS.timerMillis)).toBe(LIMITS.timerMillis);
  expect(codeOf(() => durationMillis(LIMITS.timerMillis + 1))).toBe("DURATION_INVALID");
  expect(codeOf(() => durationMillis("36526 days"))).toBe("DURATION_INVALID");
  expect(durationMillis("36525 days")).toBe(LIMITS.timerMillis);
});
