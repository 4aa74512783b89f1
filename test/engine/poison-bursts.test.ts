/** A step that kills its object, behind others that share a commit with it: it is found, marked and blamed. */
import { expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import type { WorkflowContext } from "../../src/core/context.ts";
import { workflow } from "../../src/core/workflow.ts";
import { DEFAULT_TURN_BUDGET } from "../../src/engine/host.ts";
import type { Faults } from "../../src/testing/faults.ts";
import type { InProcessObject } from "../../src/testing/in-process-object.ts";
import { ID, started } from "./harness.ts";

const HOUR = 3_600_000;
const AT_ONCE = DEFAULT_TURN_BUDGET.stepsPerCommit;

const noop = activity("Noop", (step: number) => step);
/** Takes longer than a short step may. */
const slow = activity("Slow", async () => {
  for (let job = 0; job < 50; job++) await null;
});

/**
 * Runs code with a step that kills its object each time it runs, three attempts and two seconds at most.
 *
 * @returns the number of each of its attempts
 */
async function poisoned(
  code: (ctx: WorkflowContext, poison: () => Promise<unknown>, round: number) => unknown,
  faults: Faults = {},
) {
  const attempts: number[] = [];
  let object: InProcessObject | undefined;
  const deadly = activity("Deadly", { retry: { maxAttempts: 3 } }, (_: undefined, ctx) => {
    attempts.push(ctx.attempt);
    if (attempts.length > 20) throw new Error("it is never found");
    object?.crash();
    return new Promise<void>(() => {});
  });
  const poison = workflow("Poisoned", (ctx, round: number) =>
    code(ctx, () => ctx.call(deadly), round),
  );
  object = started(poison, 1, { gate: "effects", faults });
  await object.run(object.clock.now() + HOUR);
  return { object, attempts, document: object.commands.get(ID) };
}

const blamed = { status: "Failed", error: { cause: { code: "ATTEMPT_LOST" } } };

test.each([0, 1, 5, AT_ONCE - 2, AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, 2 * AT_ONCE, 200])(
  "one behind a slower step and %i short ones is blamed",
  async (before) => {
    for (const restarted of [false, true]) {
      const { attempts, document } = await poisoned(
        async (ctx, poison) => {
          await ctx.call(slow);
          for (let step = 1; step <= before; step++) await ctx.call(noop, step);
          await poison();
        },
        { processLost: () => restarted },
      );
      expect(document).toMatchObject(blamed);
      // Neither the death in a burst nor the one before its mark is counted.
      expect(attempts.length).toBeLessThanOrEqual(3 + 2);
    }
  },
);

test.each([0, 1, AT_ONCE - 1, AT_ONCE, AT_ONCE + 1])(
  "one in a new execution, behind %i short steps of it, is blamed",
  async (before) => {
    for (const first of [0, 1, AT_ONCE]) {
      const { attempts, document } = await poisoned(async (ctx, poison, round) => {
        const steps = round === 1 ? first : before;
        for (let step = 1; step <= steps; step++) await ctx.call(noop, step);
        if (round === 1) return ctx.continueAsNew(2);
        return poison();
      });
      expect(document).toMatchObject(blamed);
      expect(attempts.length).toBeLessThanOrEqual(3 + 3);
    }
  },
);

test.each([0, 1, AT_ONCE - 1, AT_ONCE, AT_ONCE + 1])(
  "one behind the first %i short steps of an instance runs twice more than its policy says, at most",
  async (before) => {
    for (const restarted of [false, true]) {
      const { attempts, document } = await poisoned(
        async (ctx, poison) => {
          for (let step = 1; step <= before; step++) await ctx.call(noop, step);
          await poison();
        },
        { processLost: () => restarted },
      );
      expect(document).toMatchObject(blamed);
      expect(attempts.length).toBeLessThanOrEqual(3 + 2);
    }
  },
);
