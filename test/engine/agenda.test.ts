import fc from "fast-check";
import { expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import { workflow } from "../../src/core/workflow.ts";
import { Agenda } from "../../src/engine/agenda.ts";
import { type OpenStep, openStep } from "../../src/engine/open-step.ts";
import { ran } from "./harness.ts";

function stepDue(due: number): OpenStep {
  const request = { kind: "timer", due } as const;
  return openStep({ identity: "sleep", ordinal: 1, input: null, request });
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

test("the timers a workflow has left behind do not slow its steps down", async () => {
  const quick = activity("Quick", () => 1);
  const racing = workflow("Racing", async (ctx, rounds: number) => {
    for (let round = 0; round < rounds; round++) {
      await Promise.race([ctx.call(quick), ctx.sleep("30 days")]);
    }
  });
  const millisOf = async (rounds: number) => {
    const begun = performance.now();
    const { document } = await ran(racing, rounds);
    expect(document.status).toBe("Completed");
    return performance.now() - begun;
  };
  await millisOf(500);
  const few = await millisOf(2_000);
  expect(await millisOf(20_000)).toBeLessThan(30 * few); // ten times the rounds
}, 60_000);
