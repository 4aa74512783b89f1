import { expect, test } from "vitest";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";

/** A clock at 1,000 with timers at these moments, and what they note when they fire. */
function timed(...moments: readonly number[]) {
  const clock = new VirtualClock(1_000);
  const fired: string[] = [];
  const cancels = moments.map((moment, index) =>
    clock.at(moment, () => fired.push(`${index} at ${clock.now()}`)),
  );
  return { clock, fired, cancels };
}

test("the clock begins where it is told, or at the start of 2026", () => {
  expect(new VirtualClock(5).now()).toBe(5);
  expect(new Date(new VirtualClock().now()).toISOString()).toBe("2026-01-01T00:00:00.000Z");
});

test("timers fire by their moment, not by when they were set, and each finds its own time", () => {
  const { clock, fired } = timed(3_000, 1_001, 2_000);
  clock.moveTo(3_000);
  expect(fired).toEqual(["1 at 1001", "2 at 2000", "0 at 3000"]);
});

test("timers of the same moment fire oldest first", () => {
  const { clock, fired } = timed(2_000, 2_000, 2_000);
  clock.moveTo(2_000);
  expect(fired).toEqual(["0 at 2000", "1 at 2000", "2 at 2000"]);
});

test("nothing fires before its moment, and the clock stands where it was moved to", () => {
  const { clock, fired } = timed(2_000);
  clock.moveTo(1_999);
  expect(fired).toEqual([]);
  expect(clock.now()).toBe(1_999);
  clock.moveTo(2_000);
  expect(fired).toEqual(["0 at 2000"]);
});

test("a timer that was given up never fires, and giving it up twice takes no other with it", () => {
  const { clock, fired, cancels } = timed(2_000, 3_000);
  cancels[0]?.();
  cancels[0]?.();
  expect(clock.next()).toBe(3_000);
  clock.moveTo(4_000);
  expect(fired).toEqual(["1 at 3000"]);
  cancels[1]?.(); // it has fired
  expect(clock.next()).toBe(Number.POSITIVE_INFINITY);
});

test("a timer set for the past fires next, and time does not go back", () => {
  const { clock, fired } = timed(5);
  expect(clock.next()).toBe(5);
  clock.fireNext();
  expect(fired).toEqual(["0 at 1000"]);
  clock.moveTo(10);
  expect(clock.now()).toBe(1_000);
});

test("a timer that sets another within the same move sees it fire too", () => {
  const clock = new VirtualClock(0);
  const ticks: number[] = [];
  const tick = () => {
    ticks.push(clock.now());
    clock.at(clock.now() + 10, tick);
  };
  clock.at(10, tick);
  clock.moveTo(35);
  expect(ticks).toEqual([10, 20, 30]);
  expect(clock.now()).toBe(35);
});

test("one timer fires alone, even where the next has the same moment", () => {
  const { clock, fired } = timed(2_000, 2_000);
  clock.fireNext();
  expect(fired).toEqual(["0 at 2000"]);
  clock.fireNext();
  clock.fireNext(); // there is none left
  expect(fired).toHaveLength(2);
  expect(clock.now()).toBe(2_000);
});

test("a timer without a moment is refused: it would hold up all the others", () => {
  const clock = new VirtualClock(0);
  expect(() => clock.at(Number.NaN, () => {})).toThrow(RangeError);
  expect(() => clock.at(new Date("never").getTime(), () => {})).toThrow("no moment");
  expect(clock.next()).toBe(Number.POSITIVE_INFINITY);
});

test("a sleep is over when the clock gets there, and not before", async () => {
  const clock = new VirtualClock(0);
  const woken: string[] = [];
  const sleeping = [
    clock.sleep(50).then(() => woken.push("long")),
    clock.sleep(20).then(() => woken.push("short")),
  ];
  clock.moveTo(20);
  await sleeping[1];
  expect(woken).toEqual(["short"]);
  clock.moveTo(50);
  await sleeping[0];
  expect(woken).toEqual(["short", "long"]);
});
