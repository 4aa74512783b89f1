import { describe, expect, test } from "vitest";
import type { WorkflowContext } from "../../src/core/context.ts";
import { ActivityFailedError } from "../../src/core/failure.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { encode } from "../../src/core/payload.ts";
import { SHORT_CUT_ROUNDS } from "../../src/core/short-cut.ts";
import { completion, driving, named, STARTED } from "./driving.ts";

const a = named("A");
const b = named("B");
const c = named("C");

/** Asks for A, B and C at once and notes in which order they come back. */
function noting(order: string[]) {
  return async (ctx: WorkflowContext) => {
    const note = (name: string) => (value: unknown) => order.push(`${name}=${value}`);
    const calls = [a, b, c].map((call) => ctx.call(call, undefined).then(note(call.name)));
    await Promise.all(calls);
    return order;
  };
}

const done = (seq: number, step: string, result: unknown = seq) => ({ seq, step, result });

describe("results reach the code", () => {
  test("in the order in which they were recorded, whatever the order of the asks", async () => {
    const order: string[] = [];
    const history = [done(1, "C"), done(2, "A"), done(3, "B")];
    const { driver, deliverAll } = driving(noting(order), { history });
    await deliverAll();
    expect(order).toEqual(["C=1", "A=2", "B=3"]);
    expect(driver.end).toEqual({ ok: true, output: order });
  });

  test("one at a time, and nothing before it is delivered", async () => {
    const order: string[] = [];
    const history = [done(1, "B"), done(2, "A")];
    const { driver, settle } = driving(noting(order), { history });
    await settle();
    expect(order).toEqual([]);
    expect(driver.deliverNext()).toBe(true);
    await settle();
    expect(order).toEqual(["B=1"]);
    expect(driver.deliverNext()).toBe(true);
    await settle();
    expect(order).toEqual(["B=1", "A=2"]);
    expect(driver.deliverNext()).toBe(false);
    expect(driver.end).toBeUndefined();
  });

  test("as they are fed, once the history is told", async () => {
    const order: string[] = [];
    const { driver, deliverAll } = driving(noting(order), { history: [done(1, "A")] });
    driver.feed(completion(done(2, "C")));
    driver.feed(completion(done(3, "B")));
    await deliverAll();
    driver.feed(completion(done(4, "Nobody")));
    await deliverAll();
    expect(order).toEqual(["A=1", "C=2", "B=3"]);
  });

  test("as fresh copies of what was recorded", async () => {
    const value = { list: [1] };
    const seen: unknown[] = [];
    const run = async (ctx: WorkflowContext) => seen.push(await ctx.call(a, undefined));
    const { deliverAll } = driving(run, { history: [done(1, "A", value)] });
    value.list.push(2);
    await deliverAll();
    expect(seen).toEqual([{ list: [1] }]);
    expect(seen[0]).not.toBe(value);
  });

  test("as an error that says what failed, where a step failed", async () => {
    const failure = { type: "TypeError", message: "no" };
    const { driver, deliverAll } = driving((ctx) => ctx.call(a, undefined), {
      history: [{ seq: 1, step: "A", failure, attempts: 3 }],
    });
    await deliverAll();
    const { end } = driver;
    const error = end?.ok === false ? end.error : undefined;
    expect(error).toBeInstanceOf(ActivityFailedError);
    expect(error).toMatchObject({ step: "A", attempts: 3, failure });
  });

  test("as an error with its own code, where a wait for an event was over", async () => {
    const failure = { type: "WaymarkError", message: "late", code: "EVENT_TIMEOUT" };
    const { driver, deliverAll } = driving((ctx) => ctx.waitForEvent("go"), {
      history: [{ seq: 1, step: "go", kind: "event", input: null, failure, attempts: 0 }],
    });
    await deliverAll();
    expect(driver.end).toMatchObject({ ok: false, error: { code: "EVENT_TIMEOUT" } });
  });
});

