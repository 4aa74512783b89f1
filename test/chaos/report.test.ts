/** What a run prints: the table with its figures, and of a fault all that is known. */
import { expect, test } from "vitest";
import { check } from "../../chaos/check.ts";
import type { Evidence } from "../../chaos/evidence.ts";
import { goingOn } from "../../chaos/going-on.ts";
import { faultLines, runNotes, runTable } from "../../chaos/report.ts";
import { CHAIN, evidence, request } from "./forged.ts";

const runOf = (seen: Evidence) => ({
  ...{ planned: [CHAIN], evidence: seen, faults: check([CHAIN], seen), repeatedRequests: 0 },
  goingOn: goingOn([CHAIN], seen),
});

const cells = (seen: Evidence) =>
  (runTable(runOf(seen)).split("\n")[2] ?? "").split("|").map((cell) => cell.trim());

test("the table of a good run has no loss, no repeat, nothing stuck, and the time to go on", () => {
  expect(cells(evidence())).toEqual(["", "1", "1", "3", "0", "0", "0", "10 ms", "10 ms", ""]);
});

test("the table counts lost steps, repeated commits and what is stuck, each in its column", () => {
  const [a, b, again, c] = evidence().records;
  if (!a || !b || !again || !c) throw new Error("the good run is not there");
  expect(cells(evidence({ records: [a, b, again] }))[4]).not.toBe("0");
  expect(cells(evidence({ records: [a, b, again, c, request("a", 390)] }))[5]).toBe("1");
  expect(cells(evidence({ ends: new Map() }))[6]).toBe("1");
});

test("a fault tells the instance, the step, what is wrong, and what the ledger has", () => {
  const [a, b, again, c] = evidence().records;
  if (!a || !b || !again || !c) throw new Error("the good run is not there");
  const seen = evidence({ records: [a, b, { ...again, key: "another" }, c] });
  expect(faultLines(runOf(seen))).toEqual([
    "TWO KEYS · chain · b: key of b, another",
    "    ledger: after 0.100 s, open, with effect, key key of b",
    "    ledger: after 0.200 s, answered, with effect, key another",
  ]);
});

test("an instance that went on late is named", () => {
  const kills = [{ killedAt: 205, goneAt: 210, upAt: 215 }];
  const [a, b, , c] = evidence().records;
  if (!a || !b || !c) throw new Error("the good run is not there");
  const late = [a, b, request("b", 900), { ...c, at: 950 }];
  const notes = runNotes(runOf(evidence({ records: late, kills }))).join("\n");
  expect(notes).toContain("late: chain went on 685 ms after start 1, from b to b");
  expect(runNotes(runOf(evidence())).join("\n")).not.toContain("late:");
});
