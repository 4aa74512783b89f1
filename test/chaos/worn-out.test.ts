/** Which failures kills alone account for. */
import { expect, test } from "vitest";
import { wornOutStep } from "../../chaos/worn-out.ts";
import type { InstanceDocument } from "../../src/core/documents.ts";
import { end } from "./forged.ts";

const AT = Date.parse("2026-01-01T00:00:00.000Z");
const killsAfter = (...seconds: readonly number[]) =>
  seconds.map((second) => ({ killedAt: 0, goneAt: AT + second * 1_000, upAt: 0 }));

const failed = (code: string, other: Partial<InstanceDocument> = {}) => {
  const cause = { type: "WaymarkError", message: "lost", code };
  const error = { type: "ActivityFailedError", message: "failed", code: "ACTIVITY_FAILED", cause };
  const properties = { step: "Book:car", attempts: 3 };
  return end({
    document: {
      ...{ status: "Failed", error: { ...error, properties } },
      ...{ createdAt: new Date(AT).toISOString(), completedAt: new Date(AT + 9_000).toISOString() },
      ...other,
    },
  });
};

test("a step is worn out where as many kills as it has attempts came in the life of its instance", () => {
  const lost = failed("ATTEMPT_LOST");
  expect(wornOutStep({ end: lost, kills: killsAfter(1, 4, 7) })).toBe("Book:car");
  expect(wornOutStep({ end: lost, kills: killsAfter(-1, 4, 7) })).toBeNull();
  expect(wornOutStep({ end: lost, kills: killsAfter(1, 4, 10) })).toBeNull();
});

test("no other failure is excused, and nothing that has not failed", () => {
  const kills = killsAfter(1, 2, 3, 4);
  expect(wornOutStep({ end: failed("NON_RETRYABLE"), kills })).toBeNull();
  expect(wornOutStep({ end: failed("ATTEMPT_LOST", { status: "Completed" }), kills })).toBeNull();
  expect(wornOutStep({ end: end({}), kills })).toBeNull();
});
