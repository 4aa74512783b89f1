/** The short cut of very short steps (rule c): who takes it, and that a replay delivers in the same round. */
import { describe, expect, test } from "vitest";
import { createContext, type WorkflowContext } from "../../src/core/context.ts";
import { Driver } from "../../src/core/driver.ts";
import { ENCODED_UNDEFINED, encode } from "../../src/core/payload.ts";
import { SHORT_CUT_ROUNDS } from "../../src/core/short-cut.ts";
import type { Ask, Completion } from "../../src/core/step.ts";
import { named } from "./driving.ts";

const a = named("A");
const b = named("B");

const macrotask = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Run {
  readonly history?: readonly Completion[];
  /** Promise jobs that an attempt takes; null for one that takes longer than any. */
  readonly jobs?: number | null;
  readonly error?: Error;
}

/** Runs a workflow's code whose steps bring their own identity, as the engine would. */
async function driven(
  run: (ctx: WorkflowContext) => Promise<unknown>,
  { history = [], jobs = 0, error }: Run = {},
) {
  const recorded: Completion[] = [];
  const begun: string[] = [];
  const there = new Set<string>();
  const began = async ({ identity }: Ask) => {
    for (let job = 0; job < (jobs ?? 0); job++) await null;
    if (jobs !== null) there.add(identity);
  };
  const known = new Map(history.map((completion) => [completion.step, completion]));
  const driver: Driver = new Driver({
    executionId: "execution-1",
    startedAt: 0,
    history,
    recorded: (identity) => {
      const completion = known.get(identity);
      return completion && { kind: completion.kind, input: ENCODED_UNDEFINED };
    },
    resumed: history.length > 0,
    shortCut: {
      begin: (ask) => {
        if (error !== undefined) throw error;
        begun.push(ask.identity);
        void began(ask);
        return true;
      },
      record: ({ identity }, waits) => {
        if (!waits || !there.has(identity)) return false;
        const seq = history.length + recorded.length + 1;
        const outcome = { ok: true as const, result: encode(identity, "the result") };
        const completion = { seq, step: identity, kind: "activity", at: seq, outcome } as const;
        recorded.push({ ...completion, inline: true });
        driver.feed(completion);
        return true;
      },
    },
  });
  const identity = { instanceId: "i", executionId: "execution-1", parent: null, version: "1" };
  const never = () => Promise.reject(new Error("nothing is fetched here"));
  const ctx = createContext(driver, { ...identity, stages: [] }, never);
  driver.start(() => run(ctx));
  await macrotask();
  const atOnce = { end: driver.end, begun: [...begun] };
  while (history.length > 0 && driver.deliverNext()) await macrotask();
  return { driver, recorded, begun, atOnce };
}

/** Counts promise jobs beside other code, from when it is made until it is stopped. */
class Jobs {
  count = 0;
  #over = false;
  readonly #counted = this.#run();

  async #run(): Promise<void> {
    while (!this.#over && this.count < 10_000) {
      this.count++;
      await null;
    }
  }

  stop(): Promise<void> {
    this.#over = true;
    return this.#counted;
  }
}

/** Steps beside code that counts promise jobs: in which of them does each result come? */
const timed = (steps: number, log: string[]) => async (ctx: WorkflowContext) => {
  const jobs = new Jobs();
  for (let step = 0; step < steps; step++) {
    log.push(`${await ctx.call(a, undefined)} in job ${jobs.count}`);
  }
  await jobs.stop();
  return log;
};

