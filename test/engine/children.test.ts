import { describe, expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import { ChildFailedError, NonRetryableError } from "../../src/core/failure.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { encode } from "../../src/core/payload.ts";
import { type AnyWorkflow, workflow } from "../../src/core/workflow.ts";
import { Cluster, type ClusterOptions } from "../../src/testing/cluster.ts";
import type { Faults } from "../../src/testing/faults.ts";
import { mock } from "../../src/testing/mock.ts";
import { atEachCommit } from "./harness.ts";

const MINUTE = 60_000;

const double = activity("Double", (n: number) => 2 * n);
const doubled = workflow("Doubled", (ctx, n: number) => ctx.call(double, n));
const waits = workflow("Waits", (ctx) => ctx.waitForEvent<string>("go"));

/** A schema that nothing fits. */
const nothing = {
  "~standard": {
    version: 1 as const,
    vendor: "test",
    validate: () => ({ issues: [{ message: "is something" }] }),
  },
};

const cluster = (workflows: readonly AnyWorkflow[], options: Partial<ClusterOptions> = {}) =>
  new Cluster({ workflows, ...options });

/** The only instance of that workflow. */
const onlyOf = (clustered: Cluster, name: string) => {
  const ids = clustered.objects.map((object) => object.name);
  const documents = ids.flatMap((id) => {
    try {
      return [clustered.instance(id).document()];
    } catch {
      return [];
    }
  });
  const [only, ...more] = documents.filter((document) => document.workflow === name);
  if (only === undefined || more.length > 0) throw new Error(`${more.length} more of ${name}`);
  return only;
};

/** Loses one object at one of its commits. */
const losing = (name: string, commit: number, when: "before" | "after"): Faults => ({
  crash: (object, moment) =>
    object === name && moment.kind === "commit" && moment.commit === commit && moment.when === when,
});

describe("ctx.call of a workflow", () => {
  const parent = workflow("Parent", async (ctx, n: number) => {
    const first = await ctx.call(doubled, n, { id: "child-1" });
    return [first, await ctx.call(doubled, first)];
  });

  test("runs it as an instance of its own and returns what it returned", async () => {
    const simulated = cluster([parent, doubled]);
    const instance = await simulated.start(parent, 4, { id: "p" });
    await simulated.run();
    expect(instance.output()).toEqual([8, 16]);
    expect(simulated.instance("child-1").document()).toMatchObject({
      workflow: "Doubled",
      status: "Completed",
      parent: { id: "p", step: "Doubled" },
      output: 8,
    });
    const [step] = instance.history();
    expect(step).toMatchObject({
      step: "Doubled",
      kind: "child",
      state: "done",
      attempts: 1,
      instanceId: "child-1",
      input: 4,
      result: 8,
    });
  });

  test("tells the child of its parent", async () => {
    const child = workflow("Child", (ctx) => ctx.parent);
    const asking = workflow("Asking", (ctx) => ctx.call(child));
    const simulated = cluster([asking, child]);
    const instance = await simulated.start(asking, undefined, { id: "p" });
    await simulated.run();
    const { executionId } = instance.document();
    expect(instance.output()).toEqual({ instanceId: "p", executionId, step: "Child" });
    expect(instance.document().parent).toBeNull();
  });

  test("shows, while it waits, for which instance", async () => {
    const waiting = workflow("Waiting", (ctx) => ctx.call(waits, undefined, { id: "w" }));
    const simulated = cluster([waiting, waits]);
    const instance = await simulated.start(waiting);
    await simulated.advance("1 minute");
    const shown = { kind: "child", name: "Waits", step: "Waits", attempt: 1, instanceId: "w" };
    expect(instance.document().waitingFor).toEqual([shown]);
    instance.crash();
    expect(instance.document().waitingFor).toEqual([shown]);
    expect(instance.history()).toMatchObject([{ state: "running", instanceId: "w" }]);
  });

  test("shows a child with a timeout the same from memory and from its rows", async () => {
    const options = { id: "w", timeout: "1 hour" } as const;
    const waiting = workflow("Waiting", (ctx) => ctx.call(waits, undefined, options));
    const simulated = cluster([waiting, waits]);
    const instance = await simulated.start(waiting);
    await simulated.advance("1 minute");
    const { waitingFor } = instance.document();
    expect(waitingFor).toMatchObject([{ kind: "child", attempt: 1, due: expect.any(String) }]);
    instance.crash();
    expect(instance.document().waitingFor).toEqual(waitingFor);
  });

  test("lets falsy values through, both ways", async () => {
    const echo = workflow("Echo", (_ctx, value: unknown) => value);
    const values = [0, "", false, null, undefined, Number.NaN, 0n];
    const echoing = workflow("Echoing", async (ctx) => {
      const results: unknown[] = [];
      for (const [index, value] of values.entries()) {
        results.push(await ctx.call(echo, value, { key: `${index}` }));
      }
      return results;
    });
    const simulated = cluster([echoing, echo], { faults: { evicted: () => true } });
    const instance = await simulated.start(echoing);
    await simulated.run();
    expect(instance.output()).toEqual(values);
  });

  test("sends a child's input through its schema, and fails the step where it does not fit", async () => {
    const schema = {
      "~standard": {
        version: 1 as const,
        vendor: "test",
        validate: async (value: unknown) =>
          value === "bad" ? { issues: [{ message: "is bad" }] } : { value: `${value}!` },
      },
    };
    const strict = workflow("Strict", { input: schema }, (_ctx, input: string) => input);
    const both = workflow("Both", async (ctx) => [
      await ctx.call(strict, "good"),
      await ctx.call(strict, "bad").catch((error) => [error.code, error.failure.code]),
    ]);
    const simulated = cluster([both, strict]);
    const instance = await simulated.start(both);
    await simulated.run();
    expect(instance.output()).toEqual(["good!", ["CHILD_FAILED", "INPUT_INVALID"]]);
  });

  test("fails where the workflow is not registered, and where the id is taken", async () => {
    const unknown = workflow("Unknown", () => {});
    const both = workflow("Both", async (ctx) => [
      await ctx.call(unknown).catch((error) => error.failure.code),
      await ctx.call(doubled, 1, { id: "taken" }).catch((error) => error.failure.code),
    ]);
    const simulated = cluster([both, doubled, waits]);
    await simulated.start(waits, undefined, { id: "taken" });
    const instance = await simulated.start(both);
    await simulated.advance("1 minute");
    expect(instance.output()).toEqual(["WORKFLOW_NOT_FOUND", "INSTANCE_EXISTS"]);
    expect(simulated.instance("taken").document()).toMatchObject({ workflow: "Waits" });
  });

  test("fails with all its causes, from the lowest child up", async () => {
    const charge = activity("Charge", () => {
      throw new NonRetryableError("card declined", { cause: new TypeError("no such card") });
    });
    const lowest = workflow("Lowest", (ctx) => ctx.call(charge));
    const middle = workflow("Middle", (ctx) => ctx.call(lowest, undefined, { id: "lowest" }));
    const top = workflow("Top", (ctx) => ctx.call(middle, undefined, { id: "middle" }));
    const simulated = cluster([top, middle, lowest]);
    const instance = await simulated.start(top);
    await simulated.run();
    expect(instance.document()).toMatchObject({
      status: "Failed",
      error: {
        type: "ChildFailedError",
        code: "CHILD_FAILED",
        cause: {
          type: "ChildFailedError",
          instanceId: "middle",
          cause: {
            type: "ActivityFailedError",
            instanceId: "lowest",
            cause: {
              type: "NonRetryableError",
              message: "card declined",
              cause: { type: "TypeError", message: "no such card" },
            },
          },
        },
      },
    });
  });

  test("keeps so many causes, however deep the children go", async () => {
    const deep: AnyWorkflow = workflow("Deep", async (ctx, left: number): Promise<unknown> => {
      if (left === 0) throw new Error("the bottom");
      return ctx.call(deep, left - 1);
    });
    const simulated = cluster([deep]);
    const instance = await simulated.start(deep, LIMITS.failureChain + 5);
    await simulated.run();
    let causes = 0;
    for (let failure = instance.document().error; failure?.cause; failure = failure.cause) causes++;
    expect(causes).toBe(LIMITS.failureChain);
  });

  test("starts a child that failed again, under the same id, as often as its policy says", async () => {
    const flaky = activity("Flaky", { retry: { maxAttempts: 1 } }, () => {});
    const child = workflow("Child", (ctx) => ctx.call(flaky));
    const retrying = workflow("Retrying", async (ctx) => {
      const retry = { maxAttempts: 3, firstInterval: "1 minute" } as const;
      return ctx.call(child, undefined, { id: "child", retry });
    });
    let runs = 0;
    const simulated = cluster([retrying, child], {
      activities: [
        mock(flaky, () => {
          if (++runs < 3) throw new Error(`run ${runs}`);
          return "done" as never;
        }),
      ],
    });
    const instance = await simulated.start(retrying);
    await simulated.advance("30 seconds");
    expect(instance.document().waitingFor).toMatchObject([{ attempt: 2, kind: "child" }]);
    await simulated.run();
    expect(instance.output()).toBe("done");
    expect(instance.history()).toMatchObject([{ attempts: 3, state: "done" }]);
    expect(runs).toBe(3);
  });

  test("does not start a child again whose code throws a NonRetryableError, whatever commit is lost", async () => {
    const child = workflow("Child", async (ctx) => {
      await ctx.sleep("1 minute");
      throw new NonRetryableError("out of stock", { cause: new RangeError("none left") });
    });
    const retrying = workflow("Retrying", (ctx) =>
      ctx
        .call(child, undefined, { id: "child", retry: { maxAttempts: 3, retryIf: () => true } })
        .catch((error: ChildFailedError) => [error.attempts, error.failure]),
    );
    for (const lost of ["p", "child"]) {
      const commits = await atEachCommit(async ({ commit, when }) => {
        const faults = { ...losing(lost, commit, when), evicted: () => true };
        const simulated = cluster([retrying, child], { faults });
        const instance = await simulated.start(retrying, undefined, { id: "p" });
        await simulated.run();
        const failure = { code: "NON_RETRYABLE", message: "out of stock" };
        expect(instance.output()).toMatchObject([1, { ...failure, cause: { type: "RangeError" } }]);
        expect(instance.history()).toMatchObject([{ attempts: 1, state: "failed" }]);
        return simulated.object(lost);
      });
      expect(commits).toBeGreaterThan(2);
    }
  });

  test("starts a child again of which an activity has failed by a NonRetryableError", async () => {
    const charge = activity("Charge", (card: number) => {
      if (card < 3) throw new NonRetryableError("card declined");
      return card;
    });
    let card = 0;
    const child = workflow("Child", async (ctx) => {
      const next = await ctx.run("next card", () => ++card);
      return ctx.call(charge, next);
    });
    const retrying = workflow("Retrying", (ctx) =>
      ctx.call(child, undefined, { retry: { maxAttempts: 3 } }),
    );
    const simulated = cluster([retrying, child], { faults: { evicted: () => true } });
    const instance = await simulated.start(retrying);
    await simulated.run();
    expect(instance.output()).toBe(3);
  });

  test("ends a child that takes too long, and fails", async () => {
    const hasty = workflow("Hasty", (ctx) =>
      ctx.call(waits, undefined, { id: "slow", timeout: "1 hour" }).catch((error) => error.failure),
    );
    const simulated = cluster([hasty, waits], { faults: { evicted: () => true } });
    const instance = await simulated.start(hasty);
    await simulated.run();
    expect(instance.output()).toMatchObject({ code: "CHILD_TIMEOUT", instanceId: "slow" });
    expect(simulated.instance("slow").document()).toMatchObject({ status: "Terminated" });
  });

  test("fails where its child is terminated, and does not start it again", async () => {
    const watching = workflow("Watching", (ctx) =>
      ctx
        .call(waits, undefined, { id: "w", retry: { maxAttempts: 5 } })
        .catch((error: unknown) => error instanceof ChildFailedError && error.failure.message),
    );
    const simulated = cluster([watching, waits]);
    const instance = await simulated.start(watching);
    await simulated.advance("1 minute");
    simulated.instance("w").terminate("by hand");
    await simulated.run();
    expect(instance.output()).toBe("by hand");
  });

  test("fails where another execution takes the child's place; a restarted one stays its child", async () => {
    const watching = workflow("Watching", (ctx, id: string) =>
      ctx.call(waits, undefined, { id }).catch((error) => error.failure.code),
    );
    const simulated = cluster([watching, waits]);
    const [one, two] = [
      await simulated.start(watching, "replaced"),
      await simulated.start(watching, "restarted"),
    ];
    await simulated.advance("1 minute");
    await simulated.start(waits, undefined, { id: "replaced", onConflict: "replace" });
    simulated.instance("restarted").restart();
    await simulated.advance("1 minute");
    simulated.instance("restarted").send("go", "went");
    await simulated.run();
    expect(one.output()).toBe("CHILD_REPLACED");
    expect(two.output()).toBe("went");
  });

  test("takes over, with its next try, a failed child that was restarted by hand", async () => {
    const child = workflow("Child", async (ctx) => {
      const how = await ctx.waitForEvent("how");
      if (how === "fail") throw new Error("as asked");
      return how;
    });
    const retry = { maxAttempts: 2, firstInterval: "1 minute" } as const;
    const retrying = workflow("Retrying", (ctx) => ctx.call(child, undefined, { id: "c", retry }));
    const simulated = cluster([retrying, child]);
    const instance = await simulated.start(retrying);
    await simulated.advance("1 second");
    simulated.instance("c").send("how", "fail");
    await simulated.advance("1 second");
    simulated.instance("c").restart();
    await simulated.advance("2 minutes");
    expect(instance.document().waitingFor).toMatchObject([{ attempt: 2 }]);
    simulated.instance("c").send("how", "well");
    await simulated.run();
    expect(instance.output()).toBe("well");
  });

  test("asks its child to end where the code cancels the step", async () => {
    const racing = workflow("Racing", async (ctx) => {
      const first = await ctx.race({
        child: (signal) => ctx.call(waits, undefined, { id: "loser", signal }),
        late: (signal) => ctx.sleep("1 hour", { signal }),
      });
      return first.winner;
    });
    const simulated = cluster([racing, waits]);
    const instance = await simulated.start(racing);
    await simulated.run();
    expect(instance.output()).toBe("late");
    expect(simulated.instance("loser").document()).toMatchObject({
      status: "Terminated",
      error: { code: "CANCELLED" },
    });
  });

  test("waits on over rounds of the child, which continues as new", async () => {
    const counting = workflow(
      "Counting",
      async (ctx, n: number): Promise<number> => (n < 5 ? ctx.continueAsNew(n + 1) : n),
    );
    const calling = workflow("Calling", (ctx) => ctx.call(counting, 0));
    const simulated = cluster([calling, counting]);
    const instance = await simulated.start(calling);
    await simulated.run();
    expect(instance.output()).toBe(5);
  });

  test("runs a thousand children at once", async () => {
    const many = workflow("Many", async (ctx) => {
      const calls = Array.from({ length: 1_000 }, (_, n) => ctx.call(doubled, n, { key: `${n}` }));
      return (await Promise.all(calls)).reduce((sum, n) => sum + n, 0);
    });
    const simulated = cluster([many, doubled]);
    const instance = await simulated.start(many);
    await simulated.run();
    expect(instance.output()).toBe(999_000);
  });
});

describe("the end of a parent", () => {
  const ends = {
    returns: (clustered: Cluster) => clustered.instance("p").send("end", "return"),
    throws: (clustered: Cluster) => clustered.instance("p").send("end", "throw"),
    "continues as new": (clustered: Cluster) => clustered.instance("p").send("end", "continue"),
    "is terminated": (clustered: Cluster) => clustered.instance("p").terminate(),
    "is restarted": (clustered: Cluster) => clustered.instance("p").restart(),
    "is purged": (clustered: Cluster) => clustered.instance("p").purge({ force: true }),
  };
  const closing = workflow("Closing", async (ctx, round: number): Promise<unknown> => {
    if (round > 0) return ctx.waitForEvent("never");
    for (const parentClose of ["abandon", "cancel", "terminate"] as const) {
      void ctx.call(waits, undefined, { id: `call-${parentClose}`, parentClose }).catch(() => {});
      await ctx.start(waits, undefined, { id: `start-${parentClose}`, parentClose });
    }
    const how = await ctx.waitForEvent("end");
    if (how === "continue") return ctx.continueAsNew(1);
    if (how === "throw") throw new Error("as asked");
    return how;
  });

  test.each(Object.keys(ends) as (keyof typeof ends)[])(
    "that %s does with its children what their parentClose says",
    async (how) => {
      const simulated = cluster([closing, waits]);
      await simulated.start(closing, 0, { id: "p" });
      await simulated.advance("1 minute");
      simulated.instance("p").crash();
      ends[how](simulated);
      await simulated.advance("1 minute");
      for (const kind of ["call", "start"]) {
        const read = (close: string) => simulated.instance(`${kind}-${close}`).document();
        expect(read("abandon")).toMatchObject({
          status: "Running",
        });
        expect(read("cancel")).toMatchObject({
          status: "Terminated",
          error: { code: "CANCELLED" },
        });
        expect(read("terminate")).toMatchObject({
          status: "Terminated",
          error: { type: "Terminated" },
        });
      }
      expect(simulated.stuck()).toEqual([]);
    },
  );

  test("leaves a child alone that belongs to somebody else by now", async () => {
    const simulated = cluster([closing, waits]);
    await simulated.start(closing, 0, { id: "p" });
    await simulated.advance("1 minute");
    await simulated.start(waits, undefined, { id: "call-terminate", onConflict: "replace" });
    simulated.instance("p").terminate();
    await simulated.advance("1 minute");
    expect(simulated.instance("call-terminate").document().status).toBe("Running");
  });

  test("a child whose parent was replaced goes on, and its result is dropped", async () => {
    const calling = workflow("Calling", async (ctx, id: string) => [
      id,
      await ctx.call(waits, undefined, { id }),
    ]);
    const simulated = cluster([calling, waits]);
    await simulated.start(calling, "one", { id: "p" });
    await simulated.advance("1 minute");
    const second = await simulated.start(calling, "two", { id: "p", onConflict: "replace" });
    await simulated.advance("1 minute");
    simulated.instance("one").send("go", "stale");
    await simulated.advance("1 minute");
    expect(simulated.instance("one").document()).toMatchObject({ status: "Completed" });
    expect(second.document().status).toBe("Running");
    simulated.instance("two").send("go", "fresh");
    await simulated.run();
    expect(second.output()).toEqual(["two", "fresh"]);
    expect(simulated.stuck()).toEqual([]);
  });

  test("reaches all children, and theirs, where it is asked to", async () => {
    const leaf = workflow("Leaf", (ctx) => ctx.waitForEvent("never"));
    const branch = workflow("Branch", (ctx) => ctx.call(leaf, undefined, { id: "leaf" }));
    const root = workflow("Root", (ctx) => ctx.call(branch, undefined, { id: "branch" }));
    const simulated = cluster([root, branch, leaf]);
    await simulated.start(root, undefined, { id: "root" });
    await simulated.advance("1 minute");
    simulated.instance("root").terminate("all of it", { recursive: true });
    await simulated.advance("1 minute");
    for (const id of ["root", "branch", "leaf"]) {
      const { status, error } = simulated.instance(id).document();
      expect([id, status, error?.message]).toEqual([id, "Terminated", "all of it"]);
    }
    simulated.instance("root").purge({ recursive: true });
    await simulated.advance("1 minute");
    for (const id of ["root", "branch", "leaf"]) {
      expect(() => simulated.instance(id).document()).toThrow("there is no instance");
    }
    await simulated.advance("2 days");
    for (const object of simulated.objects) expect(object.alarm).toBeNull();
  });

  test.each(["terminate", "cancel"] as const)(
    "that was terminated alone: its children are still reached by a recursive %s",
    async (verb) => {
      const calling = workflow("Calling", (ctx) => ctx.call(waits, undefined, { id: "w" }));
      const simulated = cluster([calling, waits]);
      const instance = await simulated.start(calling);
      await simulated.advance("1 second");
      instance.terminate();
      await simulated.advance("1 second");
      expect(simulated.instance("w").document().status).toBe("Running");
      instance[verb]("them too", { recursive: true });
      await simulated.advance("1 second");
      const { status, error } = simulated.instance("w").document();
      expect([status, error?.message]).toEqual(["Terminated", "them too"]);
    },
  );

  test("by a recursive cancel lets each of them clean up", async () => {
    const cleaned: string[] = [];
    const clean = activity("Clean", (id: string) => cleaned.push(id));
    const cleaning = (name: string, child?: AnyWorkflow) =>
      workflow(name, async (ctx): Promise<void> => {
        try {
          if (child === undefined) await ctx.waitForEvent("never");
          else await ctx.call(child);
        } finally {
          await ctx.call(clean, name);
        }
      });
    const leaf = cleaning("Leaf");
    const root = cleaning("Root", leaf);
    const simulated = cluster([root, leaf]);
    const instance = await simulated.start(root);
    await simulated.advance("1 minute");
    instance.cancel("enough", { recursive: true });
    await simulated.run();
    expect(cleaned.toSorted()).toEqual(["Leaf", "Root"]);
    expect(onlyOf(simulated, "Leaf").status).toBe("Terminated");
  });
});

test("a recursive purge removes children that have ended, too", async () => {
  const calling = workflow("Calling", async (ctx) => {
    await ctx.call(doubled, 1, { id: "called" });
    await ctx.start(doubled, 2, { id: "begun" });
  });
  const simulated = cluster([calling, doubled]);
  const instance = await simulated.start(calling, undefined, { id: "p" });
  await simulated.run(new Date(simulated.clock.now() + MINUTE));
  instance.purge({ recursive: true });
  await simulated.advance(MINUTE);
  for (const id of ["p", "called", "begun"]) {
    expect(() => simulated.instance(id).document()).toThrow("there is no instance");
  }
});

describe("ctx.start", () => {
  const starting = workflow("Starting", (ctx) => ctx.start(waits, undefined, { id: "w" }));

  test("returns the child's ids, and does not wait for its end", async () => {
    const simulated = cluster([starting, waits]);
    const instance = await simulated.start(starting);
    await simulated.advance("1 minute");
    const { id, executionId } = simulated.instance("w").document();
    expect(instance.output()).toEqual({ id, executionId });
  });

  test("takes the place of one that an earlier execution of its parent had started, and that has ended", async () => {
    const fixed = workflow("Fixed", async (ctx, round: number): Promise<unknown> => {
      const got = await ctx.call(doubled, round, { id: "fixed-child" });
      return round < 3 ? ctx.continueAsNew(round + 1) : got;
    });
    const simulated = cluster([fixed, doubled, waits]);
    const instance = await simulated.start(fixed, 1);
    await simulated.run();
    expect(instance.output()).toBe(6);
    instance.restart();
    await simulated.run();
    expect(instance.output()).toBe(6);
  });

  test("does not take the place of one that still runs, or that another step has started", async () => {
    const rival = workflow("Rival", async (ctx, started: boolean): Promise<unknown> => {
      if (!started) {
        await ctx.start(waits, undefined, { id: "busy" });
        await ctx.call(doubled, 1, { id: "ended" });
        await ctx.call(doubled, 2, { id: "ended" });
      }
      return ctx.call(waits, undefined, { id: "busy" });
    });
    const simulated = cluster([rival, doubled, waits]);
    const instance = await simulated.start(rival, false);
    await simulated.run();
    expect(instance.document().error?.message).toContain('"ended"');
    const other = await simulated.start(rival, true);
    await simulated.run();
    expect(other.document().error?.message).toContain('"busy"');
  });

  test("fails with INSTANCE_EXISTS where the id is taken", async () => {
    const simulated = cluster([starting, waits]);
    await simulated.start(waits, undefined, { id: "w" });
    const instance = await simulated.start(starting);
    await simulated.advance("1 minute");
    expect(instance.document()).toMatchObject({
      status: "Failed",
      error: { code: "INSTANCE_EXISTS" },
    });
  });

  test("starts it, and sends its events, even where nobody waits and the workflow returns", async () => {
    const leaving = workflow("Leaving", (ctx) => {
      void ctx.start(waits, undefined, { id: "w" });
      void ctx.sendEvent("w", "go", "on");
      return "gone";
    });
    const simulated = cluster([leaving, waits]);
    const instance = await simulated.start(leaving);
    await simulated.run();
    expect(instance.output()).toBe("gone");
    expect(simulated.instance("w").output()).toBe("on");
    expect(simulated.stuck()).toEqual([]);
  });

  test("starts it later where it says so, with its tags", async () => {
    const later = workflow("Later", (ctx) => {
      const startAt = new Date(ctx.now.getTime() + 3_600_000);
      return ctx.start(doubled, 1, { id: "d", startAt, tags: { of: "later" } });
    });
    const simulated = cluster([later, doubled]);
    await simulated.start(later);
    await simulated.advance("59 minutes");
    expect(simulated.instance("d").document()).toMatchObject({
      status: "Pending",
      tags: { of: "later" },
    });
    await simulated.advance("1 minute");
    expect(simulated.instance("d").document().status).toBe("Completed");
  });
});

describe("ctx.sendEvent", () => {
  test("brings events to another instance in order, each once", async () => {
    const collecting = workflow("Collecting", async (ctx, count: number) => {
      const got: unknown[] = [];
      while (got.length < count) got.push(await ctx.waitForEvent("item"));
      return got;
    });
    const sending = workflow("Sending", async (ctx) => {
      const sent = Array.from({ length: 12 }, (_, n) => ctx.sendEvent("c", "item", n));
      await Promise.all(sent);
    });
    const simulated = cluster([collecting, sending], { faults: rough() });
    const collector = await simulated.start(collecting, 12, { id: "c" });
    await simulated.start(sending);
    await simulated.run();
    expect(collector.output()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  });

  test("fails where there is no such instance, and where it has ended", async () => {
    const sending = workflow("Sending", async (ctx) => [
      await ctx.sendEvent("nobody", "e").catch((error) => error.code),
      await ctx.sendEvent("ended", "e").catch((error) => error.code),
      await ctx.sendEvent("no/id", "e").catch((error) => error.code),
    ]);
    const simulated = cluster([sending, doubled]);
    await simulated.start(doubled, 1, { id: "ended" });
    await simulated.run();
    const instance = await simulated.start(sending);
    await simulated.run();
    expect(instance.output()).toEqual([
      "INSTANCE_NOT_FOUND",
      "INSTANCE_TERMINAL",
      "INSTANCE_ID_INVALID",
    ]);
  });

  test("waits where the other one's buffer is full, and goes on when there is room", async () => {
    const full = workflow("Full", async (ctx) => {
      await ctx.waitForEvent("open");
      for (let n = 0; n <= LIMITS.bufferedEvents; n++) await ctx.waitForEvent("item");
    });
    const filling = workflow("Filling", async (ctx) => {
      const items = Array.from({ length: LIMITS.bufferedEvents + 1 }, (_, n) => n);
      await Promise.all(items.map((n) => ctx.sendEvent("full", "item", n)));
      await ctx.sendEvent("full", "open");
    });
    const simulated = cluster([full, filling]);
    await simulated.start(full, undefined, { id: "full" });
    const sender = await simulated.start(filling);
    await simulated.advance("5 minutes");
    const { waitingFor } = sender.document();
    expect(waitingFor).toMatchObject([{ kind: "send", name: "send item" }]);
    simulated.instance("full").terminate();
    await simulated.run();
    expect(sender.document().error).toMatchObject({ code: "INSTANCE_TERMINAL" });
  });
});

/** Every third message is lost, every third unanswered, every second doubled. */
function rough(): Faults {
  let sent = 0;
  return {
    message: () => {
      sent++;
      return { lost: sent % 3 === 0, unanswered: sent % 3 === 1, doubled: sent % 2 === 0 };
    },
    evicted: () => true,
  };
}

describe("a crash", () => {
  const child = workflow("Child", async (ctx, n: number) => {
    await ctx.sleep("1 second");
    return ctx.call(double, n);
  });
  const parent = workflow("Parent", async (ctx) => {
    const [one, two] = await Promise.all([
      ctx.call(child, 1, { id: "one" }),
      ctx.call(child, 2, { id: "two" }),
    ]);
    await ctx.sendEvent("w", "go", one + two);
    return one + two;
  });

  test.each(["p", "one", "w"])("of %s at any commit changes nothing", async (name) => {
    let crashes = 0;
    for (const when of ["before", "after"] as const) {
      for (let commit = 2; commit < 16; commit++) {
        const simulated = cluster([parent, child, waits], { faults: losing(name, commit, when) });
        const waiter = await simulated.start(waits, undefined, { id: "w" });
        const instance = await simulated.start(parent, undefined, { id: "p" });
        await simulated.run();
        expect(instance.output()).toBe(6);
        expect(waiter.output()).toBe(6);
        expect(simulated.stuck()).toEqual([]);
        crashes += simulated.object(name).crashes;
      }
    }
    expect(crashes).toBeGreaterThan(5);
  });

  test("or any loss of messages changes nothing", async () => {
    const simulated = cluster([parent, child, waits], { faults: rough() });
    const waiter = await simulated.start(waits, undefined, { id: "w" });
    const instance = await simulated.start(parent, undefined, { id: "p" });
    await simulated.run();
    expect(instance.output()).toBe(6);
    expect(waiter.output()).toBe(6);
  });
});

describe("a suspended parent", () => {
  test("gets its child's result when it is resumed, and costs nothing until then", async () => {
    const calling = workflow("Calling", (ctx) => ctx.call(waits, undefined, { id: "w" }));
    const simulated = cluster([calling, waits]);
    const instance = await simulated.start(calling, undefined, { id: "p" });
    await simulated.advance("1 minute");
    instance.suspend();
    instance.crash();
    simulated.instance("w").send("go", "went");
    await simulated.advance("1 hour");
    expect(instance.document().status).toBe("Suspended");
    expect(simulated.object("p").alarm).toBeNull();
    instance.resume();
    await simulated.advance("1 minute");
    expect(instance.output()).toBe("went");
  });
});

test("a purged child's start that comes once more starts nothing", async () => {
  const calling = workflow("Calling", (ctx) => ctx.call(doubled, 1, { id: "d" }));
  const simulated = cluster([calling, doubled]);
  await simulated.start(calling, undefined, { id: "p" });
  await simulated.run();
  const { executionId } = simulated.instance("p").document();
  simulated.instance("d").purge();
  const parent = { id: "p", executionId, step: "Doubled", attempt: "0.1", awaited: true };
  const start = { kind: "start", workflow: "Doubled", version: "1" } as const;
  const content = { ...start, input: encode(1, "n"), tags: {}, startAt: undefined, parent };
  const message = {
    to: "d",
    from: executionId,
    number: 1,
    content: { ...content, executionId: "e" },
  };
  const answer = simulated.object("d").deliver((commands) => commands.receive(message));
  await simulated.advance(1);
  expect(await answer).toEqual({ ok: true, value: { ok: true } });
  expect(() => simulated.instance("d").document()).toThrow("there is no instance");
  await simulated.advance(MINUTE);
  expect(simulated.stuck()).toEqual([]);
});

test("what an instance has sent and got leaves nothing behind", async () => {
  const calling = workflow("Calling", async (ctx) => {
    for (let n = 0; n < 20; n++) await ctx.call(doubled, n);
  });
  const simulated = cluster([calling, doubled]);
  await simulated.start(calling, undefined, { id: "p" });
  await simulated.run();
  const { sql } = simulated.object("p");
  expect(sql.all("SELECT number, due, content FROM outbox")).toEqual([
    { number: 20, due: null, content: "" },
  ]);
  expect(sql.all("SELECT * FROM inbox")).toHaveLength(20);
});

test("a child's result is not mistaken for a refused event of the same name", async () => {
  const parent = workflow("Parent", async (ctx) => {
    const child = ctx.call(waits, undefined, { id: "w" });
    void ctx.waitForEvent("Waits", { schema: nothing });
    return child;
  });
  const simulated = cluster([parent, waits], { faults: { evicted: () => true } });
  const instance = await simulated.start(parent, undefined, { id: "p" });
  instance.send("Waits", "does not fit");
  await simulated.advance("1 minute");
  simulated.instance("w").send("go", "went");
  await simulated.run();
  expect(instance.output()).toBe("went");
});

describe("a child that newer code no longer asks for, and still newer code does", () => {
  const withChild = workflow("Parent", async (ctx) => {
    await ctx.waitForEvent("begin");
    const result = await ctx.call(waits, undefined, { id: "w", timeout: "1 hour" });
    await ctx.waitForEvent("end");
    return result;
  });
  const without = workflow("Parent", async (ctx) => {
    await ctx.waitForEvent("begin");
    await ctx.waitForEvent("other");
  });

  test.each(["before", "after"] as const)(
    "is the same one, and runs once, where it ends %s that",
    async (when) => {
      const simulated = cluster([withChild, waits]);
      const instance = await simulated.start(withChild);
      const deploy = async (definition: AnyWorkflow) => {
        simulated.deploy([definition, waits]);
        instance.suspend();
        instance.resume();
        await simulated.advance("1 minute");
      };
      instance.send("begin");
      await simulated.advance("1 minute");
      const { executionId } = simulated.instance("w").document();
      await deploy(without);
      if (when === "before") simulated.instance("w").send("go", "went");
      await deploy(withChild);
      if (when === "after") simulated.instance("w").send("go", "went");
      await simulated.advance("1 minute");
      const step = instance.history().find(({ kind }) => kind === "child");
      expect(step).toMatchObject({ state: "done", attempts: 1, result: "went" });
      expect(simulated.instance("w").document().executionId).toBe(executionId);
    },
  );

  test("that waited for its next try waits for it on", async () => {
    const failing = workflow("Failing", () => {
      throw new Error("as ever");
    });
    const retry = { maxAttempts: 2, firstInterval: "1 hour", maxInterval: "1 hour" } as const;
    const retrying = workflow("Parent", async (ctx) => {
      await ctx.waitForEvent("begin");
      return ctx.call(failing, undefined, { id: "f", timeout: "1 day", retry });
    });
    const simulated = cluster([retrying, failing]);
    const instance = await simulated.start(retrying);
    instance.send("begin");
    for (const definition of [retrying, without, retrying]) {
      simulated.deploy([definition, failing]);
      instance.suspend();
      instance.resume();
      await simulated.advance("10 minutes");
    }
    expect(instance.document().waitingFor).toMatchObject([{ attempt: 2, kind: "child" }]);
    await simulated.run();
    const step = instance.history().find(({ kind }) => kind === "child");
    expect(step).toMatchObject({ state: "failed", attempts: 2 });
  });
});
