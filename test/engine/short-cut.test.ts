/** Very short steps that share a commit: what a crash repeats, and what it never does. */
import { describe, expect, test, vi } from "vitest";
import { activity } from "../../src/core/activity.ts";
import { workflow } from "../../src/core/workflow.ts";
import { DEFAULT_TURN_BUDGET } from "../../src/engine/host.ts";
import type { Faults } from "../../src/testing/faults.ts";
import { mock } from "../../src/testing/mock.ts";
import { atEachCommit, crashesAt, ID, ran, started } from "./harness.ts";

const AT_ONCE = DEFAULT_TURN_BUDGET.stepsPerCommit;
/** As an object's output gate does it. */
const gated = { gate: "effects" } as const;

const noop = activity("Noop", (step: number) => step);
const reach = activity("Reach", (_step: number) => {});

const chain = workflow("Chain", async (ctx, steps: number) => {
  let sum = 0;
  for (let step = 1; step <= steps; step++) sum += await ctx.call(noop, step);
  return sum;
});

/** Every third step reaches the outside. */
const reaching = workflow("Reaching", async (ctx, steps: number) => {
  for (let step = 1; step <= steps; step++) {
    if (step % 3 === 0) await ctx.call(reach, step, { key: `${step}` });
    else await ctx.call(noop, step, { key: `${step}` });
  }
  return "done";
});

const tells = mock(reach, (step, ctx) => ctx.effect("reached", { value: step }));

describe("a chain of short steps", () => {
  test("has a commit for as many steps as may share one, and a row for each", async () => {
    const { object, document } = await ran(chain, 1_000, { ...gated, turn: { steps: 2_000 } });
    expect(document).toMatchObject({ status: "Completed", output: 500_500 });
    expect(object.commits).toBeLessThan(2 * Math.ceil(1_000 / AT_ONCE) + 5);
    const rows = object.sql.all<{ inline: number; count: number }>(
      "SELECT inline, COUNT(*) AS count FROM step GROUP BY inline ORDER BY inline",
    );
    const [long, short] = rows.map(({ count }) => count);
    expect((long ?? 0) + (short ?? 0)).toBe(1_000);
    expect(long).toBe(Math.floor(1_000 / (AT_ONCE + 1)));
  });

  test("writes its rows together", async () => {
    const object = started(chain, 100, gated);
    const run = vi.spyOn(object.sql, "run");
    await object.run();
    const inserts = run.mock.calls.filter(([statement]) =>
      statement.startsWith("INSERT INTO step"),
    );
    expect(inserts).toHaveLength(2); // the first, and all that came after it
    expect(object.sql.all("SELECT id FROM step WHERE id = seq AND inline = 1")).toHaveLength(100);
  });

  test("has written them when its code goes on for long without a step", async () => {
    const written: unknown[] = [];
    const lingering = workflow("Lingering", async (ctx) => {
      for (let step = 1; step <= 5; step++) await ctx.call(noop, step);
      for (let job = 0; job < 100; job++) await null;
      written.push(object.sql.putsOff);
    });
    const object = started(lingering, undefined, gated);
    await object.run();
    expect(written).toEqual([false]);
    expect(object.sql.all("SELECT id FROM step")).toHaveLength(5);
  });

  test("has a commit for each where that is asked for", async () => {
    const options = { ...gated, turn: { stepsPerCommit: 0 } };
    const { object } = await ran(chain, 100, options);
    expect(object.commits).toBeGreaterThan(100);
  });

  test("ends its turn by the number of steps all the same", async () => {
    const { object, document } = await ran(chain, 100, { ...gated, turn: { steps: 10 } });
    expect(document.output).toBe(5_050);
    expect(object.logs.filter(({ event }) => event === "step.completed")).toHaveLength(100);
    expect(object.commits).toBeGreaterThanOrEqual(10);
  });

  test("comes to the same after a crash at each commit, and repeats no step that is stored", async () => {
    for (const gate of ["steps", "effects"] as const) {
      const tried = await atEachCommit(async (point) => {
        const turn = { stepsPerCommit: 4 };
        const options = { gate, turn, activities: [tells], faults: crashesAt(point) };
        const { object, document } = await ran(reaching, 20, options);
        expect(document).toMatchObject({ status: "Completed", output: "done" });
        const rows = object.sql.all<{ step: string }>("SELECT step FROM step ORDER BY seq");
        expect(rows.map(({ step }) => step)).toEqual(
          Array.from({ length: 20 }, (_, i) => `${(i + 1) % 3 === 0 ? "Reach" : "Noop"}:${i + 1}`),
        );
        return object;
      });
      expect(tried).toBeGreaterThan(5);
    }
  });
});

