/** Lives without an end: each round is an execution of its own, and what it has not consumed goes on. */
import { describe, expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import type { WorkflowContext } from "../../src/core/context.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { encode } from "../../src/core/payload.ts";
import { type AnyWorkflow, workflow } from "../../src/core/workflow.ts";
import { InProcessObject } from "../../src/testing/in-process-object.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { ID, ran, startCommand, started } from "./harness.ts";

/** Counts down, a round each, with a step in each round. */
const countdown = workflow("Countdown", async (ctx, left: number) => {
  await ctx.run("step", () => left);
  if (left > 0) return ctx.continueAsNew(left - 1);
  return ctx.executionId;
});

const events = (object: InProcessObject) => object.logs.map(({ event }) => event);

describe("a round", () => {
  test("begins anew: same id, another execution, the new input, its own start, no old steps", async () => {
    const napping = workflow("Napping", async (ctx, round: number) => {
      await ctx.sleep("1 minute");
      if (round === 1) return ctx.continueAsNew(2);
      return ctx.waitForEvent("never");
    });
    const object = started(napping, 1);
    await object.run(object.clock.now() + 10);
    const first = object.commands.get(ID);
    await object.run();
    const second = object.commands.get(ID);
    expect(first).toMatchObject({ status: "Running", input: 1, startedAt: first.createdAt });
    expect(second).toMatchObject({ status: "Running", input: 2, createdAt: first.createdAt });
    expect(second.executionId).not.toBe(first.executionId);
    expect(Date.parse(second.startedAt ?? "") - Date.parse(first.createdAt)).toBe(60_000);
    const { items } = object.commands.history(ID, null, 10);
    expect(items.map(({ step, startedAt }) => [step, startedAt])).toEqual([
      ["sleep", null],
      ["never", null],
    ]);
    const told = object.logs.filter(({ event }) => event === "instance.continued");
    const { executionId, startedAt } = first;
    expect(startedAt).not.toBeNull();
    expect(told).toMatchObject([
      { execution: executionId, next: second.executionId, version: "1", ms: 60_000 },
    ]);
  });

  test("is told of once, and its first lines are no replay", async () => {
    const talking = workflow("Talking", async (ctx, round: number) => {
      ctx.log("round", { round, replaying: ctx.replaying });
      if (round < 3) return ctx.continueAsNew(round + 1);
      return round;
    });
    for (const steps of [1, 2, 1_000]) {
      const { object } = await ran(talking, 1, { turn: { steps } });
      const lines = object.logs.filter(({ event }) => event === "log");
      expect(lines.map(({ round, replaying }) => [round, replaying])).toEqual([
        [1, false],
        [2, false],
        [3, false],
      ]);
      expect(events(object).filter((event) => event.startsWith("instance"))).toEqual([
        "instance.started",
        "instance.continued",
        "instance.continued",
        "instance.completed",
      ]);
    }
  });

  test("keeps the idempotency keys of requests", async () => {
    const object = new InProcessObject({ workflows: [countdown] });
    const idempotency = { key: "once", fingerprint: "start" };
    const command = { ...startCommand(countdown, 3), idempotency };
    const receipt = object.commands.start(command);
    await object.run();
    expect(object.commands.start(command)).toEqual(receipt);
    expect(object.commands.get(ID)).toMatchObject({ status: "Completed", input: 0 });
  });

  test("does not end a request that waits for the end", async () => {
    const slow = workflow("Slow", async (ctx, left: number) => {
      await ctx.sleep("1 second");
      return left > 0 ? ctx.continueAsNew(left - 1) : "the end";
    });
    const object = started(slow, 3);
    const end = object.commands.whenEnded(ID, object.clock.now() + 60_000);
    await object.run();
    expect(await end).toMatchObject({ status: "Completed", output: "the end" });
  });
});

describe("a call of continueAsNew cannot be undone or forgotten", () => {
  const rounds: readonly (readonly [
    how: string,
    run: (ctx: WorkflowContext<number>) => unknown,
  ])[] = [
    ["a catch around it", (ctx) => ctx.continueAsNew(2).catch(() => "caught")],
    [
      "a finally that returns",
      async (ctx) => {
        try {
          await ctx.continueAsNew(2);
        } finally {
          // biome-ignore lint/correctness/noUnsafeFinally: that is what is tried
          return "undone";
        }
      },
    ],
    [
      "a return without await",
      (ctx) => {
        void ctx.continueAsNew(2);
        return "forgotten";
      },
    ],
    [
      "an error after it",
      (ctx) => {
        void ctx.continueAsNew(2);
        throw new Error("too late");
      },
    ],
    ["a second one", (ctx) => Promise.all([ctx.continueAsNew(2), ctx.continueAsNew(3)])],
    [
      "a race it cannot win",
      (ctx) => Promise.race([ctx.continueAsNew(2), Promise.resolve("raced")]),
    ],
  ];
  test.each(rounds)("by %s", async (_how, run) => {
    const once = workflow("Once", (ctx, round: number) => (round === 1 ? run(ctx) : round));
    const { document } = await ran(once, 1);
    expect(document).toMatchObject({ status: "Completed", output: 2 });
  });
});

describe("what is open when a round ends", () => {
  test("is gone: timers and waits are cancelled, and running attempts are told to stop", async () => {
    const clock = new VirtualClock();
    const aborted: string[] = [];
    const endless = activity("Endless", async (_: undefined, ctx) => {
      ctx.signal.addEventListener("abort", () => aborted.push(ctx.signal.reason.code));
      await clock.sleep(7_200_000);
      return "late";
    });
    const restless = workflow("Restless", async (ctx, round: number) => {
      if (round === 2) return ctx.waitForEvent("over");
      void ctx.sleep("1 hour");
      void ctx.waitForEvent("other", { timeout: "2 hours" });
      void ctx.call(endless);
      await ctx.sleep("1 minute");
      return ctx.continueAsNew(2);
    });
    const object = started(restless, 1, { clock });
    await object.run();
    expect(aborted).toEqual(["ATTEMPT_STOPPED"]);
    expect(object.commands.get(ID).waitingFor).toMatchObject([{ step: "over" }]);
    expect(object.commands.history(ID, null, 10).items).toHaveLength(1);
    expect(object.alarm).toBeNull();
  });
});

describe("events around rounds", () => {
  /** Takes so many events in each round, of both names at once. */
  const taking = workflow("Taking", async (ctx, taken: readonly unknown[]) => {
    const waits = [ctx.waitForEvent("a"), ctx.waitForEvent("b")];
    const got = [...taken, await Promise.race(waits)];
    return got.length < 6 ? ctx.continueAsNew(got) : got;
  });

  test("are kept in their order, also those that had ended a wait of which nobody heard", async () => {
    const object = started(taking, []);
    for (const [event, value] of [
      ["a", 1],
      ["b", 2],
      ["a", 3],
      ["a", 4],
      ["b", 5],
      ["b", 6],
    ] as const) {
      object.commands.sendEvent(ID, { event, payload: encode(value, "the event") });
    }
    await object.run();
    expect(object.commands.get(ID)).toMatchObject({ output: [1, 2, 3, 4, 5, 6] });
  });

  test("reach the round that waits for them, with no other alarm to wake it", async () => {
    const object = started(taking, []);
    for (let value = 1; value <= 6; value++) {
      await object.run(object.clock.now() + 1_000);
      expect(object.alarm).toBeNull();
      object.commands.sendEvent(ID, { event: "a", payload: encode(value, "the event") });
      object.commit();
    }
    await object.run();
    expect(object.commands.get(ID)).toMatchObject({ output: [1, 2, 3, 4, 5, 6] });
  });

  test("count against the buffer in the next round as in the one before", async () => {
    const one = workflow("One", async (ctx, round: number) => {
      await ctx.waitForEvent(`round ${round}`);
      return ctx.continueAsNew(round + 1);
    });
    const object = started(one, 1);
    await object.run();
    const send = (event: string) => object.commands.sendEvent(ID, { event, payload: "[1]" });
    for (let count = 1; count < LIMITS.bufferedEvents; count++) send("unasked");
    send("round 1");
    await object.run();
    expect(object.commands.get(ID).input).toBe(2);
    send("unasked");
    expect(() => send("unasked")).toThrow(/keeps 1000 events/);
  });
});

describe("an input", () => {
  test("keeps its types over the rounds", async () => {
    type Kept = { readonly at: Date; readonly seen: Map<string, bigint> };
    const keeping = workflow("Keeping", async (ctx, kept: Kept) => {
      if (kept.seen.size === 3) return [kept.at.getTime(), [...kept.seen.values()]];
      const seen = new Map(kept.seen).set(`${kept.seen.size}`, BigInt(kept.seen.size));
      return ctx.continueAsNew({ at: new Date(kept.at.getTime() + 1), seen });
    });
    const { document } = await ran(keeping, { at: new Date(1), seen: new Map() });
    expect(document).toMatchObject({ output: [4, ["0", "1", "2"]] });
  });

  test.each([
    ["PAYLOAD_UNSUPPORTED", { deep: [() => 1] }],
    ["PAYLOAD_TOO_LARGE", "x".repeat(LIMITS.payloadBytes)],
  ])(
    "that cannot be stored fails the instance with %s, and its history stays",
    async (code, input) => {
      const refused = workflow("Refused", async (ctx, first: unknown) => {
        await ctx.run("before", () => 1);
        return first === undefined ? ctx.continueAsNew(input).catch(() => "swallowed") : "round 2";
      });
      const { object, document } = await ran(refused);
      expect(document).toMatchObject({ status: "Failed", error: { code } });
      expect(document.error?.message).toMatch(/the input of continueAsNew/);
      expect(object.commands.history(ID, null, 10).items).toMatchObject([{ step: "before" }]);
    },
  );
});

describe("a version", () => {
  const versions = (count: number): AnyWorkflow[] =>
    Array.from({ length: count }, (_, index) =>
      workflow(
        "Versioned",
        { version: `${index + 1}` },
        async (ctx, input: { readonly seen: readonly string[]; readonly latest: boolean }) => {
          const seen = [...input.seen, ctx.version];
          await ctx.waitForEvent("go");
          if (seen.length === 3) return seen;
          const next = { ...input, seen };
          return input.latest
            ? ctx.continueAsNew(next, { version: "latest" })
            : ctx.continueAsNew(next);
        },
      ),
    );

  test.each([
    [false, ["1", "1", "1"]],
    [true, ["1", "2", "3"]],
  ])("moves on to the newest where that is asked for: %s", async (latest, seen) => {
    const [first] = versions(1);
    if (first === undefined) throw new Error("no version");
    const object = started(first, { seen: [], latest });
    for (let newest = 2; newest <= 4; newest++) {
      await object.run();
      object.deploy(versions(Math.min(3, newest)));
      object.commands.sendEvent(ID, { event: "go", payload: "[1]" });
    }
    await object.run();
    expect(object.commands.get(ID)).toMatchObject({ status: "Completed", output: seen });
  });

  test("that is neither left out nor latest fails the instance", async () => {
    const guessing = workflow("Guessing", (ctx, _: number) => {
      const options = { version: "2" } as unknown as { version: "latest" };
      return ctx.continueAsNew(1, options);
    });
    const { document } = await ran(guessing, 1);
    expect(document).toMatchObject({ status: "Failed", error: { code: "DEFINITION_INVALID" } });
  });
});
