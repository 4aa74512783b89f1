import { expect, test } from "vitest";
import { entity } from "../../src/core/entity.ts";
import { isWaymarkError } from "../../src/core/errors.ts";
import { EntityFailedError } from "../../src/core/failure.ts";
import { workflow } from "../../src/core/workflow.ts";
import { Cluster } from "../../src/testing/cluster.ts";
import { leftBehind } from "../../src/testing/left-behind.ts";

const counter = entity("Counter", {
  initial: () => 0,
  operations: {
    add: (ctx, n: number) => (ctx.state += n),
    get: (ctx) => ctx.state,
    remove: (ctx) => ctx.delete(),
  },
});

/** A list, so that what was applied can be told, and in which order. */
const journal = entity("Journal", {
  initial: (key): { readonly of: string; readonly lines: string[] } => ({ of: key, lines: [] }),
  operations: {
    note: (ctx, line: string) => ctx.state.lines.push(line),
    spoil: (ctx, line: string) => {
      ctx.state.lines.push(line);
      throw new RangeError(`not ${line}`);
    },
  },
});

test("a workflow calls an operation and gets what it returned", async () => {
  const totals = workflow("Totals", async (ctx) => {
    const mine = ctx.entity(counter, "user-1");
    const first = await mine.add(5);
    return [first, await mine.add(2), await ctx.entity(counter, "user-2").get()];
  });
  const cluster = new Cluster({ workflows: [totals], entities: [counter] });
  const instance = await cluster.start(totals);
  await cluster.run();
  expect(instance.output()).toEqual([5, 7, 0]);
  expect(cluster.entity(counter, "user-1").state()).toBe(7);
  expect(cluster.entity(counter, "user-2").state()).toBeUndefined();
  expect(instance.history()).toMatchObject([
    { step: "Counter.add", kind: "entity", instanceId: "Counter/user-1", result: 5 },
    { step: "Counter.add#2", input: { key: "user-1", input: 2 }, result: 7 },
    { step: "Counter.get", instanceId: "Counter/user-2", result: 0 },
  ]);
  expect(leftBehind(cluster)).toEqual([]);
});

test("a signal is over when it is stored, and arrives also where nobody awaits it", async () => {
  const noting = workflow("Noting", async (ctx) => {
    const log = ctx.entity(journal, "all").signal;
    await log.note("first");
    for (const line of ["second", "third"]) void log.note(line);
  });
  const cluster = new Cluster({ workflows: [noting], entities: [journal] });
  await cluster.start(noting);
  await cluster.run();
  expect(cluster.entity(journal, "all").state()).toEqual({
    of: "all",
    lines: ["first", "second", "third"],
  });
  expect(leftBehind(cluster)).toEqual([]);
});

test("an operation that throws leaves the state as it was, and the entity goes on", async () => {
  const spoiling = workflow("Spoiling", async (ctx) => {
    const log = ctx.entity(journal, "all");
    await log.note("good");
    const failure = await log.spoil("bad").catch((error: unknown) => error);
    const count = await log.note("better");
    if (!(failure instanceof EntityFailedError)) throw failure;
    const { type, message, instanceId } = failure.failure;
    return [failure.code, failure.step, failure.message, { type, message, instanceId }, count];
  });
  const cluster = new Cluster({ workflows: [spoiling], entities: [journal] });
  const instance = await cluster.start(spoiling);
  await cluster.run();
  const failure = { type: "RangeError", message: "not bad", instanceId: "Journal/all" };
  const message = 'Journal.spoil (entity "Journal/all") failed: RangeError: not bad';
  expect(instance.output()).toEqual(["ENTITY_FAILED", "Journal.spoil", message, failure, 2]);
  expect(cluster.entity(journal, "all").state()?.lines).toEqual(["good", "better"]);
});

test("fifty workflows that add to one counter add up exactly", async () => {
  const adding = workflow("Adding", async (ctx, n: number) => {
    const shared = ctx.entity(counter, "shared");
    await Promise.all([shared.add(n), shared.signal.add(n), ctx.sleep("1 second")]);
    return await shared.add(n);
  });
  const cluster = new Cluster({ workflows: [adding], entities: [counter] });
  for (let n = 1; n <= 50; n++) await cluster.start(adding, n);
  await cluster.run();
  expect(cluster.entity(counter, "shared").state()).toBe(3 * ((50 * 51) / 2));
  expect(leftBehind(cluster)).toEqual([]);
});

test("an unknown operation, entity or key is an error of the call", async () => {
  const other = entity("Other", { initial: () => 0, operations: { add: () => 1 } });
  const renamed = entity("Counter", { initial: () => 0, operations: { plus: () => 1 } });
  const asking = workflow("Asking", async (ctx) => {
    const calls = [
      ctx.entity(other, "a").add(),
      ctx.entity(renamed, "a").plus(),
      ctx.entity(renamed, "a").signal.plus(),
      ctx.entity(counter, "").get(),
      ctx.entity(counter, "..").get(),
      ctx.entity(counter, "a\n").get(),
    ];
    return (await Promise.allSettled(calls)).map((one) => {
      const reason: unknown = one.status === "rejected" ? one.reason : null;
      return reason instanceof EntityFailedError
        ? reason.failure.code
        : isWaymarkError(reason) && reason.code;
    });
  });
  const cluster = new Cluster({ workflows: [asking], entities: [counter] });
  const instance = await cluster.start(asking);
  await cluster.run();
  expect(instance.output()).toEqual([
    ...["ENTITY_NOT_FOUND", "OPERATION_NOT_FOUND", "OPERATION_NOT_FOUND"],
    ...["NAME_INVALID", "NAME_INVALID", "NAME_INVALID"],
  ]);
});

test("a test calls an operation as a request does", async () => {
  const cluster = new Cluster({ workflows: [], entities: [counter, journal] });
  const mine = cluster.entity(counter, "user-1");
  expect(await mine.call("add", 5)).toBe(5);
  expect(await mine.call("get")).toBe(5);
  mine.signal("add", 2);
  await cluster.run();
  expect(mine.state()).toBe(7);
  await expect(cluster.entity(journal, "all").call("spoil", "it")).rejects.toMatchObject({
    code: "ENTITY_FAILED",
    message: "Journal/all: spoil failed: RangeError: not it",
  });
});
