import { expectTypeOf, test } from "vitest";
import { z } from "zod";
import { entity } from "../../src/core/entity.ts";
import type { Lock } from "../../src/core/lock-asks.ts";
import { workflow } from "../../src/core/workflow.ts";
import type { Cluster } from "../../src/testing/cluster.ts";

const counter = entity("Counter", {
  initial: () => 0,
  operations: {
    add: (ctx, n: number) => (ctx.state += n),
    get: (ctx) => ctx.state,
    later: async (ctx, by?: string) => `${by} ${ctx.key}`,
    checked: { input: z.number(), run: (ctx, n: number) => ctx.state > n },
  },
});

test("calls, signals and states are typed from the definition", () => {
  workflow("Calls", async (ctx) => {
    const one = ctx.entity(counter, "user-1");
    expectTypeOf(one.add(5)).resolves.toEqualTypeOf<number>();
    expectTypeOf(one.get()).resolves.toEqualTypeOf<number>();
    expectTypeOf(one.later()).resolves.toEqualTypeOf<string>();
    expectTypeOf(one.checked(5)).resolves.toEqualTypeOf<boolean>();
    expectTypeOf(one.signal.add(5)).resolves.toEqualTypeOf<void>();
    one.add(5, { key: "k", timeout: "1 minute", signal: ctx.signal });
    one.signal.get(undefined, { at: new Date() });
    // @ts-expect-error: it takes a number
    one.add("5");
    // @ts-expect-error: it takes an input
    one.add();
    // @ts-expect-error: the other operations are not there
    one.subtract(5);
    // @ts-expect-error: a call is not scheduled
    one.add(5, { at: new Date() });
    // @ts-expect-error: nobody waits for a signal
    one.signal.add(5, { timeout: "1 minute" });
  });
});

test("the context of an operation has the state's type", () => {
  entity("Other", {
    initial: (key): { readonly of: string; count: number } => ({ of: key, count: 0 }),
    operations: {
      use: (ctx) => {
        expectTypeOf(ctx.state).toEqualTypeOf<{ readonly of: string; count: number }>();
        expectTypeOf(ctx.entity(counter, "a").signal.add(5)).toEqualTypeOf<void>();
        // @ts-expect-error: an operation calls no other entity, which may wait for this one
        ctx.entity(counter, "a").add(5);
        // @ts-expect-error: it is not what the state is
        ctx.state = 5;
      },
    },
  });
});

test("a test's entity is typed as well", () => {
  const uses = (cluster: Cluster) => {
    const one = cluster.entity(counter, "a");
    expectTypeOf(one.state()).toEqualTypeOf<number | undefined>();
    expectTypeOf(one.call("add", 5)).resolves.toEqualTypeOf<number>();
    // @ts-expect-error: it takes a number
    void one.call("add", "5");
  };
  expectTypeOf(uses).toBeFunction();
});

test("a lock takes entities of any kind, and is released by a block, or by itself", () => {
  const other = entity("Words", { initial: () => "", operations: { say: (ctx) => ctx.state } });
  workflow("Locks", async (ctx) => {
    const one = ctx.entity(counter, "a");
    {
      await using lock = await ctx.lock(one, ctx.entity(other, "b"));
      expectTypeOf(lock).toEqualTypeOf<Lock>();
    }
    using _lock = await ctx.lock([one], { timeout: "1 minute", key: "k", signal: ctx.signal });
    expectTypeOf(_lock.release()).resolves.toEqualTypeOf<void>();
    // @ts-expect-error: there is nothing to lock
    ctx.lock();
    // @ts-expect-error: options come with a list
    ctx.lock(one, { timeout: "1 minute" });
    // @ts-expect-error: a definition is no entity
    ctx.lock(counter);
    // @ts-expect-error: nor is an address
    ctx.lock("Counter/a");
  });
});
