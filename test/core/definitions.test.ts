import { describe, expect, test } from "vitest";
import { type ActivityOptions, activity } from "../../src/core/activity.ts";
import type { ActivityStatus } from "../../src/core/activity-status.ts";
import { createRegistry, workflow } from "../../src/core/workflow.ts";
import { codeOf, thrownBy } from "./thrown.ts";

const stage = (name: string) => activity(name, async (status: ActivityStatus) => status);

describe("an activity", () => {
  test("is its name, its options and its function", () => {
    const run = (n: number) => n;
    const options = { retry: { maxAttempts: 2 }, timeout: "1 minute" } as const;
    expect(activity("A", run)).toEqual({ kind: "activity", name: "A", options: {}, run });
    expect(activity("A", options, run)).toEqual({ kind: "activity", name: "A", options, run });
  });

  test.each<[string, () => unknown, string]>([
    ["a name that is none", () => activity("a:b", () => 1), "NAME_INVALID"],
    [
      "no attempts",
      () => activity("A", { retry: { maxAttempts: 0 } }, () => 1),
      "DEFINITION_INVALID",
    ],
    [
      "a wait that is none",
      () => activity("A", { retry: { firstInterval: -1 } }, () => 1),
      "DURATION_INVALID",
    ],
    [
      "a timeout that is none",
      () => activity("A", { timeout: Number.NaN }, () => 1),
      "DURATION_INVALID",
    ],
  ])("with %s is refused where it is defined", (_what, define, code) => {
    expect(codeOf(define)).toBe(code);
  });

  test("says in its refusal whose policy is wrong", () => {
    const error = thrownBy(() => activity("Charge", { retry: { backoff: 0 } }, () => 1));
    expect(error.message).toContain('activity "Charge"');
  });
});

describe("a workflow", () => {
  test("has version 1, no stages and no options if not said otherwise", () => {
    const run = async () => 1;
    expect(workflow("W", run)).toEqual({
      kind: "workflow",
      name: "W",
      version: "1",
      options: {},
      stages: [],
      run,
    });
  });

  test("keeps its version and the names of its stages in order", () => {
    const stages = [stage("One"), stage("Two")];
    const defined = workflow("W", { version: "2.1", stages }, async () => 1);
    expect(defined).toMatchObject({ version: "2.1", stages: ["One", "Two"], options: { stages } });
  });

  test.each<[string, () => unknown, string]>([
    ["a name that is none", () => workflow("", async () => 1), "NAME_INVALID"],
    ["a version that is none", () => workflow("W", { version: "" }, async () => 1), "NAME_INVALID"],
    [
      "a stage twice",
      () => workflow("W", { stages: [stage("A"), stage("A")] }, async () => 1),
      "DEFINITION_INVALID",
    ],
  ])("with %s is refused where it is defined", (_what, define, code) => {
    expect(codeOf(define)).toBe(code);
  });
});

describe("a registry", () => {
  const first = workflow("W", { version: "1" }, async () => 1);
  const second = workflow("W", { version: "2" }, async () => 2);
  const other = workflow("Other", async () => 3);
  const registry = createRegistry([first, second, other]);

  test("finds a version by its name, and the one registered last as the newest", () => {
    expect(registry.find("W", "1")).toBe(first);
    expect(registry.find("W", "2")).toBe(second);
    expect(registry.latest("W")).toBe(second);
    expect(registry.latest("Other")).toBe(other);
    expect(createRegistry([second, first]).latest("W")).toBe(first);
  });

  test("finds nothing it does not hold", () => {
    expect(registry.latest("Nobody")).toBeUndefined();
    expect(registry.find("W", "3")).toBeUndefined();
    expect(registry.find("toString", "1")).toBeUndefined();
    expect(registry.latest("constructor")).toBeUndefined();
    expect(createRegistry([]).latest("W")).toBeUndefined();
  });

  test("lists every version in the order of registration", () => {
    expect(registry.workflows).toEqual([first, second, other]);
  });

  test("refuses the same name and version twice, and says which", () => {
    const error = thrownBy(() => createRegistry([first, other, workflow("W", async () => 4)]));
    expect(error.code).toBe("DEFINITION_INVALID");
    expect(error.message).toContain('workflow "W" version "1"');
  });
});

test("an activity runs in the object or in the Worker, and nowhere else", () => {
  expect(activity("Heavy", { where: "worker" }, () => 1).options.where).toBe("worker");
  const elsewhere = { where: "cloud" } as unknown as ActivityOptions;
  expect(codeOf(() => activity("Lost", elsewhere, () => 1))).toBe("DEFINITION_INVALID");
});

test("what a workflow continues with must be its input, as far as its version stays", () => {
  workflow("Typed", (ctx, count: number) => {
    if (count === 1) return ctx.continueAsNew(count + 1);
    if (count === 2) return ctx.continueAsNew("another", { version: "latest" });
    // @ts-expect-error the input is a number
    if (count === 3) return ctx.continueAsNew("three");
    // @ts-expect-error the input is missing
    return ctx.continueAsNew();
  });
  workflow("Without", (ctx) => ctx.continueAsNew());
});
