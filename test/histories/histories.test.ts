/** Histories of real runs, recorded by earlier code: whatever changes, instances out there go on. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { StoredHistory } from "../../src/core/history.ts";
import type { AnyWorkflow } from "../../src/core/workflow.ts";
import { checkHistory } from "../../src/engine/check-history.ts";
import { HISTORY_WORKFLOWS } from "./workflows.ts";

const FILES = readdirSync(import.meta.dirname).filter((name) => name.endsWith(".json"));

const historyIn = (file: string): StoredHistory =>
  JSON.parse(readFileSync(join(import.meta.dirname, file), "utf8")) as StoredHistory;

function workflowOf(history: StoredHistory): AnyWorkflow {
  const found = HISTORY_WORKFLOWS.find(({ name }) => name === history.workflow);
  if (found === undefined) throw new Error(`no workflow ${history.workflow}`);
  return found;
}

test("there is a history of each of these workflows, and each has steps", () => {
  const histories = FILES.map(historyIn);
  expect(histories.map(({ workflow }) => workflow).sort()).toEqual(
    HISTORY_WORKFLOWS.map(({ name }) => name).sort(),
  );
  for (const { steps } of histories) expect(steps.length).toBeGreaterThan(0);
});

test.each(FILES)("%s fits the present code, step by step", async (file) => {
  const history = historyIn(file);
  expect(await checkHistory(workflowOf(history), history)).toEqual({
    fits: true,
    problem: null,
    unasked: [],
    next: [],
  });
});

test.each(FILES)("%s does not fit once one of its results is another", async (file) => {
  const history = historyIn(file);
  const steps = history.steps.map((step) =>
    step.seq === 1 ? { ...step, kind: step.kind === "run" ? "timer" : "run" } : step,
  );
  const tampered = { ...history, steps } as StoredHistory;
  expect(await checkHistory(workflowOf(history), tampered)).toMatchObject({ fits: false });
});
