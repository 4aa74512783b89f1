/** What an instance logs: one flat object per event, and nothing again because of a replay. */
import { expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import type { LogEvent } from "../../src/core/log.ts";
import { workflow } from "../../src/core/workflow.ts";
import type { Faults } from "../../src/testing/faults.ts";
import { crashesAt, ran } from "./harness.ts";

const work = activity("Work", { retry: { maxAttempts: 2 } }, (step: number, ctx) => {
  ctx.log("working", { step });
  if (step === 2 && ctx.attempt === 1) throw new Error("once");
  return step;
});
const talking = workflow("Talking", async (ctx) => {
  ctx.log("begun", { at: "start" });
  for (let step = 1; step <= 3; step++) {
    await ctx.call(work, step);
    ctx.log("done", { count: step });
  }
  await ctx.sleep("1 hour");
  ctx.log("woke");
});

const lines = (logs: readonly LogEvent[]) =>
  logs.filter(({ event, step }) => event === "log" && step === undefined);
const told = (logs: readonly LogEvent[]) =>
  lines(logs).map(({ message, count }) => `${message} ${count ?? ""}`.trim());

const EVERY_LINE = ["begun", "done 1", "done 2", "done 3", "woke"];

test("each event is one flat object that says whose it is", async () => {
  const { object } = await ran(talking);
  expect(object.logs.map(({ event }) => event)).toEqual([
    "instance.started",
    "log",
    "attempt.started",
    "log",
    "step.completed",
    "log",
    "attempt.started",
    "log",
    "attempt.failed",
    "attempt.started",
    "log",
    "step.completed",
    "log",
    "attempt.started",
    "log",
    "step.completed",
    "log",
    "log",
    "instance.completed",
  ]);
  for (const event of object.logs) {
    expect(event).toMatchObject({
      instance: "instance-1",
      execution: "instance-1/1",
      workflow: "Talking",
    });
    for (const value of Object.values(event)) {
      expect(["string", "number", "boolean", "undefined"]).toContain(typeof value);
    }
  }
  expect(object.logs.find(({ event }) => event === "attempt.failed")).toMatchObject({
    step: "Work#2",
    attempt: 1,
    error: "Error: once",
  });
  expect(object.logs.at(-1)).toMatchObject({ event: "instance.completed", ms: 3_601_000 });
});

test("a replay says nothing again: an instance evicted at every rest logs each line once", async () => {
  const evicting: Faults = { evicted: () => true };
  const { object } = await ran(talking, undefined, { faults: evicting, turn: { steps: 1 } });
  expect(told(object.logs)).toEqual(EVERY_LINE);
});

test("whatever commit the object dies at, no line of the workflow and no end of a step is told twice", async () => {
  const { commits } = (await ran(talking)).object;
  expect(commits).toBeGreaterThan(8);
  for (const when of ["before", "after"] as const) {
    for (let commit = 2; commit <= commits; commit++) {
      const { object, document } = await ran(talking, undefined, {
        faults: crashesAt({ commit, when }),
      });
      expect(document.status).toBe("Completed");
      const logged = told(object.logs);
      expect(logged).toEqual(EVERY_LINE.filter((line) => logged.includes(line)));
      expect(logged.length).toBeGreaterThanOrEqual(EVERY_LINE.length - 1); // what died with the object
      const ends = object.logs.filter(({ event }) => /completed|failed|instance/.test(event));
      const ended = ends.map(({ event, step, attempt }) => `${event} ${step} ${attempt}`);
      expect(new Set(ended).size).toBe(ended.length);
    }
  }
});