test("no step is repeated after an effect of a later one has left the object", async () => {
  const began: number[] = [];
  const noting = [
    mock(noop, (step) => {
      began.push(step);
      return step;
    }),
    mock(reach, (step, ctx) => {
      began.push(step);
      ctx.effect("reached", { value: step });
    }),
  ];
  let effects = 0;
  for (let which = 1; which <= 6; which++) {
    began.length = 0;
    effects = 0;
    const faults: Faults = { crash: (_, { kind }) => kind === "effect" && ++effects === which };
    const { document } = await ran(reaching, 20, { ...gated, activities: noting, faults });
    expect(document.output).toBe("done");
    // The effect has left: all before it is stored, and only the step itself is done again.
    const again = began.filter((step, index) => began.indexOf(step) !== index);
    expect(again).toEqual([3 * which]);
  }
});

test("of steps that share a commit, the one that kills its object is found and counted", async () => {
  const attempts: number[] = [];
  const poison = activity("Poison", { retry: { maxAttempts: 2 } }, (_: undefined, ctx) => {
    attempts.push(ctx.attempt);
    object.crash();
    return new Promise<void>(() => {});
  });
  const poisoned = workflow("Poisoned", async (ctx) => {
    for (let step = 1; step <= 10; step++) await ctx.call(noop, step);
    return await ctx.call(poison).catch((error: Error) => error.message);
  });
  const object = started(poisoned, undefined, gated);
  await object.run();
  const document = object.commands.get(ID);
  expect(document.status).toBe("Completed");
  expect(document.output).toContain("the object was lost during the attempt, twice");
  expect(attempts.length).toBeLessThanOrEqual(4);
});

test("what the code shows between short steps is what it had set last, at each commit", async () => {
  const showing = workflow("Showing", async (ctx) => {
    for (let step = 1; step <= 10; step++) {
      ctx.setStatus(step);
      await ctx.call(noop, step);
    }
  });
  await atEachCommit(async (point) => {
    const options = { ...gated, turn: { stepsPerCommit: 3 }, faults: crashesAt(point) };
    const { object, document } = await ran(showing, undefined, options);
    expect(document).toMatchObject({ status: "Completed", customStatus: 10 });
    return object;
  });
});

test("a request to cancel is heard after as many steps as may share a commit, at most", async () => {
  let steps = 0;
  const counted = mock(noop, (step) => {
    steps = step;
    if (step === 5) void object.deliver((commands) => commands.cancel(ID, { reason: "enough" }));
    return step;
  });
  const object = started(chain, 10_000, { ...gated, activities: [counted] });
  await object.run();
  expect(object.commands.get(ID)).toMatchObject({ status: "Terminated" });
  expect(steps).toBeLessThanOrEqual(2 * AT_ONCE + 2);
});

test("lines and events of short steps are told in the order of the code", async () => {
  const talking = workflow("Talking", async (ctx) => {
    for (let step = 1; step <= 3; step++) {
      ctx.log("before", { number: step });
      await ctx.call(noop, step);
    }
  });
  const speaks = mock(noop, (step, ctx) => {
    ctx.log("within", { number: step });
    return step;
  });
  const { object } = await ran(talking, undefined, { ...gated, activities: [speaks] });
  const told = object.logs.map(({ event, message }) => `${message ?? event}`);
  const each = ["before", "attempt.started", "within", "step.completed"];
  expect(told).toEqual(["instance.started", ...each, ...each, ...each, "instance.completed"]);
});

test("a short step that fails is tried again when it is due, and what it comes to at last is told", async () => {
  const flaky = activity("Flaky", { retry: { maxAttempts: 3, firstInterval: 1_000 } }, (_, ctx) => {
    if (ctx.attempt < 3) throw new Error(`attempt ${ctx.attempt}`);
    return "at last";
  });
  const fails = activity("Fails", { retry: { maxAttempts: 1 } }, () => {
    throw new TypeError("never");
  });
  const trying = workflow("Trying", async (ctx) => [
    await ctx.call(flaky),
    await ctx.call(fails).catch((error: Error) => error.message),
    await ctx.run("after", () => "after"),
  ]);
  const tried = await atEachCommit(async (point) => {
    const { object, document } = await ran(trying, undefined, {
      ...gated,
      faults: crashesAt(point),
    });
    const never = "Fails failed after its only attempt: TypeError: never";
    expect(document.output).toEqual(["at last", never, "after"]);
    // A replay that delivered it sooner than it came would see another world.
    const [row] = object.sql.all("SELECT inline FROM step WHERE step = 'Flaky'");
    expect(row).toEqual({ inline: 0 });
    return object;
  });
  expect(tried).toBeGreaterThan(2);
});
