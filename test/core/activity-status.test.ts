import { describe, expect, test } from "vitest";
import {
  type ActivityStatus,
  decideStage,
  initialStatus,
  type ProcessingStatus,
  parseActivityStatus,
} from "../../src/core/activity-status.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { codeOf, thrownBy } from "./thrown.ts";

const STAGES = ["One", "Two", "Three"];
const STATUSES: readonly ProcessingStatus[] = ["New", "InProgress", "Complete", "Failed"];
const NOW = Date.UTC(2026, 0, 2);

const at = (processingStage: string, processingStatus: ProcessingStatus): ActivityStatus => ({
  lastProcessedId: "41",
  processingStatus,
  processingStage,
  lastUpdated: "2026-01-01T00:00:00.000Z",
});

/** What the rule says for every called stage (rows) and every status (columns). */
const RULE: Record<string, Record<string, readonly string[]>> = {
  //        the status is at One:            at Two:                        at Three:
  //        New    InPr   Compl  Failed      New    InPr   Compl  Failed     New    InPr   Compl  Failed
  One: {
    One: ["run", "run", "pass", "run"],
    Two: ["pass", "pass", "pass", "pass"],
    Three: ["pass", "pass", "pass", "pass"],
  },
  Two: {
    One: ["order", "order", "begin", "order"],
    Two: ["run", "run", "pass", "run"],
    Three: ["pass", "pass", "pass", "pass"],
  },
  Three: {
    One: ["order", "order", "order", "order"],
    Two: ["order", "order", "begin", "order"],
    Three: ["run", "run", "pass", "run"],
  },
};

const cells = Object.entries(RULE).flatMap(([called, row]) =>
  Object.entries(row).flatMap(([stage, verdicts]) =>
    STATUSES.map((status, index) => [called, stage, status, verdicts[index] ?? ""] as const),
  ),
);

test("the table of the stage rule has every cell", () => {
  expect(cells).toHaveLength(3 * 3 * 4);
});

test.each(cells)("calling %s with a status at %s, %s: %s", (called, stage, status, verdict) => {
  const given = at(stage, status);
  const decide = () => decideStage(STAGES, called, given, NOW);
  switch (verdict) {
    case "pass":
      expect(decide()).toEqual({ kind: "pass", status: given });
      break;
    case "run":
      expect(decide()).toEqual({ kind: "run", status: given });
      break;
    case "begin":
      expect(decide()).toEqual({
        kind: "run",
        status: {
          lastProcessedId: "initialId",
          processingStatus: "New",
          processingStage: called,
          lastUpdated: "2026-01-02T00:00:00.000Z",
        },
      });
      break;
    default: {
      const error = thrownBy(decide);
      expect(error.code).toBe("STAGE_ORDER");
      expect(error.message).toContain(`"${called}" was called with a status at "${stage}"`);
      expect(error.message).toContain(status);
    }
  }
});

test("a workflow of one stage runs it and passes it when it is complete", () => {
  expect(decideStage(["Only"], "Only", at("Only", "New"), NOW).kind).toBe("run");
  expect(decideStage(["Only"], "Only", at("Only", "Complete"), NOW).kind).toBe("pass");
});

test("a stage the workflow does not have is refused with those it has", () => {
  const error = thrownBy(() => decideStage(STAGES, "One", at("Four", "New"), NOW));
  expect(error.code).toBe("STAGE_STATUS_INVALID");
  expect(error.message).toContain('"Four"');
  expect(error.message).toContain("One, Two, Three");
});

test("a stage begins with a status of its own name, before the first record", () => {
  expect(initialStatus("One", NOW)).toEqual({
    lastProcessedId: "initialId",
    processingStatus: "New",
    processingStage: "One",
    lastUpdated: "2026-01-02T00:00:00.000Z",
  });
});

describe("a value that is no ActivityStatus is refused with the field that is wrong", () => {
  test.each<[string, unknown]>([
    ["lastProcessedId", undefined],
    ["lastProcessedId", null],
    ["lastProcessedId", 5],
    ["lastProcessedId", "x".repeat(LIMITS.lastProcessedIdLength + 1)],
    ["processingStatus", undefined],
    ["processingStatus", "new"],
    ["processingStatus", "Done"],
    ["processingStatus", ["New"]],
    ["processingStage", undefined],
    ["processingStage", 1],
    ["lastUpdated", undefined],
    ["lastUpdated", "yesterday"],
    ["lastUpdated", Number.NaN],
    ["lastUpdated", "1"],
    ["lastUpdated", "Jan 1 2026"],
    ["lastUpdated", "2026-01-01"],
    ["lastUpdated", "2026-01-01T00:00:00"],
    ["lastUpdated", "2026-13-01T00:00:00Z"],
    ["lastUpdated", `2026 (${"y".repeat(2_000)})`],
    ["lastUpdated", new Date(0)],
  ])("%s: %j", (field, value) => {
    const error = thrownBy(() => parseActivityStatus({ ...at("One", "New"), [field]: value }));
    expect(error.code).toBe("STAGE_STATUS_INVALID");
    expect(error.message).toContain(`its ${field} must be`);
  });

  test.each([undefined, null, "status", 5, [], () => 1])("%o", (value) => {
    expect(codeOf(() => parseActivityStatus(value))).toBe("STAGE_STATUS_INVALID");
    expect(codeOf(() => decideStage(STAGES, "One", value, NOW))).toBe("STAGE_STATUS_INVALID");
  });
});

test.each([
  ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000Z"],
  ["2026-01-02T03:04:05.1234567Z", "2026-01-02T03:04:05.123Z"],
  ["2026-01-02T03:04:05.5+01:00", "2026-01-02T02:04:05.500Z"],
])("the time %s is shown as %s, as all times are", (lastUpdated, shown) => {
  const status = parseActivityStatus({ ...at("One", "New"), lastUpdated });
  expect(status.lastUpdated).toBe(shown);
});

test("a status of the longest id is read, and what else it carries is dropped", () => {
  const lastProcessedId = "x".repeat(LIMITS.lastProcessedIdLength);
  const given = { ...at("One", "New"), lastProcessedId };
  expect(parseActivityStatus({ ...given, extra: 1 })).toStrictEqual(given);
});