describe("a recorded step the code has not asked for", () => {
  test("is found again at once, however many there are of it", async () => {
    const many = 30_000; // looked for one by one they would take as many steps squared
    const rows = (name: string, from: number) =>
      Array.from({ length: many }, (_, i) => done(from + i, i === 0 ? name : `${name}#${i + 1}`));
    const history = [...rows("B", 1), ...rows("A", many + 1)]; // the code no longer calls B first
    const { driver, deliverAll } = driving(
      async (ctx) => {
        for (let step = 0; step < many; step++) await ctx.call(a, undefined);
        return (await Promise.all([ctx.call(b, undefined), ctx.call(b, undefined)])).join();
      },
      { history },
    );
    await deliverAll();
    expect(driver.end).toEqual({ ok: true, output: "1,2" });
  });

  test("is set aside and never waited for", async () => {
    const history = [done(1, "Gone"), done(2, "A"), done(3, "AlsoGone")];
    const { driver, deliverAll } = driving((ctx) => ctx.call(a, undefined), { history });
    await deliverAll();
    expect(driver.end).toEqual({ ok: true, output: 2 });
  });

  test("is delivered first thing when the code asks for it later after all", async () => {
    const order: string[] = [];
    const run = async (ctx: WorkflowContext) => {
      order.push(`B=${await ctx.call(b, undefined)}`);
      const rest = [ctx.call(c, undefined), ctx.call(a, undefined)] as const;
      rest[0].then((value) => order.push(`C=${value}`));
      rest[1].then((value) => order.push(`A=${value}`));
      await Promise.all(rest);
    };
    const history = [done(1, "A"), done(2, "B"), done(3, "C")];
    const { driver, deliverAll } = driving(run, { history });
    await deliverAll();
    expect(order).toEqual(["B=2", "A=1", "C=3"]);
    expect(driver.end).toMatchObject({ ok: true });
  });

  test("does not turn the clock back when it comes late", async () => {
    const times: number[] = [];
    const run = async (ctx: WorkflowContext) => {
      for (const call of [b, a]) {
        await ctx.call(call, undefined);
        times.push(ctx.now.getTime() - STARTED);
      }
    };
    const { deliverAll } = driving(run, { history: [done(1, "A"), done(2, "B")] });
    await deliverAll();
    expect(times).toEqual([2, 2]);
  });
});

describe("a step is known by its name and its count, or its key", () => {
  const asked = async (run: (ctx: WorkflowContext) => unknown) => {
    const { driver, settle } = driving(run);
    await settle();
    return driver.takeAsked().map((ask) => ask.identity);
  };

  test("and the count goes on over every kind of step of that name", async () => {
    expect(
      await asked((ctx) => {
        void ctx.call(a, 1);
        void ctx.call(a, 2, { key: "k" });
        void ctx.run("A", () => 1);
        void ctx.waitForEvent("A");
        void ctx.call(b, 1);
        void ctx.sleep(1);
        void ctx.sleep(1, { key: "nap" });
        void ctx.sleepUntil(new Date(0));
      }),
    ).toEqual(["A", "A:k", "A#2", "A#3", "B", "sleep", "sleep:nap", "sleepUntil"]);
  });

  test("taken at the call, before any wait, in the order of the code", async () => {
    expect(
      await asked(async (ctx) => {
        await Promise.resolve();
        const late = Promise.resolve().then(() => ctx.call(a, "late"));
        void ctx.call(a, "early");
        await late;
      }),
    ).toEqual(["A", "A#2"]);
  });

  test("and a key serves once for each name", async () => {
    const { driver, deliverAll } = driving(async (ctx) => {
      void ctx.call(a, 1, { key: "k" });
      void ctx.call(b, 1, { key: "k" });
      await ctx.call(a, 2, { key: "k" });
    });
    await deliverAll();
    expect(driver.end).toMatchObject({ ok: false, error: { code: "STEP_KEY_REUSED" } });
    expect(driver.takeAsked().map((ask) => ask.identity)).toEqual(["A:k", "B:k"]);
  });
});

