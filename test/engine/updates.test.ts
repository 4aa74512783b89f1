/** Updates: each is applied once, in its place, and its caller gets the reply. */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { activity } from "../../src/core/activity.ts";
import type { WaymarkError } from "../../src/core/errors.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { decode, encode } from "../../src/core/payload.ts";
import { workflow } from "../../src/core/workflow.ts";
import { checkHistory } from "../../src/engine/check-history.ts";
import { Cluster } from "../../src/testing/cluster.ts";
import type { InProcessObject } from "../../src/testing/in-process-object.ts";
import { mock } from "../../src/testing/mock.ts";
import { atEachCommit, type CrashPoint, crashesAt, ID, started } from "./harness.ts";

const reserve = activity("reserve", (item: string) => `place of ${item}`);

/** A basket that is filled from outside until it is closed. */
const basket = workflow("Basket", async (ctx) => {
  const items: string[] = [];
  let open = true;
  ctx.handle("items", { readOnly: true }, () => items);
  ctx.handle(
    "add",
    {
      input: z.string().transform((text) => text.trim()),
      validate: (item: string) => {
        if (!open) throw new Error("the basket is closed");
        if (items.includes(item)) throw new Error(`${item} is there already`);
      },
    },
    async (item) => {
      items.push(item);
      const place = await ctx.call(reserve, item, { key: item });
      return { place, count: items.length };
    },
  );
  ctx.handle("close", {}, () => {
    open = false;
    return items.length;
  });
  await ctx.waitForEvent("done");
  return items;
});

async function begun(options: Partial<ConstructorParameters<typeof Cluster>[0]> = {}) {
  const cluster = new Cluster({ workflows: [basket], ...options });
  const instance = await cluster.start(basket);
  await cluster.run();
  return { cluster, instance };
}

test("an update's reply is what its function returns, also after its own steps", async () => {
  const { cluster, instance } = await begun();
  expect(await instance.call("add", " tea ")).toEqual({ place: "place of tea", count: 1 });
  expect(await instance.call("add", "salt")).toEqual({ place: "place of salt", count: 2 });
  expect(await instance.call("close")).toBe(2);
  const rows = instance.history().filter(({ kind }) => kind === "update");
  expect(rows).toMatchObject([
    { name: "add()", state: "done", input: "tea", result: { place: "place of tea", count: 1 } },
    { name: "add()", state: "done", input: "salt" },
    { name: "close()", state: "done", input: null, result: 2 },
  ]);
  instance.send("done");
  await cluster.run();
  expect(instance.output()).toEqual(["tea", "salt"]);
  expect(await checkHistory(basket, instance.export())).toMatchObject({ fits: true, unasked: [] });
});

test("a replay applies updates again, at the same points, and runs none of their steps twice", async () => {
  const reserved: string[] = [];
  const noting = mock(reserve, (item) => {
    reserved.push(item);
    return item;
  });
  const { cluster, instance } = await begun({ activities: [noting] });
  await instance.call("add", "tea");
  instance.crash();
  await instance.call("add", "salt");
  instance.evict();
  expect(await instance.call("items")).toEqual(["tea", "salt"]);
  instance.crash();
  instance.send("done");
  await cluster.run();
  expect(instance.output()).toEqual(["tea", "salt"]);
  expect(reserved).toEqual(["tea", "salt"]);
});

