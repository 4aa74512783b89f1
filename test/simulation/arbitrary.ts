/** Random programs for fast-check, which shrinks the ones that fail. */
import fc from "fast-check";
import type { Program } from "./programs.ts";

const millis = fc.constantFrom(0, 0, 1, 5, 5, 10, 30, 100);

/** Programs of a few dozen steps at most. */
export const programs: fc.Arbitrary<Program> = fc.letrec<{ program: Program }>((tie) => ({
  program: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.record({
      kind: fc.constant("call" as const),
      millis,
      failures: fc.constantFrom(0, 0, 1),
      fatal: fc.boolean(),
    }),
    fc.record({
      kind: fc.constant("records" as const),
      count: fc.integer({ min: 1, max: 4 }),
      millis,
      outside: fc.boolean(),
    }),
    fc.record({ kind: fc.constant("run" as const), millis }),
    fc.record({ kind: fc.constant("sleep" as const), millis }),
    fc.record({
      kind: fc.constant("wait" as const),
      event: fc.constantFrom("a" as const, "b" as const),
      timeout: millis,
      schema: fc.constantFrom(null, "quick" as const, "slow" as const),
    }),
    fc.record({
      kind: fc.constant("cancel" as const),
      step: fc.constantFrom("call" as const, "sleep" as const, "wait" as const),
      millis,
      after: fc.constantFrom(0, 1, 5, 30, null),
    }),
    fc.record({
      kind: fc.constant("map" as const),
      count: fc.integer({ min: 0, max: 5 }),
      concurrency: fc.integer({ min: 1, max: 3 }),
      millis,
      fatal: fc.constantFrom(null, null, 0, 2),
      tolerate: fc.constantFrom(null, 0, 1),
    }),
    fc.record({ kind: fc.constant("noise" as const), jobs: fc.integer({ min: 1, max: 12 }) }),
    fc.record({ kind: fc.constantFrom("draw" as const, "status" as const) }),
    fc.record({
      kind: fc.constantFrom("seq", "seq", "all", "race", "settled", "detach", "first"),
      parts: fc.array(tie("program"), { minLength: 1, maxLength: 4 }),
    }),
  ),
})).program;
