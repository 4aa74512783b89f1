import { describe, expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import type { WorkflowContext } from "../../src/core/context.ts";
import type { StoredHistory } from "../../src/core/history.ts";
import { type AnyWorkflow, workflow } from "../../src/core/workflow.ts";
import { checkHistory } from "../../src/engine/check-history.ts";
import { Cluster } from "../../src/testing/cluster.ts";

const charge = activity("Charge", { retry: { maxAttempts: 1 } }, (amount: number) => {
  if (amount < 0) throw new Error("no such amount");
  return { amount };
});
const ship = activity("Ship", (to: string) => `shipped to ${to}`);

type Code = (ctx: WorkflowContext) => unknown;
const coded = (run: Code, version = "1") => workflow("Order", { version }, run);

const usual: Code = async (ctx) => {
  const paid = await ctx.call(charge, 10);
  await ctx.sleep("1 day");
  return [paid, await ctx.call(ship, "Ada")];
};

/** The history of a run of this code: to its end, or so many milliseconds long. */
async function historyOf(run: Code, millis?: number): Promise<StoredHistory> {
  const definition = coded(run);
  const cluster = new Cluster({ workflows: [definition] });
  const instance = await cluster.start(definition as AnyWorkflow);
  await (millis === undefined ? cluster.run() : cluster.advance(millis));
  const history = instance.export();
  if (history === undefined) throw new Error("nothing was started");
  return JSON.parse(JSON.stringify(history)) as StoredHistory; // it is kept in a file
}

/** Runs old code, so long, and checks its history against new code. */
const checked = async (before: Code, after: Code, millis?: number) =>
  checkHistory(coded(after), await historyOf(before, millis));

const FITS = { fits: true, problem: null, unasked: [], next: [] };
const misfit = (problem: RegExp) => ({ fits: false, problem: expect.stringMatching(problem) });

describe("a history fits", () => {
  test("the code that made it, without running an activity again", async () => {
    let runs = 0;
    const counting: Code = (ctx) => ctx.run("count", () => ++runs);
    expect(await checked(counting, counting)).toEqual(FITS);
    expect(runs).toBe(1);
    expect(await checked(usual, usual)).toEqual(FITS);
  });

  test("code that does a new step after what a running instance has done", async () => {
    const added: Code = async (ctx) => {
      const done = await usual(ctx);
      await ctx.run("audit", () => 1);
      return done;
    };
    expect(await checked(usual, added, 1_000)).toEqual(FITS); // it still sleeps
    const early: Code = async (ctx) => {
      await ctx.run("audit", () => 1);
      return usual(ctx);
    };
    expect(await checked(usual, early, 1_000)).toEqual({
      ...FITS,
      unasked: ["Charge", "sleep"],
      next: ["audit"],
    });
  });

  test("code that no longer asks for a step, which is then named", async () => {
    const shorter: Code = async (ctx) => {
      await ctx.sleep("1 day");
      return ctx.call(ship, "Ada");
    };
    expect(await checked(usual, shorter, 1_000)).toEqual({ ...FITS, unasked: ["Charge"] });
  });

  test("code that moved steps with names of their own", async () => {
    const steps = (names: readonly string[]): Code => {
      return async (ctx) => {
        for (const name of names) await ctx.run(name, () => name);
        return ctx.waitForEvent("go");
      };
    };
    expect(await checked(steps(["a", "b", "c"]), steps(["c", "a", "b"]))).toEqual(FITS);
  });

  test("code that gives another input to a step with a key", async () => {
    const keyed = (amount: number): Code => {
      return async (ctx) => {
        await ctx.call(charge, amount, { key: "order-1" });
        return "done";
      };
    };
    expect(await checked(keyed(10), keyed(20))).toEqual(FITS);
  });

  test("while it runs, with what is open or comes next", async () => {
    expect(await checked(usual, usual, 1_000)).toEqual(FITS); // the timer is recorded, and open
    const fresh = await historyOf(usual, 0);
    const check = await checkHistory(coded(usual), { ...fresh, steps: [] });
    expect(check).toEqual({ ...FITS, next: ["Charge"] });
  });

  test("code that begins anew, and the round that it began, of which only that is left", async () => {
    const lives: Code = async (ctx) => {
      const [, random] = [await ctx.call(charge, 10), ctx.random()];
      return random < 2 ? ctx.continueAsNew() : "never";
    };
    const asleep: Code = async (ctx) => {
      await ctx.call(charge, 10);
      await ctx.sleep("1 day");
    };
    expect(await checked(asleep, lives, 1_000)).toEqual({ ...FITS, unasked: ["sleep"] });
    let left = 2;
    const rounds: Code = async (ctx) => {
      await ctx.sleep("1 hour");
      return left-- > 0 ? ctx.continueAsNew() : "over";
    };
    const history = await historyOf(rounds);
    expect([history.status, history.steps.length]).toEqual(["Completed", 1]);
    expect(await checkHistory(coded(rounds), history)).toEqual(FITS);
    left = 1;
    expect(await checkHistory(coded(rounds), history)).toMatchObject(
      misfit(/^the instance completed with \["over"\]; on replay the code continued as new/),
    );
  });

  test("once it was terminated, whatever the code would have done next", async () => {
    const terminated = { ...(await historyOf(usual, 1_000)), status: "Terminated" } as const;
    expect(await checkHistory(coded(usual), terminated)).toEqual(FITS);
  });

  test("with failures that the code catches, and with the failure it ended with", async () => {
    const catching: Code = async (ctx) => {
      const error: unknown = await ctx.call(charge, -1).catch((thrown: unknown) => thrown);
      return error instanceof Error ? error.message : "paid";
    };
    expect(await checked(catching, catching)).toEqual(FITS);
    const failing: Code = (ctx) => ctx.call(charge, -1);
    expect((await historyOf(failing)).status).toBe("Failed");
    expect(await checked(failing, failing)).toEqual(FITS);
  });

  test("with falsy values, Dates, Maps and bigints among inputs, results and outputs", async () => {
    for (const value of [undefined, null, 0, "", false, new Date(5), new Map([["a", 1n]])]) {
      const echo = activity("Echo", (given: unknown) => given);
      const echoing: Code = async (ctx) => {
        const given = await ctx.call(echo, value);
        return given === value || given instanceof Date || given instanceof Map ? given : "lost";
      };
      expect(await checked(echoing, echoing)).toEqual(FITS);
    }
  });

  test("with a race whose loser was never recorded: an ended instance has nothing next", async () => {
    const racing: Code = (ctx) => Promise.race([ctx.call(charge, 1), ctx.sleep("1 day")]);
    expect(await checked(racing, racing)).toMatchObject({ fits: true, next: [] });
  });

  test("with an output that could not be stored, where that was its failure", async () => {
    const unstorable: Code = () => () => 1;
    expect((await historyOf(unstorable)).error).toContain("PAYLOAD_UNSUPPORTED");
    expect(await checked(unstorable, unstorable)).toEqual(FITS);
  });
});

describe("a history does not fit", () => {
  test("code that gives a step another input", async () => {
    const dearer: Code = (ctx) => ctx.call(charge, 20);
    expect(await checked(usual, dearer, 1_000)).toMatchObject(
      misfit(
        /^step "Charge" is recorded with the input \[10\], and the code asks for it with \[20\]/,
      ),
    );
  });

  test("code that asks for another kind of step by the same name", async () => {
    const waiting: Code = (ctx) => ctx.waitForEvent("Charge");
    expect(await checked(usual, waiting, 1_000)).toMatchObject(
      misfit(/^step "Charge" is recorded as activity, and the code asks for event/),
    );
  });

  test("code that ends otherwise", async () => {
    const returning =
      (value: unknown): Code =>
      () =>
        value;
    const throwing: Code = () => {
      throw new TypeError("no");
    };
    expect(await checked(returning(1), returning(2))).toMatchObject(
      misfit(/^the instance completed with \[1\]; on replay the code completed with \[2\]$/),
    );
    expect(await checked(returning(0), returning(null))).toMatchObject(misfit(/completed/));
    expect(await checked(returning(1), throwing)).toMatchObject(
      misfit(/completed with \[1\]; on replay the code failed with TypeError: no$/),
    );
    expect(await checked(throwing, returning(1))).toMatchObject(
      misfit(/failed with TypeError: no; on replay the code completed with \[1\]$/),
    );
    expect(
      await checked(
        returning(1),
        returning(() => 1),
      ),
    ).toMatchObject(
      misfit(/completed with \[1\]; on replay the code failed with WaymarkError: the output of/),
    );
  });

  test("code that goes on after the end", async () => {
    const longer: Code = async (ctx) => {
      await ctx.sleep("1 hour");
      return 1;
    };
    expect(await checked(() => 1, longer)).toMatchObject({
      ...misfit(/completed with \[1\]; on replay the code waits for another step$/),
      next: ["sleep"],
    });
  });

  test("code that waits for what no step settles, as it would be suspended", async () => {
    const stalled: Code = async (ctx) => {
      await ctx.call(charge, 10);
      await new Promise(() => {});
    };
    expect(await checked(usual, stalled, 1_000)).toMatchObject(misfit(/no step settles/));
  });

  test("another workflow, or another version of it", async () => {
    const history = await historyOf(usual, 1_000);
    expect(await checkHistory(coded(usual, "2"), history)).toMatchObject(
      misfit(/^the history is of "Order" version "1", and the definition is "Order" version "2"/),
    );
    expect(await checkHistory(workflow("Other", usual), history)).toMatchObject(misfit(/"Other"/));
  });
});