describe("a refused update", () => {
  test("leaves nothing behind, in memory or evicted", async () => {
    const { instance } = await begun();
    await instance.call("add", "tea");
    const before = instance.export();
    for (const lose of [() => false, () => instance.evict()]) {
      lose();
      await expect(instance.call("add", "tea")).rejects.toMatchObject({
        code: "UPDATE_REFUSED",
        message: expect.stringContaining("tea is there already"),
      });
      await expect(instance.call("add", 5)).rejects.toMatchObject({ code: "INPUT_INVALID" });
    }
    expect(instance.export()).toEqual(before);
  });

  test("may be refused as it is delivered: the state has changed since it was accepted", async () => {
    const { cluster, instance } = await begun();
    const object = cluster.object(instance.id);
    const both = ["tea", "tea"].map((item, index) => call(object, "add", item, `key ${index}`));
    await cluster.run(new Date(cluster.clock.now() + 100));
    expect(await both[0]).toMatchObject({ ok: true, value: { done: true } });
    expect(await both[1]).toMatchObject({ ok: false, error: { code: "UPDATE_REFUSED" } });
    expect(await instance.call("items")).toEqual(["tea"]);
    instance.crash();
    const again = ran(cluster, call(object, "add", "tea", "key 1"));
    await expect(again.then(unwrapped)).rejects.toMatchObject({
      code: "UPDATE_REFUSED",
    });
    expect(instance.history().filter(({ kind }) => kind === "update")).toMatchObject([
      { state: "done" },
      { state: "failed", seq: null, error: { code: "UPDATE_REFUSED" } },
    ]);
    expect(await checkHistory(basket, instance.export())).toMatchObject({ fits: true });
  });

  test("by a validator that acts says so", async () => {
    const acting = workflow("Acting", async (ctx) => {
      ctx.handle("a", { validate: () => void ctx.sleep("1 day") }, () => {});
      await ctx.waitForEvent("go");
    });
    const cluster = new Cluster({ workflows: [acting] });
    const instance = await cluster.start(acting);
    await cluster.run();
    await expect(instance.call("a")).rejects.toMatchObject({ code: "HANDLER_READ_ONLY" });
  });
});

test("what a handler throws is its caller's, and the workflow goes on", async () => {
  const failing = workflow("Failing", async (ctx) => {
    ctx.handle("sync", {}, () => {
      throw new RangeError("no");
    });
    ctx.handle("late", {}, async () => {
      await ctx.sleep("1 hour");
      throw new RangeError("too late");
    });
    ctx.handle("unstorable", {}, () => () => 1);
    await ctx.waitForEvent("go");
    return "well";
  });
  const cluster = new Cluster({ workflows: [failing] });
  const instance = await cluster.start(failing);
  await cluster.run();
  const failed = (message: string) => ({
    code: "HANDLER_FAILED",
    message: expect.stringContaining(message),
  });
  await expect(instance.call("sync")).rejects.toMatchObject(failed("RangeError: no"));
  await expect(instance.call("late")).rejects.toMatchObject(failed("RangeError: too late"));
  await expect(instance.call("unstorable")).rejects.toMatchObject(failed("the reply of"));
  instance.crash();
  instance.send("go");
  await cluster.run();
  expect(instance.output()).toBe("well");
});

describe("which statuses take an update", () => {
  test("one that comes before the code has begun is kept for its first turn", async () => {
    const cluster = new Cluster({ workflows: [basket] });
    const startAt = new Date(cluster.clock.now() + 3_600_000);
    const instance = await cluster.start(basket, undefined, { startAt });
    expect(await instance.call("add", "tea")).toEqual({ place: "place of tea", count: 1 });
    expect(cluster.clock.now()).toBeGreaterThanOrEqual(startAt.getTime());
  });

  test("a suspended one takes none, and serves what it had accepted when it is resumed", async () => {
    const { cluster, instance } = await begun();
    const object = cluster.object(instance.id);
    const waiting = call(object, "add", "tea", "early", 60_000);
    await settled();
    instance.suspend();
    await cluster.run();
    await expect(instance.call("add", "salt")).rejects.toMatchObject({
      code: "INSTANCE_SUSPENDED",
    });
    expect(await waiting).toMatchObject({ value: { done: false } });
    instance.resume();
    const again = call(object, "add", "tea", "early", 60_000);
    await cluster.run();
    expect(unwrapped(await again)).toEqual({ place: "place of tea", count: 1 });
  });

  test("one that has ended takes none", async () => {
    const { cluster, instance } = await begun();
    instance.send("done");
    await cluster.run();
    await expect(instance.call("add", "x")).rejects.toMatchObject({ code: "INSTANCE_TERMINAL" });
    await expect(instance.call("nothing")).rejects.toMatchObject({ code: "HANDLER_NOT_FOUND" });
  });
});