describe("a step takes the short cut", () => {
  test("where its result is there within the rounds, and so do those after it, in one go", async () => {
    const log: string[] = [];
    const { atOnce, recorded } = await driven(timed(3, log), { jobs: SHORT_CUT_ROUNDS - 4 });
    expect(atOnce.end).toEqual({ ok: true, output: log });
    expect(recorded.map(({ step, seq }) => [step, seq])).toEqual([
      ["A", 1],
      ["A#2", 2],
      ["A#3", 3],
    ]);
  });

  test("after the same number of jobs, however early its result is there", async () => {
    const [early, late]: [string[], string[]] = [[], []];
    await driven(timed(3, early), { jobs: 0 });
    await driven(timed(3, late), { jobs: SHORT_CUT_ROUNDS - 4 });
    expect(early).toHaveLength(3);
    expect(late).toEqual(early);
  });

  test("and a replay delivers in the same job", async () => {
    const [live, replayed]: [string[], string[]] = [[], []];
    const { recorded } = await driven(timed(5, live));
    const { atOnce, begun } = await driven(timed(5, replayed), { history: recorded });
    expect(replayed).toEqual(live);
    expect(atOnce.end).toEqual({ ok: true, output: live });
    expect(begun).toEqual([]);
  });

  test("which a replay that knew nothing of it would not", async () => {
    const [live, replayed]: [string[], string[]] = [[], []];
    const { recorded } = await driven(timed(5, live));
    const drained = recorded.map(({ inline: _, ...completion }) => completion);
    await driven(timed(5, replayed), { history: drained });
    expect(replayed).toHaveLength(5);
    expect(replayed).not.toEqual(live);
  });
});

test("a race and a map settle after so many jobs: a change would be one of the format of histories", async () => {
  const told: string[] = [];
  const through = async (ctx: WorkflowContext) => {
    const jobs = new Jobs();
    const tell = (what: string) => {
      told.push(`${what} in job ${jobs.count}`);
      jobs.count = 0;
    };
    await ctx.call(a, undefined);
    tell("a call");
    await ctx.race({ only: (signal) => ctx.call(a, undefined, { signal }) });
    tell("a race");
    await ctx.map([undefined], a);
    tell("a map");
    await ctx.map([undefined], (item, step) => ctx.call(a, item, step), {
      tolerate: 1,
      key: () => "b",
    });
    tell("a map by a function");
    await jobs.stop();
    return "told";
  };
  const { atOnce, recorded } = await driven(through);
  expect(atOnce.end).toEqual({ ok: true, output: "told" });
  expect(recorded).toHaveLength(4);
  expect(told).toEqual([
    "a call in job 18",
    "a race in job 18",
    "a map in job 20",
    "a map by a function in job 20",
  ]);
});

describe("a step goes the long way", () => {
  test("where its result takes longer: it has begun, and nothing is recorded of it", async () => {
    const { atOnce, recorded } = await driven((ctx) => ctx.call(a, undefined), { jobs: null });
    expect(atOnce).toEqual({ end: undefined, begun: ["A"] });
    expect(recorded).toEqual([]);
  });

  test("where another one is open", async () => {
    const both = (ctx: WorkflowContext) =>
      Promise.all([ctx.call(a, undefined), ctx.call(b, undefined)]);
    const { atOnce } = await driven(both);
    expect(atOnce).toEqual({ end: undefined, begun: [] });
  });

  test("where another one is asked for before it is delivered: the code would see two in one go", async () => {
    const beside = async (ctx: WorkflowContext) => {
      const first = ctx.call(a, undefined);
      for (let job = 0; job < 5; job++) await null;
      return Promise.race([first, ctx.call(b, undefined)]);
    };
    const { atOnce, recorded } = await driven(beside);
    expect(atOnce).toEqual({ end: undefined, begun: ["A"] });
    expect(recorded).toEqual([]);
  });

  test("on a replay by code that has changed, and has another step open", async () => {
    const { recorded } = await driven((ctx) => ctx.call(a, undefined));
    const changed = (ctx: WorkflowContext) =>
      Promise.all([ctx.call(a, undefined), ctx.call(b, undefined)]);
    const { atOnce, driver } = await driven(changed, { history: recorded });
    expect(atOnce.end).toBeUndefined();
    expect(driver.now).toBe(1); // that of the result, which came after a drain
    expect(driver.divergence).toBeUndefined();
  });
});

test("what goes wrong in a short cut is told to whoever delivers next", async () => {
  const error = new Error("the disk is full");
  const { driver } = await driven((ctx) => ctx.call(a, undefined), { error });
  expect(() => driver.deliverNext()).toThrow(error);
});
