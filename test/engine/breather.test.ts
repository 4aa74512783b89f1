import { describe, expect, test } from "vitest";
import { Breather } from "../../src/engine/breather.ts";
import { BREATH_MILLIS } from "../../src/engine/host.ts";

/** A clock that is moved, and pauses that end when the outside gets in. */
function outside() {
  let now = 0;
  let pauses: (() => void)[] = [];
  const host = {
    now: () => now,
    breathe: () => new Promise<void>((resolve) => pauses.push(resolve)),
  };
  return {
    host,
    pass: (millis: number) => {
      now += millis;
    },
    /** How many pauses wait for the outside to get in. */
    begun: () => pauses.length,
    getsIn: async () => {
      const ended = pauses;
      pauses = [];
      for (const end of ended) end();
      await Promise.resolve();
    },
  };
}

async function isOver(pause: Promise<void>): Promise<boolean> {
  let over = false;
  void pause.then(() => {
    over = true;
  });
  for (let job = 0; job < 10; job++) await null;
  return over;
}

describe("a turn lets the outside in", () => {
  test("a pause is due after so much work, and again so much after it is over", async () => {
    const { host, pass, getsIn } = outside();
    const breather = new Breather(host);
    pass(BREATH_MILLIS - 1);
    expect(breather.due).toBe(false);
    pass(1);
    expect(breather.due).toBe(true);
    const pause = breather.breathe();
    pass(10);
    await getsIn();
    await pause;
    pass(BREATH_MILLIS - 1);
    expect(breather.due).toBe(false);
    pass(1);
    expect(breather.due).toBe(true);
  });

  test("a turn that waits for the network is never due: the outside gets in meanwhile", async () => {
    const { host, pass, getsIn, begun } = outside();
    const breather = new Breather(host);
    for (let step = 0; step < 100; step++) {
      expect(breather.due).toBe(false);
      breather.breatheMeanwhile();
      pass(BREATH_MILLIS / 4);
      await getsIn();
    }
    expect(begun()).toBe(0);
  });

  test("a turn whose waits let nobody in is due as if it had not waited, for one pause", async () => {
    const { host, pass, getsIn, begun } = outside();
    const breather = new Breather(host);
    for (let step = 0; step < 100; step++) {
      breather.breatheMeanwhile();
      pass(BREATH_MILLIS / 100);
    }
    expect(breather.due).toBe(true);
    expect(begun()).toBe(1);
    const pause = breather.breathe();
    expect(begun()).toBe(1);
    expect(await isOver(pause)).toBe(false);
    await getsIn();
    expect(await isOver(pause)).toBe(true);
    expect(breather.due).toBe(false);
  });

  test("short waits begin no pause", () => {
    const { host, pass, begun } = outside();
    const breather = new Breather(host);
    pass(BREATH_MILLIS / 2 - 1);
    breather.breatheMeanwhile();
    expect(begun()).toBe(0);
  });
});