describe("an Idempotency-Key", () => {
  test("makes repeated requests one update with one reply, also together", async () => {
    const { cluster, instance } = await begun();
    const object = cluster.object(instance.id);
    const together = [1, 2, 3].map(() => call(object, "add", "tea", "key"));
    await cluster.run();
    const replies = (await Promise.all(together)).map(unwrapped);
    instance.evict();
    replies.push(unwrapped(await ran(cluster, call(object, "add", "tea", "key"))));
    expect(replies).toEqual(replies.map(() => ({ place: "place of tea", count: 1 })));
    expect(await instance.call("items")).toEqual(["tea"]);
  });

  test("gets the reply after the end too, and not after a purge", async () => {
    const { cluster, instance } = await begun();
    const object = cluster.object(instance.id);
    await ran(cluster, call(object, "add", "tea", "key"));
    instance.send("done");
    await cluster.run();
    const again = () => ran(cluster, call(object, "add", "tea", "key"));
    expect(unwrapped(await again())).toEqual({ place: "place of tea", count: 1 });
    instance.purge();
    await expect(again().then(unwrapped)).rejects.toMatchObject({ code: "INSTANCE_PURGED" });
  });

  test("with another request is refused", async () => {
    const { cluster, instance } = await begun();
    const object = cluster.object(instance.id);
    await ran(cluster, call(object, "add", "tea", "key"));
    await expect(
      ran(cluster, call(object, "add", "salt", "key")).then(unwrapped),
    ).rejects.toMatchObject({ code: "IDEMPOTENCY_KEY_REUSED" });
    expect(await instance.call("items")).toEqual(["tea"]);
  });
});

/** Updates whose function takes days, in rounds. */
const slow = workflow("Slow", async (ctx, round: number) => {
  ctx.handle("wait", {}, async (days: number) => {
    await ctx.sleep(`${days} days`);
    return { round, days };
  });
  ctx.handle("quick", {}, () => round);
  const next = await ctx.waitForEvent("next");
  return next === "end" ? round : ctx.continueAsNew(round + 1);
});

