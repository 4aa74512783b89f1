/** Where rewinds, compensation, updates and entities meet. */
import { expect, test } from "vitest";
import { z } from "zod";
import { activity } from "../../src/core/activity.ts";
import { entity } from "../../src/core/entity.ts";
import { workflow } from "../../src/core/workflow.ts";
import { Cluster } from "../../src/testing/cluster.ts";
import { mock } from "../../src/testing/mock.ts";
import { columnsWith, FIRST } from "./secrets.ts";

const once = { retry: { maxAttempts: 1 } } as const;
const book = activity("book", once, (trip: string) => `${trip} booked`);
const unbook = activity("unbook", () => "undone");
const pay = activity("pay", once, (trip: string) => `${trip} paid`);

const trimmed = z.string().transform((text) => text.trim());

const journal = entity("Journal", {
  initial: (): string[] => [],
  operations: { note: (ctx, line: string) => ctx.state.push(line) },
});

test("a signal that nobody waits for leaves though what came before it is undone", async () => {
  const sell = workflow("Sell", async (ctx) => {
    await ctx.call(book, "trip", { undo: unbook });
    void ctx.entity(journal, "a").signal.note("failed");
    throw new Error("no");
  });
  const cluster = new Cluster({ workflows: [sell], entities: [journal] });
  const instance = await cluster.start(sell);
  await cluster.run();
  expect(instance.document().status).toBe("Failed");
  expect(cluster.entity(journal, "a").state()).toEqual(["failed"]);
});

test("an update comes again after the step that it came after, whatever step the rewind goes back to", async () => {
  const state = { down: true, booked: 0 };
  const sell = workflow("Sell", async (ctx) => {
    let booked = false;
    let approve = () => {};
    const approved = new Promise<void>((resolve) => {
      approve = resolve;
    });
    ctx.handle(
      "approve",
      {
        validate: () => {
          if (!booked) throw new Error("nothing is booked");
        },
      },
      () => approve(),
    );
    await ctx.call(book, "first", { undo: unbook });
    await ctx.call(book, "second", { undo: unbook });
    booked = true;
    await approved;
    return ctx.call(pay, "trip");
  });
  const activities = [
    mock(book, (trip) => `${trip} ${++state.booked}`),
    mock(pay, () => {
      if (state.down) throw new Error("down");
      return "paid";
    }),
  ];
  const cluster = new Cluster({ workflows: [sell], activities });
  const instance = await cluster.start(sell);
  await cluster.run();
  await instance.call("approve");
  await cluster.run();
  expect(instance.document().status).toBe("Failed");
  state.down = false;
  instance.rewind();
  await cluster.run();
  expect(instance.output()).toBe("paid");
  expect(state.booked).toBe(4);
});

test("an execution that is undone because its history is too large takes no update", async () => {
  const big = activity("big", once, () => "x".repeat(16_000_000));
  const slow = activity("slow", () => "undone");
  const grow = workflow("Grow", async (ctx) => {
    ctx.handle("note", {}, () => ctx.call(pay, "note", { undo: unbook }));
    await ctx.call(book, "trip", { undo: slow });
    for (;;) await ctx.call(big, undefined);
  });
  const clock = { n: 0 };
  const slowly = mock(slow, async (_, ctx) => {
    clock.n++;
    await ctx.sleep("1 hour");
    return "undone";
  });
  const cluster = new Cluster({ workflows: [grow], activities: [slowly] });
  const instance = await cluster.start(grow);
  await cluster.advance("30 minutes");
  expect(clock.n).toBe(1);
  await expect(instance.call("note")).rejects.toMatchObject({ code: "UPDATE_UNFINISHED" });
  instance.crash();
  await cluster.run();
  const steps = instance.history().map(({ step }) => step);
  expect(steps).toContain("undo/book");
  expect(steps).not.toContain("pay");
});

test("an update that comes while an execution is undone is not taken, and told so at the end", async () => {
  const slow = activity("slow", () => "undone");
  const sell = workflow("Sell", async (ctx) => {
    ctx.handle("note", {}, () => ctx.call(book, "another trip", { undo: unbook }));
    await ctx.call(book, "trip", { undo: slow });
    throw new Error("no");
  });
  const slowly = mock(slow, async (_, ctx) => {
    await ctx.sleep("1 hour");
    return "undone";
  });
  const cluster = new Cluster({ workflows: [sell], activities: [slowly] });
  const instance = await cluster.start(sell);
  await cluster.advance("30 minutes");
  expect(instance.document()).toMatchObject({
    status: "Running",
    waitingFor: [{ name: "undo/book" }],
  });
  await expect(instance.call("note")).rejects.toMatchObject({ code: "UPDATE_UNFINISHED" });
  await cluster.run();
  expect(instance.document().status).toBe("Failed");
  const booked = instance.history().filter(({ name }) => name === "book");
  expect(booked).toHaveLength(1);
});

