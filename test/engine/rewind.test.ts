import { describe, expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import { ActivityFailedError, CancelledError } from "../../src/core/failure.ts";
import { type AnyWorkflow, workflow } from "../../src/core/workflow.ts";
import { Cluster, type ClusterOptions } from "../../src/testing/cluster.ts";
import type { Faults } from "../../src/testing/faults.ts";
import { type Mock, mock } from "../../src/testing/mock.ts";
import { atEachCommit, type CrashPoint } from "./harness.ts";

const reserve = activity("reserve", (order: string) => `${order} reserved`);
const charge = activity(
  "charge",
  { retry: { maxAttempts: 1 } },
  (order: string) => `${order} paid`,
);
const ship = activity("ship", { retry: { maxAttempts: 1 } }, (order: string) => `${order} shipped`);
const notify = activity("notify", (text: string) => text);

const sell = workflow("Sell", async (ctx, order: string) => {
  await ctx.call(reserve, order);
  const paid = await ctx.call(charge, order);
  return [paid, await ctx.call(ship, order)];
});

/** A service that can be down, and the keys of those who called it. */
function service<Name extends string>(of: Name) {
  const state = { down: true, calls: [] as string[] };
  const run = (order: unknown, key: string) => {
    state.calls.push(key);
    if (state.down) throw new Error(`${of} is down`);
    return `${order} ${of}`;
  };
  return { state, run };
}

const losing = (name: string, { commit, when }: CrashPoint): Faults => ({
  crash: (object, moment) =>
    object === name && moment.kind === "commit" && moment.commit === commit && moment.when === when,
});

const clustered = (
  workflows: readonly AnyWorkflow[],
  activities: readonly Mock[] = [],
  options: Partial<ClusterOptions> = {},
) => new Cluster({ workflows, activities, ...options });

/** A cluster in which the step to charge fails as long as `payments.down`, and what was called. */
function shop(of: AnyWorkflow, options: Partial<ClusterOptions> = {}) {
  const payments = service("paid");
  const called: string[] = [];
  const noted = (name: string) => (text: string) => {
    called.push(`${name} ${text}`);
    return `${name} ${text}`;
  };
  const activities = [
    mock(reserve, noted("reserve")),
    mock(charge, (order, ctx) => payments.run(order, ctx.idempotencyKey)),
    mock(ship, noted("ship")),
    mock(notify, noted("notify")),
  ];
  return { cluster: clustered([of], activities, options), payments: payments.state, called };
}

async function failedSale(options: Partial<ClusterOptions> = {}) {
  const there = shop(sell, options);
  const instance = await there.cluster.start(sell, "o-1", { id: "sale" });
  await there.cluster.run();
  expect(instance.document().status).toBe("Failed");
  return { ...there, instance };
}

const states = (instance: { history(): readonly { step: string; state: string }[] }) =>
  instance.history().map(({ step, state }) => `${step} ${state}`);

describe("a rewind of a failed instance", () => {
  test("runs its failed step again, and nothing that had succeeded", async () => {
    const { cluster, instance, payments, called } = await failedSale();
    payments.down = false;
    instance.rewind({ reason: "payments are up again" });
    expect(instance.document()).toMatchObject({
      status: "Running",
      error: null,
      completedAt: null,
    });
    await cluster.run();
    expect(instance.output()).toEqual(["o-1 paid", "ship o-1"]);
    expect(called).toEqual(["reserve o-1", "ship o-1"]);
    expect(states(instance).sort()).toEqual([
      "(rewind) done",
      "charge done",
      "reserve done",
      "ship done",
    ]);
  });

  test("keeps its execution, and gives the step that runs again another idempotency key", async () => {
    const { cluster, instance, payments } = await failedSale();
    const { executionId } = instance.document();
    payments.down = false;
    instance.rewind();
    await cluster.run();
    expect(instance.document().executionId).toBe(executionId);
    expect(payments.calls).toEqual([`${executionId}:charge:0`, `${executionId}:charge:1`]);
  });

  test("tells when, how often and why in the history and the log", async () => {
    const { cluster, instance } = await failedSale();
    for (const reason of ["once", "twice"]) {
      instance.rewind({ reason });
      await cluster.run();
    }
    const marks = instance.history().filter(({ kind }) => kind === "rewind");
    expect(marks).toMatchObject([
      {
        step: "(rewind)",
        attempts: 2,
        input: { to: null, reason: "twice" },
        result: [["charge", 2]],
      },
    ]);
    const told = cluster.trace.flatMap((event) =>
      event.kind === "log" && event.event.event === "instance.rewound" ? [event.event] : [],
    );
    expect(told).toMatchObject([
      { reason: "once", again: 1 },
      { reason: "twice", again: 1 },
    ]);
  });

  test("may fail again, and be rewound again: each time with its own key", async () => {
    const { cluster, instance, payments, called } = await failedSale();
    const { executionId } = instance.document();
    instance.rewind();
    await cluster.run();
    expect(instance.document()).toMatchObject({
      status: "Failed",
      error: { code: "ACTIVITY_FAILED" },
    });
    payments.down = false;
    instance.rewind();
    await cluster.run();
    expect(instance.output()).toEqual(["o-1 paid", "ship o-1"]);
    expect(payments.calls).toEqual([0, 1, 2].map((redo) => `${executionId}:charge:${redo}`));
    expect(called).toEqual(["reserve o-1", "ship o-1"]);
  });

  test("comes to the same when its object is lost at any commit", async () => {
    const commits = await atEachCommit(async (point) => {
      const { cluster, instance, payments, called } = await failedSale({
        faults: losing("sale", point),
      });
      instance.rewind();
      await cluster.run();
      payments.down = false;
      instance.rewind();
      await cluster.run();
      expect(instance.output()).toEqual(["o-1 paid", "ship o-1"]);
      expect(new Set(called)).toEqual(new Set(["reserve o-1", "ship o-1"]));
      expect(new Set(payments.calls.map((key) => key.split(":").at(-1)))).toEqual(
        new Set(["0", "1", "2"]),
      );
      expect(instance.history().find(({ kind }) => kind === "rewind")?.attempts).toBe(2);
      return cluster.object("sale");
    });
    expect(commits).toBeGreaterThan(8);
  });

  test("goes on from the checkpoint of the step that failed", async () => {
    const visited: number[] = [];
    let broken = true;
    const copy = activity("copy", { retry: { maxAttempts: 1 } }, async (_: undefined, ctx) => {
      for (
        let record = Number(ctx.status.lastProcessedId.replace("initialId", "0")) + 1;
        record <= 4;
        record++
      ) {
        if (broken && record === 3) throw new Error("record 3 is broken");
        visited.push(record);
        await ctx.checkpoint(String(record));
      }
    });
    const copying = workflow("Copying", (ctx) => ctx.call(copy, undefined));
    const cluster = clustered([copying]);
    const instance = await cluster.start(copying);
    await cluster.run();
    broken = false;
    instance.rewind();
    await cluster.run();
    expect(instance.document().status).toBe("Completed");
    expect(visited).toEqual([1, 2, 3, 4]);
  });

  test("runs all steps again that failed side by side, and keeps what succeeded beside them", async () => {
    const both = workflow("Both", async (ctx) => {
      const steps = ["a", "b", "c"].map((key) => ctx.call(charge, key, { key }));
      const settled = await Promise.allSettled(steps);
      const failed = settled.filter(({ status }) => status === "rejected");
      if (failed.length > 0) throw new Error(`${failed.length} failed`);
      return settled.length;
    });
    const runs: string[] = [];
    let down = true;
    const activities = [
      mock(charge, (order) => {
        runs.push(order);
        if (down && order !== "b") throw new Error("down");
        return order;
      }),
    ];
    const cluster = clustered([both], activities);
    const instance = await cluster.start(both);
    await cluster.run();
    expect(instance.document().error?.message).toBe("2 failed");
    down = false;
    expect((await instance.previewRewind()).map(({ step }) => step)).toEqual([
      "charge:a",
      "charge:c",
    ]);
    instance.rewind();
    await cluster.run();
    expect(instance.output()).toBe(3);
    expect(runs).toEqual(["a", "b", "c", "a", "c"]);
  });

  test("keeps steps of a branch that never heard of the failure", async () => {
    const branches = workflow("Branches", async (ctx) => {
      const chain = async () => {
        await ctx.call(reserve, "x");
        await ctx.sleep("1 minute");
        return ctx.call(notify, "y");
      };
      const [chained, paid] = await Promise.allSettled([chain(), ctx.call(charge, "o")]);
      if (paid.status === "rejected") throw paid.reason;
      return [chained, paid];
    });
    const { cluster, payments, called } = shop(branches);
    const instance = await cluster.start(branches);
    await cluster.run();
    payments.down = false;
    instance.rewind();
    await cluster.run();
    expect(instance.document().status).toBe("Completed");
    expect(called).toEqual(["reserve x", "notify y"]);
  });

  test("undoes what its code did because of the failure, even under the name of a step that stays", async () => {
    const told = workflow("Told", async (ctx) => {
      const tell = async (order: string) => {
        try {
          await ctx.call(charge, order, { key: order });
          await ctx.call(notify, `${order} ok`);
        } catch (error) {
          await ctx.call(notify, `${order} failed`);
          throw error;
        }
      };
      const settled = await Promise.allSettled(["a", "b", "c"].map(tell));
      for (const one of settled) if (one.status === "rejected") throw one.reason;
    });
    let down = true;
    const called: string[] = [];
    const activities = [
      mock(charge, async (order, ctx) => {
        await ctx.sleep(order === "a" ? "1 second" : order === "b" ? "2 seconds" : "3 seconds");
        if (down && order === "b") throw new Error("down");
        return order;
      }),
      mock(notify, (text) => {
        called.push(text);
        return text;
      }),
    ];
    const cluster = clustered([told], activities);
    const instance = await cluster.start(told);
    await cluster.run();
    expect(called).toEqual(["a ok", "b failed", "c ok"]);
    down = false;
    instance.rewind();
    await cluster.run();
    expect(instance.document().status).toBe("Completed");
    expect(called).toEqual(["a ok", "b failed", "c ok", "c ok", "b ok"]);
  });

  test("leaves a failure that the code had dealt with, and goes back to the one it ended with", async () => {
    const lenient = workflow("Lenient", async (ctx) => {
      await ctx.call(ship, "x").catch(() => {});
      await ctx.call(notify, "went on");
      return ctx.call(charge, "o");
    });
    let shipped = 0;
    const { cluster, payments } = shop(lenient);
    const failing = clustered(
      [lenient],
      [
        mock(ship, () => {
          shipped++;
          throw new Error("no ship");
        }),
        mock(charge, (order) => {
          if (payments.down) throw new Error("down");
          return order;
        }),
      ],
    );
    expect(cluster.objects).toEqual([]);
    const instance = await failing.start(lenient);
    await failing.run();
    payments.down = false;
    instance.rewind();
    await failing.run();
    expect(instance.output()).toBe("o");
    expect(shipped).toBe(1);
  });

  test("lets mended code go on where no step had failed", async () => {
    const broken = workflow("Mended", async (ctx) => {
      await ctx.call(reserve, "x");
      throw new TypeError("a bug");
    });
    const mended = workflow("Mended", async (ctx) => `${await ctx.call(reserve, "x")}, mended`);
    const { cluster, called } = shop(broken);
    const instance = await cluster.start(broken);
    await cluster.run();
    cluster.deploy([mended]);
    instance.rewind();
    await cluster.run();
    expect(instance.output()).toBe("reserve x, mended");
    expect(called).toEqual(["reserve x"]);
  });

  test("waits as long again for an event that had not come in time", async () => {
    const waiting = workflow("Waiting", (ctx) => ctx.waitForEvent("go", { timeout: "1 hour" }));
    const cluster = clustered([waiting]);
    const instance = await cluster.start(waiting);
    await cluster.run();
    expect(instance.document().error?.code).toBe("EVENT_TIMEOUT");
    await cluster.advance("1 day");
    instance.rewind();
    await cluster.advance("59 minutes");
    expect(instance.document().status).toBe("Running");
    instance.send("go", 1);
    await cluster.run();
    expect(instance.output()).toBe(1);
  });

  test("drops what an attempt from before it brings late", async () => {
    const late = workflow("Late", async (ctx) => {
      const slow = ctx.call(reserve, "slow");
      await ctx.call(charge, "o");
      return slow;
    });
    let runs = 0;
    let down = true;
    const cluster = clustered(
      [late],
      [
        mock(reserve, async (_, ctx) => {
          const run = ++runs;
          await ctx.sleep("10 minutes");
          return `run ${run}`;
        }),
        mock(charge, (order) => {
          if (down) throw new Error("down");
          return order;
        }),
      ],
    );
    const instance = await cluster.start(late);
    await cluster.advance("1 minute");
    expect(instance.document().status).toBe("Failed");
    down = false;
    instance.rewind();
    await cluster.run();
    expect(instance.output()).toBe("run 2");
  });
});

describe("a rewind to a step", () => {
  async function completedSale() {
    const there = shop(sell);
    there.payments.down = false;
    const instance = await there.cluster.start(sell, "o-1", { id: "sale" });
    await there.cluster.run();
    return { ...there, instance };
  }

  test("does that step and all that followed from it again", async () => {
    const { cluster, instance, payments, called } = await completedSale();
    expect((await instance.previewRewind({ to: "charge" })).map(({ step }) => step)).toEqual([
      "charge",
      "ship",
    ]);
    instance.rewind({ to: "charge" });
    await cluster.run();
    expect(instance.output()).toEqual(["o-1 paid", "ship o-1"]);
    expect(called).toEqual(["reserve o-1", "ship o-1", "ship o-1"]);
    expect(payments.calls.map((key) => key.at(-1))).toEqual(["0", "1"]);
  });

  test("that has not ended, or is none, is refused", async () => {
    const { instance } = await completedSale();
    expect(() => instance.rewind({ to: "charge#2" })).toThrow(/"charge#2" has ended/);
    await expect(instance.previewRewind({ to: "nothing" })).rejects.toMatchObject({
      code: "REWIND_TARGET_UNKNOWN",
    });
    expect(() => instance.rewind()).toThrow(/none of its steps has failed/);
  });

  test("gives the events back that were taken after it, in their order", async () => {
    const taking = workflow("Taking", async (ctx) => {
      const first = await ctx.waitForEvent<number>("n");
      const sum = await ctx.run("add", () => first + 1);
      return [first, sum, await ctx.waitForEvent("n"), await ctx.waitForEvent("n")];
    });
    const cluster = clustered([taking]);
    const instance = await cluster.start(taking);
    for (const n of [1, 2, 3]) instance.send("n", n);
    await cluster.run();
    instance.rewind({ to: "add" });
    await cluster.run();
    expect(instance.output()).toEqual([1, 2, 2, 3]);
    instance.rewind({ to: "n" });
    await cluster.run();
    expect(instance.output()).toEqual([1, 2, 2, 3]);
    expect(instance.history().filter(({ kind }) => kind === "event")).toHaveLength(3);
  });

  test.each([
    { when: "before it", waits: ["a"] },
    { when: "together with it", waits: ["a", "b"] },
  ])("gives no branch the result of another one that had asked $when", async ({ waits }) => {
    const pricing = workflow("Pricing", async (ctx) => {
      const wait = new Map([
        ["a", ctx.sleep("1 second", { key: "a" })],
        ["b", ctx.sleep("2 seconds", { key: "b" })],
      ]);
      const price = async (shop: string, keys: string[]) => {
        await Promise.all(keys.map((key) => wait.get(key)));
        return ctx.run("price", () => `of ${shop}`);
      };
      return Promise.all([price("one", waits), price("other", ["b"])]);
    });
    const cluster = clustered([pricing]);
    const instance = await cluster.start(pricing);
    await cluster.run();
    instance.rewind({ to: "sleep:a" });
    await cluster.run();
    expect(instance.output()).toEqual(["of one", "of other"]);
  });

  test("undoes a step that follows from it since the last rewind, where another one comes to bear its name", async () => {
    const racing = workflow("Racing", async (ctx) => {
      const wait = (key: string, millis: number) => ctx.sleep(millis, { key });
      const first = async () => {
        await Promise.race([wait("a", 1000), wait("b", 2000)]);
        return ctx.call(reserve, "x");
      };
      const second = async () => {
        await wait("c", 3000);
        return ctx.call(reserve, "y");
      };
      return Promise.all([first(), second()]);
    });
    const { cluster, called } = shop(racing);
    const instance = await cluster.start(racing);
    await cluster.run();
    instance.rewind({ to: "sleep:a" });
    await cluster.run();
    expect(called).toEqual(["reserve x", "reserve y"]);
    instance.rewind({ to: "sleep:b" });
    await cluster.advance("1 minute");
    expect(instance.document().status).toBe("Completed");
    expect(instance.output()).toEqual(["reserve x", "reserve y"]);
  });

  test("draws other numbers than before", async () => {
    const drawing = workflow("Drawing", async (ctx) => {
      await ctx.call(reserve, "x");
      return ctx.uuid();
    });
    const { cluster } = shop(drawing);
    const instance = await cluster.start(drawing);
    await cluster.run();
    const before = instance.output();
    instance.rewind({ to: "reserve" });
    await cluster.run();
    expect(instance.output()).not.toBe(before);
  });

  test("sleeps as long again", async () => {
    const sleeping = workflow("Sleeping", (ctx) => ctx.sleep("1 hour"));
    const cluster = clustered([sleeping]);
    const instance = await cluster.start(sleeping);
    await cluster.run();
    await cluster.advance("1 day");
    instance.rewind({ to: "sleep" });
    await cluster.advance("59 minutes");
    expect(instance.document().status).toBe("Running");
    await cluster.advance("2 minutes");
    expect(instance.document().status).toBe("Completed");
  });
});

describe("a rewind of an instance that was ended", () => {
  test("lets one that was terminated go on where it was", async () => {
    const { cluster, called, payments } = shop(sell);
    payments.down = false;
    const long = workflow("Long", async (ctx) => {
      await ctx.call(reserve, "x");
      await ctx.sleep("1 hour");
      return "slept";
    });
    cluster.deploy([long]);
    const instance = await cluster.start(long);
    await cluster.advance("1 minute");
    instance.terminate();
    await cluster.run();
    instance.rewind();
    await cluster.run();
    expect(instance.output()).toBe("slept");
    expect(called).toEqual(["reserve x"]);
  });

  test("takes the request to cancel back, with what the code did about it", async () => {
    const cleaning = workflow("Cleaning", async (ctx) => {
      try {
        return await ctx.waitForEvent("go");
      } catch (error) {
        if (error instanceof CancelledError) await ctx.call(notify, "cleaned up");
        throw error;
      }
    });
    const { cluster, called } = shop(cleaning);
    const instance = await cluster.start(cleaning);
    await cluster.run();
    instance.cancel();
    await cluster.run();
    expect(instance.document().status).toBe("Terminated");
    instance.rewind();
    await cluster.run();
    expect(instance.document()).toMatchObject({
      status: "Running",
      waitingFor: [{ kind: "event" }],
    });
    instance.send("go", 7);
    await cluster.run();
    expect(instance.output()).toBe(7);
    expect(called).toEqual(["notify cleaned up"]);
  });

  test("can be cancelled anew", async () => {
    const waiting = workflow("Waiting", (ctx) => ctx.waitForEvent("go"));
    const cluster = clustered([waiting]);
    const instance = await cluster.start(waiting);
    await cluster.run();
    for (let times = 0; times < 2; times++) {
      instance.cancel();
      if (times === 0) {
        await cluster.run();
        instance.rewind();
      }
    }
    await cluster.run();
    expect(instance.document()).toMatchObject({
      status: "Terminated",
      error: { code: "CANCELLED" },
    });
    expect(instance.history().filter(({ kind }) => kind === "cancel")).toHaveLength(1);
  });
});

describe("a rewind in the middle of things", () => {
  test("is refused while the instance has not ended", async () => {
    const { instance, cluster } = await failedSale();
    instance.rewind();
    expect(() => instance.rewind()).toThrow(/only one that has ended/);
    await cluster.run();
    instance.rewind();
  });

  test("is made by one of two requests, and one with its key is made once", async () => {
    const { cluster, payments } = await failedSale();
    payments.down = false;
    const object = cluster.object("sale");
    const command = { to: null, reason: null, idempotency: { key: "k", fingerprint: "f" } };
    for (let times = 0; times < 2; times++) object.commands.rewind("sale", command);
    object.commit();
    await cluster.run();
    object.commands.rewind("sale", command);
    object.commit();
    await cluster.run();
    expect(payments.calls).toHaveLength(2);
  });

  test("gives way to a terminate and to a restart that come before its turn", async () => {
    const { cluster, instance, payments, called } = await failedSale();
    instance.rewind();
    instance.terminate();
    await cluster.run();
    expect(instance.document().status).toBe("Terminated");
    payments.down = false;
    instance.rewind({ to: "charge" });
    instance.restart();
    await cluster.run();
    expect(instance.output()).toEqual(["o-1 paid", "ship o-1"]);
    expect(called).toEqual(["reserve o-1", "reserve o-1", "ship o-1"]);
    expect(instance.history().some(({ kind }) => kind === "rewind")).toBe(false);
  });

  test("that a terminate has overtaken goes back to the failed step when it is asked for again", async () => {
    const { cluster, instance, payments, called } = await failedSale();
    instance.rewind();
    instance.terminate();
    await cluster.run();
    payments.down = false;
    expect((await instance.previewRewind()).map(({ step }) => step)).toEqual(["charge"]);
    instance.rewind();
    await cluster.run();
    expect(instance.output()).toEqual(["o-1 paid", "ship o-1"]);
    expect(called).toEqual(["reserve o-1", "ship o-1"]);
  });

  test("waits for a suspended instance to be resumed, and tells of code that does not fit", async () => {
    const { cluster, instance, payments } = await failedSale();
    payments.down = false;
    const other = workflow("Sell", (ctx, order: string) => ctx.call(charge, `${order}!`));
    const misfit = workflow("Sell", (ctx, order: string) => ctx.call(reserve, `${order}!`));
    instance.rewind();
    instance.suspend();
    await cluster.run();
    expect(payments.calls).toHaveLength(1);
    cluster.deploy([misfit]);
    instance.resume();
    await cluster.advance("1 second");
    expect(instance.document()).toMatchObject({
      status: "Suspended",
      error: { code: "NONDETERMINISM" },
    });
    cluster.deploy([other]);
    instance.resume();
    await cluster.run();
    expect(instance.output()).toBe("o-1! paid");
  });
});

describe("a preview of a rewind", () => {
  test("changes nothing", async () => {
    const { cluster, instance } = await failedSale();
    const before = JSON.stringify([instance.document(), instance.history()]);
    const { commits } = cluster.object("sale");
    expect(await instance.previewRewind()).toEqual([
      { step: "charge", name: "charge", kind: "activity", state: "failed" },
    ]);
    await cluster.run();
    expect(JSON.stringify([instance.document(), instance.history()])).toBe(before);
    expect(cluster.object("sale").commits).toBe(commits);
  });
});

describe("a rewind of a parent", () => {
  const child = workflow("Child", async (ctx, order: string) => {
    await ctx.call(reserve, order);
    return ctx.call(charge, order);
  });
  const parent = workflow("Parent", async (ctx, order: string) => {
    await ctx.call(notify, "begins");
    return [await ctx.call(child, order), await ctx.call(ship, order)];
  });

  function family(options: Partial<ClusterOptions> = {}) {
    const there = shop(parent, options);
    there.cluster.deploy([parent, child]);
    return there;
  }

  test("rewinds its failed child, which keeps what it had done", async () => {
    const { cluster, payments, called } = family();
    const instance = await cluster.start(parent, "o", { id: "p" });
    await cluster.run();
    expect(instance.document()).toMatchObject({
      status: "Failed",
      error: { code: "CHILD_FAILED" },
    });
    for (const down of [true, false]) {
      payments.down = down;
      instance.rewind();
      await cluster.run();
    }
    expect(instance.output()).toEqual(["o paid", "ship o"]);
    expect(called).toEqual(["notify begins", "reserve o", "ship o"]);
    expect(cluster.objects).toHaveLength(2);
  });

  test.each(["parent", "child"])(
    "comes to the same when its %s is lost at any commit",
    async (who) => {
      const commits = await atEachCommit(async (point) => {
        const named = workflow("Parent", async (ctx, order: string) => [
          await ctx.call(child, order, { id: "child" }),
          await ctx.call(ship, order),
        ]);
        const { cluster, payments } = shop(named, { faults: losing(who, point) });
        cluster.deploy([named, child]);
        const instance = await cluster.start(named, "o", { id: "parent" });
        await cluster.run();
        for (const down of [true, false]) {
          payments.down = down;
          instance.rewind();
          await cluster.run();
        }
        expect(instance.output()).toEqual(["o paid", "ship o"]);
        expect(new Set(payments.calls.map((key) => key.at(-1)))).toEqual(new Set(["0", "1", "2"]));
        expect(cluster.stuck()).toEqual([]);
        return cluster.object(who);
      });
      expect(commits).toBeGreaterThan(8);
    },
  );

  test("takes the result of a child that has completed by a rewind of its own", async () => {
    const { cluster, payments, called } = family();
    const instance = await cluster.start(parent, "o", { id: "p" });
    await cluster.run();
    const [failed] = cluster.objects.filter(({ name }) => name !== "p");
    payments.down = false;
    cluster.instance(failed?.name ?? "").rewind();
    await cluster.run();
    instance.rewind();
    await cluster.run();
    expect(instance.output()).toEqual(["o paid", "ship o"]);
    expect(called).toEqual(["notify begins", "reserve o", "ship o"]);
  });

  test("to a child that completed starts that child anew", async () => {
    const { cluster, payments, called } = family();
    payments.down = false;
    const instance = await cluster.start(parent, "o", { id: "p" });
    await cluster.run();
    instance.rewind({ to: "Child" });
    await cluster.run();
    expect(instance.output()).toEqual(["o paid", "ship o"]);
    expect(called).toEqual(["notify begins", "reserve o", "ship o", "reserve o", "ship o"]);
  });

  test("lets a child go on that was ended with it", async () => {
    const slow = workflow("Slow", async (ctx) => {
      await ctx.call(reserve, "slow");
      await ctx.sleep("1 hour");
      return "slow";
    });
    const pair = workflow("Pair", (ctx) =>
      Promise.all([
        ctx.call(slow, undefined, { parentClose: "terminate" }),
        ctx.sleep("1 minute").then(() => ctx.call(charge, "o")), // by then the child sleeps
      ]),
    );
    const { cluster, payments, called } = shop(pair);
    cluster.deploy([pair, slow]);
    const instance = await cluster.start(pair, undefined, { id: "p" });
    await cluster.run();
    const [closed] = cluster.objects.filter(({ name }) => name !== "p");
    expect(cluster.instance(closed?.name ?? "").document().status).toBe("Terminated");
    payments.down = false;
    instance.rewind();
    await cluster.run();
    expect(instance.output()).toEqual(["slow", "o paid"]);
    expect(called).toEqual(["reserve slow"]);
  });
});

test("a failed step is known by its error however long its message is", async () => {
  const wordy = workflow("Wordy", async (ctx) => {
    await ctx.call(ship, "x").catch(() => {});
    await ctx.call(notify, "on");
    try {
      await ctx.call(charge, "o");
    } catch (error) {
      expect(error).toBeInstanceOf(ActivityFailedError);
      await ctx.call(notify, "told");
      throw error;
    }
  });
  const cluster = clustered(
    [wordy],
    [
      mock(ship, () => {
        throw new Error("no ship");
      }),
      mock(charge, () => {
        throw new Error("é".repeat(9_000));
      }),
    ],
  );
  const instance = await cluster.start(wordy);
  await cluster.run();
  expect(instance.document().error?.properties).toEqual({ step: "charge", attempts: 1 });
  expect((await instance.previewRewind()).map(({ step }) => step)).toEqual(["charge", "notify#2"]);
});

test("a short step that was done again reaches the code after a second rewind as late as it had", async () => {
  const rounds = async () => {
    for (let round = 0; round < 40; round++) await null;
    return "the rounds";
  };
  const racing = workflow("Racing", async (ctx, order: string) => {
    const first = await Promise.race([ctx.call(charge, order), rounds()]);
    return [first, await ctx.call(ship, order)];
  });
  const payments = service("paid");
  const parcels = service("shipped");
  const activities = [
    mock(charge, (order, ctx) => payments.run(order, ctx.idempotencyKey)),
    mock(ship, (order, ctx) => parcels.run(order, ctx.idempotencyKey)),
  ];
  const cluster = clustered([racing], activities, { gate: "effects" });
  const instance = await cluster.start(racing, "o-1", { id: "race" });
  await cluster.run();
  expect(instance.document().error?.message).toContain("paid is down");
  payments.state.down = false;
  instance.rewind();
  await cluster.run();
  expect(instance.document().error?.message).toContain("shipped is down");
  parcels.state.down = false;
  instance.rewind();
  await cluster.run();
  expect(instance.output()).toEqual(["the rounds", "o-1 shipped"]);
});