describe("code that no longer fits its history", () => {
  test.each<[string, (ctx: WorkflowContext) => unknown, string]>([
    [
      "kind",
      (ctx) => ctx.run("A", () => 1),
      'step "A" is recorded as activity, and the code asks for run',
    ],
    [
      "kind, with a key",
      (ctx) => ctx.run("B", () => 1, { key: "k" }),
      'step "B:k" is recorded as activity',
    ],
    [
      "input",
      (ctx) => ctx.call(a, { n: 2 }),
      'with the input [{"n":1},1], and the code asks for it with [{"n":1},2]',
    ],
    ["input to none", (ctx) => ctx.call(a, undefined), "and the code asks for it with -1"],
    ["duration", (ctx) => ctx.sleep(2), 'step "sleep" is recorded with the input [1]'],
    [
      "timeout",
      (ctx) => ctx.waitForEvent("go", { timeout: 5 }),
      'step "go" is recorded with the input [null]',
    ],
  ])("by %s is a divergence that names the step", async (_what, run, message) => {
    for (const place of ["history", "open"] as const) {
      const { driver, deliverAll } = driving(run, {
        [place]: [
          { seq: 1, step: "A", input: { n: 1 } },
          { seq: 2, step: "B:k", input: 1 },
          { seq: 3, step: "sleep", kind: "timer", input: 1 },
          { seq: 4, step: "go", kind: "event", input: null },
        ],
      });
      await deliverAll();
      expect(driver.divergence).toMatchObject({ code: "NONDETERMINISM" });
      expect(driver.divergence?.message).toContain(message);
      expect(driver.takeAsked()).toEqual([]);
    }
  });

  test("shows an excerpt of a long input, on both sides", async () => {
    const { driver, deliverAll } = driving((ctx) => ctx.call(a, "y".repeat(5_000)), {
      history: [{ seq: 1, step: "A", input: "x".repeat(5_000) }],
    });
    await deliverAll();
    expect(driver.divergence?.message.length).toBeLessThan(700);
    expect(driver.divergence?.message).toMatch(/xxx….*yyy…/s);
  });

  test("stops there: nothing is delivered and no end counts", async () => {
    const { driver, deliverAll } = driving(
      async (ctx) => {
        void ctx.call(a, 2);
        return "done";
      },
      { history: [{ seq: 1, step: "A", input: 1, result: 1 }] },
    );
    await deliverAll();
    expect(driver.divergence).toBeDefined();
    expect(driver.end).toBeUndefined();
    expect(driver.deliverNext()).toBe(false);
  });

  test("by its input may be right where the step has a key", async () => {
    const { driver, deliverAll } = driving((ctx) => ctx.call(a, { n: 2 }, { key: "k" }), {
      history: [{ seq: 1, step: "A:k", input: { n: 1 }, result: "kept" }],
    });
    await deliverAll();
    expect(driver.divergence).toBeUndefined();
    expect(driver.end).toEqual({ ok: true, output: "kept" });
  });
});

describe("the steps of an execution", () => {
  const often = (count: number) => async (ctx: WorkflowContext) => {
    for (let asked = 0; asked < count; asked++) void ctx.sleep(0);
    await ctx.sleep(0);
  };

  test(`are ${LIMITS.steps} at most, and the last of them is one`, async () => {
    const most = driving(often(LIMITS.steps - 1));
    await most.settle();
    expect(most.driver.end).toBeUndefined();
    expect(most.driver.takeAsked().at(-1)).toMatchObject({ ordinal: LIMITS.steps });
  });

  test("and one more is an error the code can catch", async () => {
    const one = driving(often(LIMITS.steps));
    await one.settle();
    expect(one.driver.end).toMatchObject({ ok: false, error: { code: "STEPS_EXCEEDED" } });
    expect(one.driver.takeAsked()).toHaveLength(LIMITS.steps);
  });
});

describe("the end of the function", () => {
  test("is its output, or what it threw, also before its first wait", async () => {
    for (const [run, end] of [
      [() => 5, { ok: true, output: 5 }],
      [async () => 5, { ok: true, output: 5 }],
      [() => undefined, { ok: true, output: undefined }],
      [() => Promise.reject(5), { ok: false, error: 5 }],
    ] as const) {
      const { driver, settle } = driving(run);
      await settle();
      expect(driver.end).toEqual(end);
    }
    const { driver, settle } = driving(() => {
      throw new RangeError("at once");
    });
    await settle();
    expect(driver.end).toMatchObject({ ok: false, error: { name: "RangeError" } });
  });

  test("is the last word: what it left behind asks for nothing more", async () => {
    const { driver, settle } = driving(async (ctx) => {
      setImmediate(() => ctx.call(a, "late"));
      return "done";
    });
    await settle();
    await settle();
    expect(driver.takeAsked()).toEqual([]);
    expect(driver.end).toEqual({ ok: true, output: "done" });
  });

  test("goes unheard where a failed step had nobody left to hear it", async () => {
    const failure = { type: "Error", message: "no" };
    const { driver, deliverAll } = driving(
      async (ctx) => {
        void ctx.call(a, undefined);
        return await ctx.call(b, undefined);
      },
      { history: [{ seq: 1, step: "A", failure }, done(2, "B")] },
    );
    await deliverAll(); // an unhandled rejection would fail this file
    expect(driver.end).toEqual({ ok: true, output: 2 });
  });
});

