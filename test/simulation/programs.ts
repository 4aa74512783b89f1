/**
 * Random racy workflow programs. Each observes the order in which results reach it, and sends what it
 * has seen so far as the input of its next step: a replay in another order asks for another input,
 * which the engine reports as a contradiction (W7).
 */
import fc from "fast-check";
import { activity } from "../../src/core/activity.ts";
import type { WorkflowContext } from "../../src/core/context.ts";
import { NonRetryableError } from "../../src/core/failure.ts";
import { type AnyWorkflow, workflow } from "../../src/core/workflow.ts";
import type { VirtualClock } from "../../src/testing/virtual-clock.ts";

export type Program =
  | { readonly kind: "call"; readonly millis: number; readonly fails: boolean }
  | { readonly kind: "run"; readonly millis: number }
  | { readonly kind: "sleep"; readonly millis: number }
  | { readonly kind: "wait"; readonly event: "a" | "b"; readonly millis: number }
  | { readonly kind: "noise"; readonly jobs: number }
  | { readonly kind: "draw" }
  | {
      readonly kind: "seq" | "all" | "race" | "settled" | "detach";
      readonly parts: readonly Program[];
    };

const millis = fc.constantFrom(0, 0, 1, 5, 5, 10, 30, 100);

/** Programs of a few dozen steps at most. */
export const programs: fc.Arbitrary<Program> = fc.letrec<{ program: Program }>((tie) => ({
  program: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.record({ kind: fc.constant("call" as const), millis, fails: fc.boolean() }),
    fc.record({ kind: fc.constant("run" as const), millis }),
    fc.record({ kind: fc.constant("sleep" as const), millis }),
    fc.record({
      kind: fc.constant("wait" as const),
      event: fc.constantFrom("a" as const, "b" as const),
      millis,
    }),
    fc.record({ kind: fc.constant("noise" as const), jobs: fc.integer({ min: 1, max: 12 }) }),
    fc.record({ kind: fc.constant("draw" as const) }),
    fc.record({
      kind: fc.constantFrom("seq", "seq", "all", "race", "settled", "detach"),
      parts: fc.array(tie("program"), { minLength: 1, maxLength: 4 }),
    }),
  ),
})).program;

interface Work {
  readonly seen: string;
  readonly millis: number;
  readonly fails: boolean;
}

/** The workflow of a program; its activities take their time on the clock. */
export function workflowOf(program: Program, clock: VirtualClock): AnyWorkflow {
  const retry = { maxAttempts: 1_000, firstInterval: 3, backoff: 1 };
  const work = activity("work", { retry }, async (input: Work) => {
    if (input.millis > 0) await clock.sleep(input.millis);
    if (input.fails) throw new NonRetryableError(`failed after ${input.seen.length}`);
    return new Date(input.millis);
  });
  return workflow("Racy", async (ctx) => {
    const seen: string[] = [];
    const interpreter = { ctx, seen, work, clock, retry };
    await interpret(program, "0", interpreter).catch((error: Error) => seen.push(error.message));
    await ctx.call(work, { seen: digest(seen), millis: 0, fails: false });
    return seen;
  });
}

interface Interpreter {
  readonly ctx: WorkflowContext;
  readonly seen: string[];
  readonly work: ReturnType<typeof activity<Work, Date>>;
  readonly clock: VirtualClock;
  readonly retry: { readonly maxAttempts: number };
}

async function interpret(program: Program, path: string, world: Interpreter): Promise<unknown> {
  const { ctx, seen, work, clock, retry } = world;
  const parts = () =>
    "parts" in program
      ? program.parts.map((part, i) => interpret(part, `${path}.${i}`, world))
      : [];
  switch (program.kind) {
    case "call": {
      const { millis, fails } = program;
      const result = await ctx.call(work, { seen: digest(seen), millis, fails }).then(
        (date) => date.getTime(),
        (error: Error) => error.message,
      );
      seen.push(`${path}=${result}@${ctx.now.getTime()}`);
      return result;
    }
    case "run": {
      const sleep = () => (program.millis > 0 ? clock.sleep(program.millis) : undefined);
      await ctx.run("inline", sleep, { retry });
      return seen.push(`${path} ran`);
    }
    case "sleep":
      await ctx.sleep(program.millis);
      return seen.push(`${path} woke`);
    case "wait": {
      const timeout = program.millis;
      const event = await ctx.waitForEvent(program.event, { timeout }).catch(() => "late");
      return seen.push(`${path} got ${event}`);
    }
    case "noise":
      for (let job = 0; job < program.jobs; job++) await undefined;
      return seen.push(`${path} noise`);
    case "draw":
      return seen.push(`${path} drew ${ctx.random()} ${ctx.uuid()}`);
    case "seq":
      for (const [i, part] of program.parts.entries()) await interpret(part, `${path}.${i}`, world);
      return seen.push(`${path} seq`);
    case "all":
      await Promise.all(parts());
      return seen.push(`${path} all`);
    case "race":
      await Promise.race(parts());
      return seen.push(`${path} race`);
    case "settled":
      await Promise.allSettled(parts());
      return seen.push(`${path} settled`);
    case "detach":
      void Promise.all(parts()).catch(() => {});
      return seen.push(`${path} detached`);
  }
}

/** Short, and different for a different past. */
function digest(seen: readonly string[]): string {
  let hash = 0;
  for (const char of seen.join("|")) hash = (Math.imul(hash, 31) + char.charCodeAt(0)) | 0;
  return `${seen.length}:${hash}`;
}
