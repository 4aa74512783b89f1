/** Rounds by the thousand, and rounds that are lost to a crash. */
import { describe, expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import { encode } from "../../src/core/payload.ts";
import { workflow } from "../../src/core/workflow.ts";
import { Cluster } from "../../src/testing/cluster.ts";
import { explore } from "../../src/testing/explore.ts";
import type { InProcessObject } from "../../src/testing/in-process-object.ts";
import { mock } from "../../src/testing/mock.ts";
import { crashesAt, ID, ran, started } from "./harness.ts";

/** Counts down, a round each, with a step in each round. */
const countdown = workflow("Countdown", async (ctx, left: number) => {
  await ctx.run("step", () => left);
  return left > 0 ? ctx.continueAsNew(left - 1) : "done";
});

const rowCounts = (object: InProcessObject) =>
  object.sql.all<{ steps: number; instances: number; pages: number }>(
    `SELECT (SELECT COUNT(*) FROM step) AS steps, (SELECT COUNT(*) FROM instance) AS instances,
      (SELECT page_count FROM pragma_page_count) AS pages`,
  )[0];

const rowsChanged = (object: InProcessObject) =>
  object.sql.all<{ count: number }>("SELECT total_changes() AS count")[0]?.count ?? 0;

const events = (object: InProcessObject) => object.logs.map(({ event }) => event);

describe("10,000 rounds", () => {
  test("leave storage as flat as ten do, and each costs the same rows", async () => {
    const costs: number[] = [];
    const sizes: unknown[] = [];
    for (const rounds of [10, 20, 10_000]) {
      const { object, document } = await ran(countdown, rounds);
      expect(document.status).toBe("Completed");
      costs.push(rowsChanged(object));
      sizes.push(rowCounts(object));
      expect(events(object).filter((event) => event === "instance.continued")).toHaveLength(rounds);
    }
    const [ten = 0, twenty = 0, most = 0] = costs;
    expect(sizes).toEqual([sizes[0], sizes[0], sizes[0]]);
    // A step, its removal, and the instance's row; and one more where a turn's budget ends.
    expect(twenty - ten).toBe(3 * 10);
    const turns = 20_001 / 1_000;
    expect(most - ten).toBeGreaterThanOrEqual(3 * 9_990);
    expect(most - ten).toBeLessThanOrEqual(3 * 9_990 + 2 * Math.ceil(turns));
  }, 60_000);

  test("without any step are as many turns as the budget says, each with an alarm", async () => {
    const empty = workflow("Empty", async (ctx, left: number) =>
      left > 0 ? ctx.continueAsNew(left - 1) : "done",
    );
    let rung = 0;
    const object = started(empty, 10_000, {
      onEvent: ({ kind }) => {
        if (kind === "alarm") rung++;
      },
    });
    await object.run();
    expect(object.commands.get(ID)).toMatchObject({ status: "Completed", output: "done" });
    expect(rung).toBe(11);
  }, 60_000);
});

describe("a crash", () => {
  interface Life {
    readonly round: number;
    readonly seen: readonly string[];
  }
  const charge = activity("Charge", async (_: string): Promise<string> => "");
  const living = workflow(
    "Living",
    async (ctx, { round, seen }: Life): Promise<readonly string[]> => {
      void ctx.waitForEvent("unheard");
      const receipt = await ctx.call(charge, `round ${round}`);
      const [event] = await Promise.all([ctx.waitForEvent<string>("go"), ctx.sleep(30)]);
      const now = [...seen, receipt, event, ctx.uuid()];
      return round < 3 ? ctx.continueAsNew({ round: round + 1, seen: now }) : now;
    },
  );
  const activities = [
    mock(charge, (what, ctx) => {
      ctx.effect("charged", { key: ctx.idempotencyKey, value: what });
      return what;
    }),
  ];
  const sent = ["one", "two", "three"].map((payload, index) => ({
    name: "go",
    payload,
    afterMillis: 25 * index,
  }));

  test("at any point changes nothing: no round is lost, none runs twice", async () => {
    const input = { round: 1, seen: [] };
    const { failures, report, runs } = await explore(living, input, { activities, events: sent });
    expect(failures, report).toEqual([]);
    expect(runs).toBeGreaterThan(40);
    const small = await explore(living, input, { activities, events: sent, turn: { steps: 1 } });
    expect(small.failures, small.report).toEqual([]);
  });

  test("before or after any commit leaves a round that ends, and an alarm until then", async () => {
    const life = async (faults = {}) => {
      const cluster = new Cluster({ workflows: [living], activities, faults, turn: { steps: 3 } });
      const instance = await cluster.start(living, { round: 1, seen: [] });
      for (const { name, payload } of sent) instance.send(name, payload);
      await cluster.run();
      expect(cluster.stuck()).toEqual([]);
      return { output: instance.output(), effects: cluster.effects, cluster };
    };
    const usual = await life();
    const commits = usual.cluster.objects[0]?.commits ?? 0;
    expect(commits).toBeGreaterThan(20);
    for (let commit = 1; commit <= commits; commit++) {
      for (const when of ["before", "after"] as const) {
        // The first commits are those of the requests, whose senders would have to repeat them.
        if (commit <= 4 && when === "before") continue;
        const { output, effects } = await life(crashesAt({ commit, when }));
        expect(output).toEqual(usual.output);
        expect(effects).toEqual(usual.effects);
      }
    }
  });
});

test("an event that ended a wait which changed code no longer asks for goes to the next round", async () => {
  const before = workflow("Changed", async (ctx) => {
    await ctx.waitForEvent("item");
    await ctx.sleep("1 hour");
  });
  const after = workflow("Changed", async (ctx, round: number | undefined) => {
    if (round === 2) return ctx.waitForEvent("item", { timeout: "1 hour" });
    await ctx.sleep("1 hour");
    return ctx.continueAsNew(2);
  });
  const object = started(before);
  await object.run(object.clock.now());
  object.commands.sendEvent(ID, { event: "item", payload: encode("kept", "the event") });
  await object.run(object.clock.now() + 1_000);
  expect(object.commands.history(ID, null, 9).items).toContainEqual(
    expect.objectContaining({ step: "item", state: "done" }),
  );
  object.deploy([after]);
  await object.run();
  expect(object.commands.get(ID)).toMatchObject({ status: "Completed", output: "kept" });
});

describe("a round that has not begun, because the turn's budget was used,", () => {
  const budget = { turn: { steps: 1 } };
  const rounds = (name: string) =>
    workflow(name, async (ctx, round: number = 1) => {
      ctx.log("begins", { round, replaying: ctx.replaying });
      await ctx.run("step", () => round);
      return round < 3 ? ctx.continueAsNew(round + 1) : round;
    });
  const told = (object: InProcessObject) =>
    object.logs
      .filter(({ event }) => event.startsWith("instance.") || event === "log")
      .map(({ event, round }) => (event === "log" ? `begins ${round}` : event.slice(9)));

  /** An instance whose second round is written and has not begun. */
  async function between(): Promise<InProcessObject> {
    const object = started(rounds("Rounds"), undefined, budget);
    await object.run(object.clock.now());
    expect(object.commands.get(ID)).toMatchObject({ status: "Running", startedAt: null, input: 2 });
    expect(told(object)).toEqual(["started", "begins 1", "continued"]);
    return object;
  }

  test.each([false, true])(
    "runs on after a resume, and is not started again (crash: %s)",
    async (crash) => {
      const object = await between();
      object.commands.suspend(ID, { reason: null });
      await object.run(object.clock.now() + 60_000);
      if (crash) object.crash();
      expect(object.commands.resume(ID, { reason: null })).toMatchObject({
        status: "Running",
        startedAt: null,
      });
      await object.run();
      expect(object.commands.get(ID)).toMatchObject({ status: "Completed", output: 3 });
      expect(told(object).slice(3)).toEqual([
        "suspended",
        "resumed",
        "begins 2",
        "continued",
        "begins 3",
        "completed",
      ]);
    },
  );

  test("is resumed, and not started, when its version is registered again", async () => {
    const object = await between();
    object.deploy([]);
    await object.run(object.clock.now() + 10);
    expect(object.commands.get(ID)).toMatchObject({
      status: "Suspended",
      error: { code: "VERSION_MISSING" },
    });
    object.deploy([rounds("Rounds")]);
    await object.run();
    expect(told(object).slice(3, 6)).toEqual(["suspended", "resumed", "begins 2"]);
  });
});

test("a restart in the middle of a life of rounds is Pending, and is started", async () => {
  const rounds = workflow("Rounds", async (ctx, round: number = 1) => {
    await ctx.run("step", () => round);
    return round < 3 ? ctx.continueAsNew(round + 1) : round;
  });
  const object = started(rounds);
  await object.run();
  object.commands.restart(ID, { reason: null });
  object.commands.suspend(ID, { reason: null });
  expect(object.commands.resume(ID, { reason: null }).status).toBe("Pending");
  await object.run();
  expect(object.logs.filter(({ event }) => event === "instance.started")).toHaveLength(2);
});
