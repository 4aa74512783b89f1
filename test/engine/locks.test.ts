import { expect, test } from "vitest";
import { entity } from "../../src/core/entity.ts";
import { isWaymarkError } from "../../src/core/errors.ts";
import { workflow } from "../../src/core/workflow.ts";
import { Cluster } from "../../src/testing/cluster.ts";
import { leftBehind } from "../../src/testing/left-behind.ts";

const counter = entity("Counter", {
  initial: () => 0,
  operations: {
    get: (ctx) => ctx.state,
    set: (ctx, n: number) => {
      ctx.state = n;
    },
    add: (ctx, n: number) => (ctx.state += n),
    spoil: (): number => {
      throw new Error("spoilt");
    },
  },
});

const child = workflow("Child", async () => 1);

/** Reads two counters, waits, and writes both: right only where nobody comes between. */
const raising = workflow("Raising", async (ctx, keys: readonly string[]) => {
  const held = keys.map((key) => ctx.entity(counter, key));
  const lock = await ctx.lock(held);
  const read = [];
  for (const one of held) read.push(await one.get());
  await ctx.sleep("100 milliseconds");
  for (const [index, one] of held.entries()) await one.set((read[index] ?? 0) + 1);
  await lock.release();
});

test("an execution has what it has locked to itself until it releases it", async () => {
  const cluster = new Cluster({ workflows: [raising], entities: [counter] });
  const one = await cluster.start(raising, ["b", "a", "b"], { id: "one" });
  await cluster.advance("10 milliseconds");
  const other = cluster.entity(counter, "a");
  other.signal("set", 10);
  await cluster.advance("10 milliseconds");
  expect(other.state()).toBeUndefined();
  expect(one.document().waitingFor).toMatchObject([{ kind: "timer" }]);
  await cluster.run();
  expect([other.state(), cluster.entity(counter, "b").state()]).toEqual([10, 1]);
  expect(one.history()).toMatchObject([
    { step: "lock", kind: "lock", input: ["Counter/a", "Counter/b"], instanceId: "Counter/b" },
    { step: "Counter.get" },
    { step: "Counter.get#2" },
    { step: "Counter.get#3" },
    { kind: "timer" },
    { step: "Counter.set" },
    { step: "Counter.set#2" },
    { step: "Counter.set#3" },
    { step: "unlock/lock", kind: "unlock", state: "done" },
  ]);
  expect(leftBehind(cluster)).toEqual([]);
});

test("fifty workflows that read, wait and write two counters, locked in any order, count exactly", async () => {
  const cluster = new Cluster({ workflows: [raising], entities: [counter] });
  for (let n = 0; n < 50; n++) {
    await cluster.start(raising, n % 3 === 0 ? ["a", "b"] : n % 3 === 1 ? ["b", "a"] : ["b"]);
  }
  await cluster.run();
  expect(cluster.entity(counter, "a").state()).toBe(34);
  expect(cluster.entity(counter, "b").state()).toBe(50);
  expect(leftBehind(cluster)).toEqual([]);
});

test("what a section does not allow is refused, each with its code, and the section goes on", async () => {
  const asking = workflow("Asking", async (ctx) => {
    const [a, b, c] = ["a", "b", "c"].map((key) => ctx.entity(counter, key));
    if (a === undefined || b === undefined || c === undefined) throw new Error();
    const codes: unknown[] = [];
    const refused = (promise: Promise<unknown>) =>
      promise.then(
        () => codes.push("ok"),
        (error: unknown) => codes.push(isWaymarkError(error) && error.code),
      );
    const open = c.get();
    await refused(ctx.lock(c));
    await open;
    await refused(ctx.lock([]));
    await refused(ctx.lock([{} as never]));
    await refused(ctx.lock(Array.from({ length: 21 }, (_, n) => ctx.entity(counter, `k${n}`))));
    const lock = await ctx.lock(a, b);
    await refused(ctx.lock(c));
    await refused(ctx.call(child));
    await refused(ctx.start(child));
    await refused(c.get());
    const first = a.get();
    await refused(a.get());
    await first;
    await refused(Promise.all([a.get(), b.get(), a.signal.add(1), c.signal.add(1)]));
    await refused(a.spoil());
    await Promise.all([lock.release(), lock.release()]);
    await refused(Promise.all([a.get(), a.get(), ctx.call(child)]));
    return codes;
  });
  const cluster = new Cluster({ workflows: [asking, child], entities: [counter] });
  const instance = await cluster.start(asking);
  await cluster.run();
  expect(instance.output()).toEqual([
    ...["LOCK_ENTITY_OPEN", "DEFINITION_INVALID", "DEFINITION_INVALID", "LOCK_TOO_LARGE"],
    ...["LOCK_NESTED", "LOCK_CHILD", "LOCK_CHILD", "LOCK_ENTITY_FOREIGN", "LOCK_ENTITY_OPEN"],
    ...["ok", "ENTITY_FAILED", "ok"],
  ]);
  instance.evict();
  expect(leftBehind(cluster)).toEqual([]);
});