test("an update that a rewind gives back does not wait for a step of the next execution", async () => {
  const state = { again: false };
  const round = workflow("Round", async (ctx, first: boolean) => {
    const calls: number[] = [];
    let slept = false;
    ctx.handle("note", {}, () => calls.push(slept ? 1 : 0));
    if (!first) {
      await ctx.call(pay, "trip");
      slept = true;
      await ctx.sleep("1 hour");
      return calls;
    }
    if ((await ctx.call(pay, "trip")) === "next") return ctx.continueAsNew(false);
    await ctx.waitForEvent("never");
    return calls;
  });
  const activities = [mock(pay, () => (state.again ? "next" : "paid"))];
  const cluster = new Cluster({ workflows: [round], activities });
  const instance = await cluster.start(round, true);
  await cluster.run();
  await instance.call("note");
  instance.terminate();
  await cluster.run();
  state.again = true;
  instance.rewind({ to: "pay" });
  await cluster.run();
  expect(instance.output()).toEqual([0]);
});

test("a fork out of a section waits for its locks, and neither side releases the other's", async () => {
  const tally = entity("Tally", {
    initial: () => 0,
    operations: { add: (ctx, n: number) => (ctx.state += n) },
  });
  const locking = workflow("Locking", async (ctx) => {
    await using _lock = await ctx.lock(ctx.entity(tally, "a"), ctx.entity(tally, "b"));
    await ctx.entity(tally, "a").add(1);
    await ctx.waitForEvent("go");
    return ctx.entity(tally, "b").add(1);
  });
  const cluster = new Cluster({ workflows: [locking], entities: [tally] });
  const source = await cluster.start(locking);
  await cluster.advance("1 minute");
  const lockedBy = () => cluster.object("Tally/a").entity.state("Tally", "a").lockedBy;
  expect(lockedBy()).toBe(source.id);
  const fork = source.fork();
  fork.send("go");
  await cluster.advance("10 minutes"); // the entity has asked its holder meanwhile
  expect(fork.document()).toMatchObject({ status: "Running", waitingFor: [{ kind: "lock" }] });
  const cut = source.fork();
  await cluster.advance("1 minute");
  cut.terminate();
  await cluster.advance("1 minute");
  expect(lockedBy()).toBe(source.id);
  source.send("go");
  await cluster.advance("10 minutes");
  expect([source.output(), fork.output()]).toEqual([1, 2]);
  expect(cluster.entity(tally, "a").state()).toBe(1); // the fork has the first step from its source
  expect(lockedBy()).toBeUndefined();
});

test("a fork has the secrets of its source, hidden from people and encrypted with its own place", async () => {
  const split = { cellBytes: 300 }; // the long ones go in parts, one by one
  const hide = activity("Hide", { ...once, sensitive: true }, (card: string) => `${card} hidden`);
  const long = `s3cret ${"x".repeat(300_000)}`;
  const spoil = activity("Spoil", once, (): string => {
    throw new Error("s3cret spoilt");
  });
  const keeping = workflow("Keeping", async (ctx, card: string) => {
    const lines = [await ctx.call(hide, card), await ctx.call(spoil, undefined).catch(String)];
    const given = await ctx.waitForEvent<string>("given", { schema: trimmed });
    lines.push(given, await ctx.run("long", () => long));
    await ctx.call(spoil, undefined);
    return lines;
  });
  const seen: string[] = [];
  const cluster: Cluster = new Cluster({
    ...split,
    workflows: [keeping],
    codec: FIRST,
    onEvent: ({ kind, object }) => {
      if (kind === "commit") seen.push(...columnsWith(cluster.object(object).sql, "s3cret"));
    },
  });
  const source = await cluster.start(keeping, "s3cret");
  source.send("given", " s3cret event ");
  await cluster.run();
  expect(source.document().status).toBe("Failed");
  const fork = source.fork({ reason: "s3cret reason" });
  await cluster.run();
  expect(fork.document()).toMatchObject({ status: "Failed", input: "s3cret" });
  const [mine, theirs] = [fork, source].map((instance) =>
    instance.history().filter(({ kind }) => kind !== "rewind"),
  );
  const told = (items: typeof mine = []) =>
    items.map(({ step, input, result }) => JSON.stringify([step, input, result]));
  expect(told(mine)).toEqual(told(theirs));
  const hidden = mine?.find(({ name }) => name === "Hide");
  expect(hidden).toMatchObject({ result: { $sensitive: true } });
  expect(seen).toEqual([]);
});
