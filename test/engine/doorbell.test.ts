import { beforeEach, expect, test } from "vitest";
import { Doorbell } from "../../src/engine/doorbell.ts";

let doorbell: Doorbell;
/** The naps that were begun; each can be let end, and knows whether it was given up. */
let naps: { readonly at: number; readonly end: () => void; cancelled: boolean }[];

const host = {
  napUntil: (at: number) => {
    const { promise: over, resolve: end } = Promise.withResolvers<void>();
    const nap = { at, end, cancelled: false };
    naps.push(nap);
    return {
      over,
      cancel: () => {
        nap.cancelled = true;
      },
    };
  },
};

/** Whether it has come by itself, when all promise jobs have run. */
async function isOver(waiting: Promise<void>): Promise<boolean> {
  let over = false;
  void waiting.then(() => {
    over = true;
  });
  await new Promise(setImmediate);
  return over;
}

beforeEach(() => {
  doorbell = new Doorbell();
  naps = [];
});

test("looks that wait for the same moment share one timer", async () => {
  for (let look = 0; look < 3; look++) {
    const waiting = doorbell.waitUntil(host, 500);
    expect(await isOver(waiting)).toBe(false);
    doorbell.ring();
    await waiting;
  }
  expect(naps).toMatchObject([{ at: 500, cancelled: false }]);
});

test("a look that waits for another moment gives the timer before up", async () => {
  const first = doorbell.waitUntil(host, 500);
  doorbell.ring();
  await first;
  const second = doorbell.waitUntil(host, 20);
  naps[0]?.end();
  expect(await isOver(second)).toBe(false);
  naps[1]?.end();
  await second;
  expect(naps).toMatchObject([
    { at: 500, cancelled: true },
    { at: 20, cancelled: true },
  ]);
});

test("a timer that ends between two looks is a ring like any other", async () => {
  const first = doorbell.waitUntil(host, 500);
  doorbell.ring();
  await first;
  naps[0]?.end();
  await new Promise(setImmediate);
  await doorbell.waitUntil(host, 500);
  expect(await isOver(doorbell.waitUntil(host, 500))).toBe(false);
  expect(naps).toHaveLength(2);
});

test("a ring that has come sets no timer", async () => {
  doorbell.ring();
  await doorbell.waitUntil(host, 500);
  expect(naps).toEqual([]);
});

test("at rest there is no timer, and what was one wakes nobody", async () => {
  const first = doorbell.waitUntil(host, 500);
  doorbell.ring();
  await first;
  doorbell.rest();
  expect(naps[0]?.cancelled).toBe(true);
  naps[0]?.end();
  expect(await isOver(doorbell.wait())).toBe(false);
});