describe("that the code has ended is told", () => {
  /** How often it was, when everything was delivered. */
  async function told(
    run: (ctx: WorkflowContext) => unknown,
    history: readonly ReturnType<typeof done>[] = [],
  ): Promise<number> {
    let times = 0;
    const { driver, deliverAll } = driving(run, { history, ended: () => times++ });
    await deliverAll();
    expect(driver.end).toBeDefined();
    return times;
  }

  test("once, where it got every result that it has asked for", async () => {
    expect(await told(() => null)).toBe(1);
    expect(await told((ctx) => ctx.call(a, undefined), [done(1, "A")])).toBe(1);
    const failing = () => Promise.reject(new Error("broken"));
    expect(await told(failing)).toBe(1);
  });

  test("when its promise jobs have had the rounds of a very short step, and not before", async () => {
    let jobs = 0;
    let at: number | undefined;
    const { settle } = driving(() => null, { ended: () => (at = jobs) });
    const count = async () => {
      for (; jobs < 100; jobs++) await null;
    };
    void count();
    await settle();
    expect(at).toBeGreaterThanOrEqual(SHORT_CUT_ROUNDS - 1);
    expect(at).toBeLessThanOrEqual(SHORT_CUT_ROUNDS + 1);
  });

  test("not while a step is open, whose result or whose code may still say something", async () => {
    expect(await told((ctx) => void ctx.call(a, undefined).catch(() => null))).toBe(0);
    const race = (ctx: WorkflowContext) =>
      Promise.race(
        [ctx.call(a, undefined), ctx.call(b, undefined)].map((call) => call.catch(() => null)),
      );
    expect(await told(race, [done(1, "A")])).toBe(0);
  });

  test("not where a step was ever cancelled, for code beside it may take any number of promise jobs", async () => {
    const cancelling = async (ctx: WorkflowContext) => {
      const controller = new AbortController();
      const call = ctx.call(a, undefined, { signal: controller.signal }).catch(() => null);
      controller.abort();
      await call;
      return ctx.call(b, undefined);
    };
    expect(await told(cancelling, [done(1, "B")])).toBe(0);
  });

  test("not where it goes on as a next execution, nor where something is undone first", async () => {
    expect(await told((ctx) => ctx.continueAsNew(null))).toBe(0);
    let times = 0;
    const undoing = (ctx: WorkflowContext) => {
      ctx.onCompensate(() => undefined);
      throw new Error("broken");
    };
    await driving(undoing, { ended: () => times++ }).deliverAll();
    expect(times).toBe(0);
  });
});

describe("continueAsNew", () => {
  test("ends the function at the call: what it does next counts no more, and is not undone", async () => {
    const { driver, ctx, settle } = driving(async (ctx) => {
      void ctx.call(a, "before");
      await ctx.continueAsNew({ round: 2 }).catch(() => "caught");
      return "undone";
    });
    await settle();
    void ctx.call(b, "after");
    void ctx.continueAsNew({ round: 3 });
    await settle();
    expect(driver.end).toEqual({
      ok: true,
      next: { input: encode({ round: 2 }, "the input"), version: null },
    });
    expect(driver.takeAsked().map(({ identity }) => identity)).toEqual(["A"]);
    expect(driver.deliverNext()).toBe(false);
  });

  test("knows what was recorded and never reached the code", async () => {
    const { driver, deliverAll } = driving(
      async (ctx) => {
        await Promise.race([ctx.call(a, undefined), ctx.call(b, undefined)]);
        return ctx.continueAsNew(2);
      },
      { history: [done(1, "Gone"), done(2, "A"), done(3, "B"), done(4, "C")] },
    );
    await deliverAll();
    const undelivered = driver.undelivered.map(({ step }) => step).sort();
    expect(undelivered).toEqual(["B", "C", "Gone"]);
  });

  test("fails the function where its input cannot be stored, whatever the code catches", async () => {
    const { driver, settle } = driving(async (ctx) => {
      await ctx.continueAsNew({ deep: [() => 1] }).catch(() => {});
      return "swallowed";
    });
    await settle();
    expect(driver.end).toMatchObject({ ok: false, error: { code: "PAYLOAD_UNSUPPORTED" } });
  });
});

test("an event that came before its wait, which is cancelled at once, is not consumed", async () => {
  const history = [
    { seq: 1, step: "x", kind: "event" as const, input: null },
    done(2, "A"),
    done(3, "B"), // the code that took the event asked for it first
  ];
  const run = async (ctx: WorkflowContext) => {
    await ctx.call(a, undefined);
    const controller = new AbortController();
    const wait = ctx.waitForEvent("x", { signal: controller.signal });
    controller.abort();
    await wait.catch(() => {});
    await ctx.call(b, undefined);
  };
  const { driver, deliverAll } = driving(run, { history });
  await deliverAll();
  expect(driver.end).toMatchObject({ ok: true });
  expect(driver.undelivered.map(({ step }) => step)).toEqual(["x"]);
});