describe("an update that is not done", () => {
  const DAY = 86_400_000;
  const startedSlow = async () => {
    const cluster = new Cluster({ workflows: [slow] });
    const instance = await cluster.start(slow, 1);
    await cluster.run();
    const object = cluster.object(instance.id);
    return { cluster, instance, object };
  };

  test("is answered as pending after the wait, and its reply when it is asked for again", async () => {
    const { cluster, instance, object } = await startedSlow();
    const first = await ran(cluster, call(object, "wait", 2, "key", 30_000));
    const open = { state: "open", completedAt: null, result: null };
    expect(instance.history().find(({ kind }) => kind === "update")).toMatchObject(open);
    expect(first).toMatchObject({
      value: {
        done: false,
        pending: { call: "wait", step: expect.stringMatching(/^wait\(\)#\d+$/) },
      },
    });
    object.crash();
    expect(unwrapped(await ran(cluster, call(object, "wait", 2, "key", 3 * DAY)))).toEqual({
      round: 1,
      days: 2,
    });
  });

  test("when the execution ends fails, whoever waits for it or asks again", async () => {
    for (const end of ["terminate", "return"] as const) {
      const { cluster, instance, object } = await startedSlow();
      const waiting = call(object, "wait", 2, "key", 3 * DAY);
      await cluster.advance("1 minute");
      if (end === "terminate") instance.terminate();
      else instance.send("next", "end");
      await cluster.advance("1 minute");
      const unfinished = { code: "UPDATE_UNFINISHED" };
      await expect(waiting.then(unwrapped)).rejects.toMatchObject(unfinished);
      const again = ran(cluster, call(object, "wait", 2, "key", 3 * DAY));
      await expect(again.then(unwrapped)).rejects.toMatchObject(unfinished);
      expect(instance.history().find(({ kind }) => kind === "update")?.state).toBe("cancelled");
    }
  });

  test("fails at a continueAsNew, whose next execution gets what was not delivered", async () => {
    const { cluster, instance, object } = await startedSlow();
    const done = unwrapped(await ran(cluster, call(object, "quick", null, "done")));
    const waiting = call(object, "wait", 2, "running", 3 * DAY);
    await cluster.advance("1 minute");
    instance.send("next");
    await cluster.advance("1 minute");
    const unfinished = { code: "UPDATE_UNFINISHED" };
    await expect(waiting.then(unwrapped)).rejects.toMatchObject(unfinished);
    expect(instance.document().input).toBe(2);
    const asked = (name: string, input: unknown, key: string) =>
      ran(cluster, call(object, name, input, key, 1_000)).then(unwrapped);
    await expect(asked("wait", 2, "running")).rejects.toMatchObject(unfinished);
    expect(await asked("quick", null, "done")).toBe(done);
    expect(await asked("quick", null, "new")).toBe(2);
  });

  test("fails of a cancel as the code's own steps do", async () => {
    const { cluster, instance, object } = await startedSlow();
    const waiting = call(object, "wait", 2, "key", 3 * DAY);
    await cluster.advance("1 minute");
    instance.cancel("enough");
    await cluster.advance("1 minute");
    await expect(waiting.then(unwrapped)).rejects.toMatchObject({
      code: "HANDLER_FAILED",
      message: expect.stringContaining("enough"),
    });
  });
});

test("an update that comes with the end of a round is delivered in the next one, and its key goes along", async () => {
  const rounds = workflow("Rounds", async (ctx, round: number) => {
    if (round === 1) await ctx.waitForEvent("next");
    else ctx.handle("which", {}, () => round);
    if (round === 1) ctx.handle("never", {}, () => 0);
    if (round === 1) return ctx.continueAsNew(2);
    await ctx.waitForEvent("end");
    return round;
  });
  // A handler that the first round has only for a moment: accepted there, delivered here.
  const first = workflow("Rounds", async (ctx, _: number) => {
    ctx.handle("which", {}, () => 1);
    await ctx.waitForEvent("next");
  });
  const cluster = new Cluster({ workflows: [first] });
  const instance = await cluster.start(first, 1);
  await cluster.run();
  const object = cluster.object(instance.id);
  instance.suspend();
  await cluster.run();
  instance.resume();
  const accepted = call(object, "which", null, "key", 60_000); // kept, not delivered
  await settled();
  cluster.deploy([rounds]);
  await accepted;
  instance.send("next");
  await cluster.run(new Date(cluster.clock.now() + 1_000));
  expect(instance.document().input).toBe(2);
  const again = call(object, "which", null, "key", 60_000);
  await cluster.run(new Date(cluster.clock.now() + 1_000));
  expect(unwrapped(await again)).toBe(2);
});

test("code may wait for nothing but an update: that is no stall, and a crash changes nothing", async () => {
  const waiting = workflow("Waiting", async (ctx) => {
    const paid = new Promise<number>((resolve) => {
      ctx.handle("pay", {}, (amount: number) => resolve(amount));
    });
    const amount = await paid;
    return amount + (await ctx.run("fee", () => 1));
  });
  const cluster = new Cluster({ workflows: [waiting] });
  const instance = await cluster.start(waiting);
  await cluster.run();
  expect(instance.document()).toMatchObject({ status: "Running", waitingFor: [] });
  expect(cluster.stuck()).toEqual([]);
  instance.crash();
  await instance.call("pay", 10);
  await cluster.run();
  expect(instance.output()).toBe(11);
  expect(await checkHistory(waiting, instance.export())).toMatchObject({ fits: true });
});

test("an update that ends the workflow gets its reply, and one that continues it as new does not", async () => {
  const ending = workflow("Ending", async (ctx, round: number) => {
    const how = await new Promise<string>((resolve) => {
      ctx.handle("end", {}, async (given: string) => {
        resolve(given);
        await undefined;
        return `${given} ${round}`;
      });
      ctx.handle("again", {}, () => ctx.continueAsNew(round + 1));
    });
    return how;
  });
  const cluster = new Cluster({ workflows: [ending] });
  const instance = await cluster.start(ending, 1);
  await cluster.run();
  await expect(instance.call("again")).rejects.toMatchObject({ code: "UPDATE_UNFINISHED" });
  expect(await instance.call("end", "well")).toBe("well 2");
  await cluster.run();
  expect(instance.output()).toBe("well");
});

test("a handler that waits for what is no step suspends the instance, as the code's own would", async () => {
  let resolve = () => {};
  const foreign = workflow("Foreign", async (ctx) => {
    ctx.handle("a", {}, async () => {
      await new Promise<void>((done) => {
        resolve = done;
      });
      return 1;
    });
    await ctx.waitForEvent("go");
  });
  const cluster = new Cluster({ workflows: [foreign] });
  const instance = await cluster.start(foreign);
  await cluster.run();
  const object = cluster.object(instance.id);
  const waiting = call(object, "a", null, "key", 1_000);
  await cluster.advance(100);
  resolve();
  await cluster.advance("2 seconds");
  expect(await waiting).toMatchObject({ value: { done: false } });
  expect(instance.document().error?.code).toBe("WORKFLOW_STALLED");
});

describe("changed code", () => {
  test("that no longer handles a delivered update suspends, and goes on when it does again", async () => {
    const { cluster, instance } = await begun();
    await instance.call("add", "tea");
    const without = workflow("Basket", async (ctx) => {
      await ctx.waitForEvent("done");
      return "without";
    });
    cluster.deploy([without]);
    instance.send("done");
    await cluster.run(new Date(cluster.clock.now() + 1_000));
    expect(instance.document()).toMatchObject({
      status: "Suspended",
      error: {
        code: "NONDETERMINISM",
        message: expect.stringMatching(/"add\(\)#\d+".*no handler "add"/),
      },
    });
    expect((await checkHistory(without, instance.export())).problem).toContain('no handler "add"');
    cluster.deploy([basket]);
    instance.resume();
    await cluster.run();
    expect(instance.output()).toEqual(["tea"]);
  });

  test("with a stricter schema and validator does not refuse what was applied", async () => {
    const { cluster, instance } = await begun();
    await instance.call("add", "tea");
    const strict = workflow("Basket", async (ctx) => {
      const items: string[] = [];
      const refuse = () => {
        throw new Error("no more");
      };
      ctx.handle("items", { readOnly: true }, () => items);
      ctx.handle("add", { input: z.literal("salt"), validate: refuse }, async (item: string) => {
        items.push(item);
        return ctx.call(reserve, item, { key: item });
      });
      await ctx.waitForEvent("done");
    });
    cluster.deploy([strict]);
    expect(await instance.call("items")).toEqual(["tea"]);
    await expect(instance.call("add", "salt")).rejects.toMatchObject({ code: "UPDATE_REFUSED" });
  });
});

describe("a rewind", () => {
  let fails = true;
  const shipping = workflow("Shipping", async (ctx) => {
    let address = "none";
    let changes = 0;
    ctx.handle("address", {}, (to: string) => {
      address = to;
      return `${to}, ${ctx.now.getTime() > 0 ? ++changes : 0}`;
    });
    await ctx.call(reserve, "tea");
    await ctx.waitForEvent("ship");
    await ctx.run("ship", () => {
      if (fails) throw new Error("no truck");
    });
    return [address, changes];
  });

  test("keeps updates before what it goes back to, and delivers those after it again in their order", async () => {
    fails = true;
    const cluster = new Cluster({ workflows: [shipping] });
    const instance = await cluster.start(shipping);
    await cluster.run();
    const object = cluster.object(instance.id);
    expect(unwrapped(await ran(cluster, call(object, "address", "A", "a")))).toBe("A, 1");
    expect(unwrapped(await ran(cluster, call(object, "address", "B", "b")))).toBe("B, 2");
    instance.send("ship");
    await cluster.run();
    expect(instance.document().status).toBe("Failed");
    fails = false;
    instance.rewind(); // to the failed step: both were before it
    await cluster.run();
    expect(instance.output()).toEqual(["B", 2]);
    const undone = await instance.previewRewind({ to: "reserve" });
    expect(undone.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["reserve", "address()", "ship"]),
    );
    instance.rewind({ to: "reserve" }); // both came after it
    await cluster.run();
    expect(instance.output()).toEqual(["B", 2]);
    const order = instance.history().toSorted((a, b) => (a.seq ?? 0) - (b.seq ?? 0));
    expect(order.map(({ name }) => name)).toEqual([
      ...["(rewind)", "reserve", "address()", "address()", "ship", "ship"],
    ]);
    expect(unwrapped(await ran(cluster, call(object, "address", "A", "a")))).toBe("A, 1");
    instance.rewind({ to: instance.history().find(({ input }) => input === "B")?.step ?? "" });
    await cluster.run();
    expect(instance.output()).toEqual(["B", 2]);
  });
});

describe("bounds", () => {
  test("an instance has so many updates that are not done", async () => {
    const cluster = new Cluster({ workflows: [slow] });
    const instance = await cluster.start(slow, 1);
    await cluster.run();
    const object = cluster.object(instance.id);
    const waiting = [];
    for (let count = 0; count < LIMITS.openUpdates; count++) {
      waiting.push(call(object, "wait", 1, `key ${count}`, 10));
    }
    await cluster.advance("1 second");
    await expect(call(object, "wait", 1, "more", 10).then(unwrapped)).rejects.toMatchObject({
      code: "UPDATES_FULL",
    });
    await cluster.advance("2 days");
    expect(unwrapped(await ran(cluster, call(object, "quick", null, "now")))).toBe(1);
  });

  test("an execution takes so many updates", async () => {
    const counting = workflow("Counting", async (ctx) => {
      let count = 0;
      ctx.handle("count", {}, () => ++count);
      await ctx.waitForEvent("go");
    });
    const cluster = new Cluster({ workflows: [counting] });
    const instance = await cluster.start(counting);
    await cluster.run();
    instance.evict();
    const { sql } = cluster.object(instance.id);
    const insert = `INSERT INTO step (seq, step, kind, state, input, result, at)
      VALUES (?, ?, 'update', 'done', '-1', '[1]', 0)`;
    for (let seq = 1; seq < LIMITS.updates; seq++) sql.run(insert, seq, `count()#${seq}`);
    expect(await instance.call("count")).toBe(LIMITS.updates);
    await expect(instance.call("count")).rejects.toMatchObject({ code: "UPDATES_EXCEEDED" });
  });

  test("large inputs and replies are kept whole, over a crash too", async () => {
    const large = workflow("Large", async (ctx) => {
      let kept = "";
      ctx.handle("keep", {}, (text: string) => {
        kept = text;
        return text + text;
      });
      ctx.handle("length", { readOnly: true }, () => kept.length);
      await ctx.waitForEvent("go");
    });
    const cluster = new Cluster({ workflows: [large], cellBytes: 1_000 });
    const instance = await cluster.start(large);
    await cluster.run();
    const object = cluster.object(instance.id);
    const text = "long ".repeat(2_000);
    expect(unwrapped(await ran(cluster, call(object, "keep", text, "key")))).toBe(text + text);
    instance.crash();
    expect(await instance.call("length")).toBe(text.length);
    expect(unwrapped(await ran(cluster, call(object, "keep", text, "key")))).toBe(text + text);
    instance.purge({ force: true });
    expect(object.sql.all("SELECT name FROM sqlite_master WHERE name = 'part'")).toEqual([]);
  });
});

test("a crash at any commit applies each update once, and every reply is the same", async () => {
  const usual = await story();
  const tried = await atEachCommit(async (point) => {
    const { object, ...rest } = await story(point);
    expect(rest, JSON.stringify(point)).toEqual({
      replies: usual.replies,
      output: usual.output,
    });
    return object;
  });
  expect(tried).toBeGreaterThan(10);
});

/** A client sends four updates, each until it is answered, and then the end. */
async function story(point?: CrashPoint) {
  const object = started(basket, undefined, {
    ...(point === undefined ? {} : { faults: crashesAt(point) }),
  });
  const replies: unknown[] = [];
  const client = (async () => {
    for (const [name, input] of [
      ["add", "tea"],
      ["add", "salt"],
      ["add", "tea"],
      ["close", null],
    ] as const) {
      const key = `${replies.length}`;
      let answer = await call(object, name, input, key);
      while (answer === undefined) answer = await call(object, name, input, key);
      replies.push(answer.ok ? unwrapped(answer) : (answer.error as WaymarkError).code);
    }
    const payload = encode(null, "the event");
    const idempotency = { key: "done", fingerprint: "" };
    const done = { event: "done", payload, idempotency };
    while ((await object.deliver((commands) => commands.sendEvent(ID, done))) === undefined);
  })();
  await object.run();
  await client;
  await object.run();
  return { object, replies, output: object.commands.get(ID).output };
}

type Answered = Awaited<ReturnType<typeof call>>;

function call(object: InProcessObject, name: string, input: unknown, key: string, millis = 60_000) {
  const payload = encode(input, "the input");
  const idempotency = { key, fingerprint: `${name} ${payload}` };
  const until = object.clock.now() + millis;
  return object.request((commands) =>
    commands.call(object.name, { name, payload, idempotency }, until),
  );
}

function unwrapped(answer: Answered): unknown {
  if (answer === undefined) throw new Error("lost");
  if (!answer.ok) throw answer.error;
  if (!answer.value.done) throw new Error("pending");
  return decode(answer.value.reply);
}

/** The answer, with all that it needs done meanwhile. */
async function ran(cluster: Cluster, answer: ReturnType<typeof call>): Promise<Answered> {
  const until = cluster.clock.now();
  for (let millis = 1; ; millis *= 2) {
    const came = await Promise.race([answer.then((value) => ({ value })), settled()]);
    if (came !== undefined) return came.value;
    await cluster.run(new Date(until + millis));
  }
}

const settled = (): Promise<undefined> =>
  new Promise((resolve) => setImmediate(() => resolve(undefined)));
