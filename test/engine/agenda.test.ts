import fc from "fast-check";
import { expect, test } from "vitest";
import { Agenda } from "../../src/engine/agenda.ts";
import { type OpenStep, openStep } from "../../src/engine/open-step.ts";

function stepDue(due: number): OpenStep {
  const request = { kind: "timer", due } as const;
  return openStep({ identity: "sleep", ordinal: 1, after: 0, input: null, request });
}

test("what is due comes off earliest first, and of the same moment in the order it was noted", () => {
  const acts = fc.array(fc.tuple(fc.constantFrom("add", "delete", "take"), fc.nat(9)), {
    maxLength: 300,
  });
  fc.assert(
    fc.property(acts, (list) => {
      const agenda = new Agenda();
      let noted: OpenStep[] = [];
      for (const [act, number] of list) {
        if (act === "add") {
          const step = stepDue(number);
          noted.push(step);
          agenda.add(step);
        } else if (act === "delete") {
          const [step] = noted.splice(number, 1);
          if (step !== undefined) agenda.delete(step);
        } else {
          const isDue = (step: OpenStep) => (step.due ?? 0) <= number;
          const due = noted.filter(isDue).sort((a, b) => (a.due ?? 0) - (b.due ?? 0));
          const taken = agenda.takeDue(number);
          expect(taken).toHaveLength(due.length);
          for (const [index, step] of due.entries()) expect(taken[index]).toBe(step);
          noted = noted.filter((step) => !isDue(step));
        }
        const dues = noted.map((step) => step.due ?? 0);
        expect(agenda.nextDue()).toBe(Math.min(Number.POSITIVE_INFINITY, ...dues));
      }
    }),
  );
});

test("asking what is next looks at no step, however many timers a workflow has left behind", () => {
  let reads = 0;
  const agenda = new Agenda();
  for (let timer = 1; timer <= 10_000; timer++) {
    const step = Object.defineProperty(stepDue(timer), "due", {
      get: () => {
        reads++;
        return timer;
      },
    });
    agenda.add(step);
  }
  expect(reads).toBeLessThanOrEqual(2 * 10_000);
  reads = 0;
  for (let asked = 0; asked < 1_000; asked++) expect(agenda.nextDue()).toBe(1);
  expect(reads).toBe(0);
});
