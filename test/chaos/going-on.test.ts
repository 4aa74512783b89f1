/** How the time from a restart to going on is taken from what was seen. */
import { expect, test } from "vitest";
import { goingOn } from "../../chaos/going-on.ts";
import { CHAIN, evidence, request } from "./forged.ts";

const millis = (samples: readonly { readonly millis: number }[]) =>
  samples.map((sample) => sample.millis);

test("it is the time from the Worker's first answer to the first effect", () => {
  const { atOnce, waited } = goingOn([CHAIN], evidence());
  expect(atOnce).toEqual([{ instance: "chain", kill: 1, last: "b", next: "b", millis: 10 }]);
  expect(waited).toEqual([]);
});

test("an effect that came before the first answer took no time", () => {
  const kills = [{ killedAt: 205, goneAt: 210, upAt: 320 }];
  expect(millis(goingOn([CHAIN], evidence({ kills })).atOnce)).toEqual([0]);
});

test("what had not begun, had ended, or waits for something by itself is not counted", () => {
  const kills = [
    { killedAt: 20, goneAt: 21, upAt: 50 },
    { killedAt: 500, goneAt: 501, upAt: 600 },
  ];
  expect(goingOn([CHAIN], evidence({ kills })).atOnce).toEqual([]);
  expect(goingOn([{ ...CHAIN, busy: false }], evidence()).atOnce).toEqual([]);
});

test("an instance whose next attempt was due only later, as the log says, is counted apart", () => {
  const kills = [{ killedAt: 205, goneAt: 210, upAt: 290 }];
  const retry = (dueAt: number, instance = "chain") => ({ instance, dueAt });
  const after = (...retries: { instance: string; dueAt: number }[]) => {
    const { atOnce, waited } = goingOn([CHAIN], evidence({ kills, retries: [[], retries] }));
    return [atOnce.length, waited.length];
  };
  expect(after(retry(299))).toEqual([0, 1]);
  expect(after(retry(280))).toEqual([1, 0]); // it was due when the Worker was up
  expect(after(retry(400))).toEqual([1, 0]); // a later failure
  expect(after(retry(299, "other"))).toEqual([1, 0]);
});

test("an instance that stood still until the next kill is counted with that life, unless it was short", () => {
  const records = [request("a", 100), request("b", 5_000), request("c", 5_100)];
  const kills = (second: number) => [
    { killedAt: 205, goneAt: 210, upAt: 300 },
    { killedAt: second, goneAt: second + 1, upAt: 4_999 },
  ];
  expect(millis(goingOn([CHAIN], evidence({ records, kills: kills(2_300) })).atOnce)).toEqual([
    2_000, 1,
  ]);
  expect(millis(goingOn([CHAIN], evidence({ records, kills: kills(500) })).atOnce)).toEqual([1]);
});
