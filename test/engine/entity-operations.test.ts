import { expect, test } from "vitest";
import { z } from "zod";
import { entity } from "../../src/core/entity.ts";
import { WaymarkError } from "../../src/core/errors.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { Cluster, type ClusterOptions } from "../../src/testing/cluster.ts";
import { leftBehind } from "../../src/testing/left-behind.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";

type Options = Omit<ClusterOptions, "workflows">;
const clusterOf = (options: Options) => new Cluster({ workflows: [], ...options });

const ADD = { add: (ctx: { state: number }, n: number) => (ctx.state += n) };

test("an operation that takes too long fails, and what it still does counts no more", async () => {
  const clock = new VirtualClock();
  const told: unknown[] = [];
  const slow = entity("Slow", {
    initial: () => 0,
    timeout: "10 seconds",
    operations: {
      ...ADD,
      linger: async (ctx) => {
        ctx.state = 100;
        ctx.signal.addEventListener("abort", () => told.push(ctx.signal.reason.code));
        await clock.sleep(60_000);
        try {
          ctx.state = 1_000;
        } catch (error) {
          told.push(error instanceof WaymarkError && error.code);
        }
      },
    },
  });
  const cluster = clusterOf({ entities: [slow], clock });
  const one = cluster.entity(slow, "a");
  await expect(one.call("linger")).rejects.toMatchObject({
    code: "ENTITY_TIMEOUT",
    message: expect.stringContaining('"linger" of Slow/a took longer than 10000 ms'),
  });
  expect(await one.call("add", 1)).toBe(1);
  await cluster.advance("2 minutes");
  expect(told).toEqual(["ENTITY_TIMEOUT", "ENTITY_TIMEOUT"]);
  expect(one.state()).toBe(1);
});

test("an asynchronous operation has the entity to itself", async () => {
  const clock = new VirtualClock();
  const seen: string[] = [];
  const careful = entity("Careful", {
    initial: () => 0,
    operations: {
      add: async (ctx, name: string) => {
        seen.push(`${name} begins`);
        const before = ctx.state;
        await clock.sleep(5_000);
        ctx.state = before + 1;
        seen.push(`${name} ends`);
      },
    },
  });
  const cluster = clusterOf({ entities: [careful], clock });
  const one = cluster.entity(careful, "a");
  one.signal("add", "first");
  one.signal("add", "second");
  await cluster.run();
  expect(one.state()).toBe(2);
  expect(seen).toEqual(["first begins", "first ends", "second begins", "second ends"]);
});

test("a poisonous operation has failed after three losses at most, and the others have their turn", async () => {
  const deaths: string[] = [];
  const mortal = entity("Mortal", {
    initial: () => 0,
    operations: {
      ...ADD,
      die: (ctx): Promise<void> => {
        deaths.push(ctx.idempotencyKey);
        cluster.object("Mortal/a").crash();
        return new Promise(() => {});
      },
    },
  });
  const cluster: Cluster = clusterOf({ entities: [mortal] });
  const one = cluster.entity(mortal, "a");
  one.signal("add", 1);
  one.signal("die");
  one.signal("add", 1);
  await expect(one.call("die")).rejects.toMatchObject({ code: "ENTITY_LOST" });
  await cluster.run();
  expect(one.state()).toBe(2);
  expect(deaths).toHaveLength(5); // the first loss of a memory that took it in is not looked for
  expect(new Set(deaths).size).toBe(2); // its key is the same over all tries
  expect(leftBehind(cluster)).toEqual([]);
});

test("a queue of nothing but poison does not use up the retries of the platform's alarm", async () => {
  const mortal = entity("Mortal", {
    initial: () => 0,
    operations: {
      ...ADD,
      die: (): Promise<void> => {
        cluster.object("Mortal/a").crash();
        return new Promise(() => {});
      },
    },
  });
  let most = 0;
  const cluster: Cluster = clusterOf({
    entities: [mortal],
    faults: {
      processLost: () => false,
      alarmLost: (_object, retries) => {
        most = Math.max(most, retries);
        return retries > 6;
      },
    },
  });
  const one = cluster.entity(mortal, "a");
  for (let times = 0; times < 10; times++) one.signal("die");
  one.signal("add", 1);
  await cluster.run();
  expect(one.state()).toBe(1);
  expect(most).toBeLessThanOrEqual(2);
});

test("a deployment keeps states and what waits; an operation that is gone by then has failed", async () => {
  const before = entity("Counter", {
    initial: () => 0,
    operations: { ...ADD, double: (ctx) => (ctx.state *= 2) },
  });
  const after = entity("Counter", { initial: () => 0, operations: ADD });
  const cluster = clusterOf({ entities: [before] });
  await cluster.entity(before, "a").call("add", 5);
  cluster.entity(before, "a").signal("add", 1);
  cluster.entity(before, "a").signal("double");
  cluster.entity(before, "b").signal("add", 1);
  cluster.deploy([], [after]);
  await cluster.advance("1 minute");
  expect(cluster.entity(after, "a").state()).toBe(6);
  cluster.deploy([], []);
  cluster.deploy([], [after]);
  expect(await cluster.entity(after, "b").call("add", 1)).toBe(2);
  const failed = cluster
    .object("Counter/a")
    .logs.filter(({ event }) => event === "operation.failed");
  expect(failed).toMatchObject([{ operation: "double", code: "OPERATION_NOT_FOUND" }]);
});

test("a key is as long as it may be, and no longer", async () => {
  const counter = entity("Counter", { initial: () => 0, operations: ADD });
  const cluster = clusterOf({ entities: [counter] });
  const longest = "ж".repeat(LIMITS.entityKeyLength);
  expect(await cluster.entity(counter, longest).call("add", 1)).toBe(1);
  expect(() => cluster.entity(counter, `${longest}x`)).toThrow("printable text of 1 to 256");
});

test("an operation whose object is lost in the middle runs again, and counts once", async () => {
  const clock = new VirtualClock();
  let runs = 0;
  const slow = entity("Slow", {
    initial: () => 0,
    operations: {
      add: async (ctx, n: number) => {
        runs++;
        await clock.sleep(1_000);
        ctx.state += n;
      },
    },
  });
  const cluster = clusterOf({ entities: [slow], clock });
  const one = cluster.entity(slow, "a");
  one.signal("add", 5);
  await cluster.advance("500 milliseconds");
  one.crash();
  await cluster.run();
  expect([runs, one.state()]).toEqual([2, 5]);
});

test("what an operation returns or keeps must fit what can be stored; else nothing of it is left", async () => {
  const picky = entity("Picky", {
    initial: (): unknown => "nothing",
    operations: {
      keep: (ctx, what: string) => {
        ctx.state = what === "function" ? () => 1 : "x".repeat(LIMITS.payloadBytes);
      },
      give: (ctx) => {
        ctx.state = "changed";
        return Symbol("no");
      },
    },
  });
  const one = clusterOf({ entities: [picky] }).entity(picky, "a");
  await expect(one.call("keep", "function")).rejects.toMatchObject({ code: "PAYLOAD_UNSUPPORTED" });
  await expect(one.call("keep", "much")).rejects.toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
  await expect(one.call("give")).rejects.toMatchObject({ code: "PAYLOAD_UNSUPPORTED" });
  expect(one.state()).toBeUndefined();
});

test("a schema checks the input, and may convert it", async () => {
  const dated = entity("Dated", {
    initial: (): Date[] => [],
    operations: {
      at: { input: z.coerce.date(), run: (ctx, at: Date) => ctx.state.push(at) },
    },
  });
  const one = clusterOf({ entities: [dated] }).entity(dated, "a");
  expect(await one.call("at", "2026-01-31T00:00:00Z" as unknown as Date)).toBe(1);
  await expect(one.call("at", "soon" as unknown as Date)).rejects.toMatchObject({
    code: "INPUT_INVALID",
  });
  expect(one.state()).toEqual([new Date("2026-01-31T00:00:00Z")]);
});

test("a state is there once it was set or changed, and reading makes none", async () => {
  const list = entity("List", {
    initial: (key): string[] => [key],
    operations: {
      read: (ctx) => ctx.state.length,
      push: (ctx, item: string) => ctx.state.push(item),
      set: (ctx) => {
        ctx.state = [ctx.key];
      },
      remove: (ctx) => ctx.delete(),
      replace: (ctx, item: string) => {
        ctx.delete();
        const fresh = [...ctx.state];
        ctx.state = [...fresh, item];
      },
      clear: (ctx) => {
        ctx.delete();
        return ctx.state;
      },
    },
  });
  const one = clusterOf({ entities: [list] }).entity(list, "a");
  expect([await one.call("read"), one.state()]).toEqual([1, undefined]);
  await one.call("set");
  expect(one.state()).toEqual(["a"]);
  await one.call("push", "b");
  expect(one.state()).toEqual(["a", "b"]);
  await one.call("remove");
  expect(one.state()).toBeUndefined();
  await one.call("push", "c");
  expect(one.state()).toEqual(["a", "c"]);
  await one.call("replace", "d");
  expect(one.state()).toEqual(["a", "d"]);
  expect([await one.call("clear"), one.state()]).toEqual([["a"], undefined]);
});

test("an entity without a state leaves nothing behind a day after its last use; one with a state stays", async () => {
  const list = entity("List", {
    initial: (): string[] => [],
    operations: {
      push: (ctx, item: string) => ctx.state.push(item),
      remove: (ctx) => ctx.delete(),
    },
  });
  const cluster = clusterOf({ entities: [list], cellBytes: 10 });
  const [gone, kept] = [cluster.entity(list, "gone"), cluster.entity(list, "kept")];
  await gone.call("push", "a long text that is split over several rows");
  await kept.call("push", "b");
  await cluster.advance("10 hours");
  await gone.call("remove");
  const tables = (address: string) =>
    cluster.object(address).sql.all("SELECT name FROM sqlite_master").length;
  await cluster.advance("23 hours");
  expect(tables(gone.address)).toBeGreaterThan(0);
  await cluster.advance("2 hours");
  expect(tables(gone.address)).toBe(0);
  expect(cluster.object(gone.address).alarm).toBeNull();
  expect(cluster.object(kept.address).alarm).toBeNull();
  expect(kept.state()).toEqual(["b"]);
  await gone.call("push", "again, and again split over several rows");
  expect(gone.state()).toEqual(["again, and again split over several rows"]);
});

test("so many operations wait and no more; who is refused is told to send again", async () => {
  const counter = entity("Counter", { initial: () => 0, operations: ADD });
  const cluster = clusterOf({ entities: [counter] });
  const { entity: commands } = cluster.object("Counter/a");
  const command = { name: "Counter", key: "a", operation: "add", input: "[1]" };
  for (let count = 0; count < LIMITS.entityQueue; count++) commands.signal(command);
  expect(() => commands.signal(command)).toThrow(
    expect.objectContaining({ code: "ENTITY_FULL", retryable: true }),
  );
  const message = { to: "Counter/a", from: "someone", number: 1 } as const;
  const content = { kind: "operation", operation: "add", input: "[1]", at: null } as const;
  const answer = commands.receive({ ...message, content: { ...content, caller: null } });
  expect(answer).toMatchObject({ ok: false, retryable: true });
  cluster.object("Counter/a").commit();
  await cluster.run();
  expect(cluster.entity(counter, "a").state()).toBe(LIMITS.entityQueue);
});

test("so large are the inputs that wait together, and no larger", () => {
  const box = entity("Box", {
    initial: () => "",
    operations: { put: (_ctx, _text: string) => {} },
  });
  const { entity: commands } = clusterOf({ entities: [box] }).object("Box/a");
  const input = JSON.stringify(["x".repeat(LIMITS.payloadBytes - 4)]);
  const command = { name: "Box", key: "a", operation: "put" };
  commands.signal({ ...command, input });
  commands.signal({ ...command, input });
  const more = { ...command, input: "[1]" };
  expect(() => commands.signal(more)).toThrow(expect.objectContaining({ code: "ENTITY_FULL" }));
});

test("an operation sends so many messages, and no more", async () => {
  const counter = entity("Counter", { initial: () => 0, operations: ADD });
  const sender = entity("Sender", {
    initial: () => 0,
    operations: {
      send: (ctx, count: number) => {
        for (let n = 0; n < count; n++) ctx.entity(counter, "a").signal.add(1);
      },
    },
  });
  const cluster = clusterOf({ entities: [counter, sender] });
  const one = cluster.entity(sender, "a");
  await expect(one.call("send", LIMITS.operationMessages + 1)).rejects.toThrow(
    "may send 1000 signals",
  );
  await one.call("send", LIMITS.operationMessages);
  await cluster.run();
  expect(cluster.entity(counter, "a").state()).toBe(LIMITS.operationMessages);
});

test("a result that is too long to be kept with its key is told so to who asks again", async () => {
  const text = entity("Text", {
    initial: () => "",
    operations: { repeat: (_ctx, count: number) => "x".repeat(count) },
  });
  const cluster = clusterOf({ entities: [text] });
  const object = cluster.object("Text/a");
  const ask = (key: string, count: number) =>
    object.entity.call({
      ...{ name: "Text", key: "a", operation: "repeat", input: `[${count}]` },
      idempotency: { key, fingerprint: String(count) },
    });
  for (const [key, count] of [
    ["short", 65_532],
    ["long", 65_533],
  ] as const) {
    const first = ask(key, count);
    object.commit();
    await cluster.advance("1 second");
    expect((await first).length).toBe(count + 4);
  }
  expect((await ask("short", 65_532)).length).toBe(65_536);
  await expect(ask("long", 65_533)).rejects.toMatchObject({ code: "RESULT_NOT_KEPT" });
  await expect(ask("short", 1)).rejects.toMatchObject({ code: "IDEMPOTENCY_KEY_REUSED" });
});

test("who waits longer than a minute is told to ask again, and then hears what came of it", async () => {
  const clock = new VirtualClock();
  const slow = entity("Slow", {
    initial: () => 0,
    timeout: "5 minutes",
    operations: {
      add: async (ctx, n: number) => {
        await clock.sleep(100_000);
        ctx.state += n;
        return ctx.state;
      },
    },
  });
  const cluster = clusterOf({ entities: [slow], clock });
  const object = cluster.object("Slow/a");
  const command = { name: "Slow", key: "a", operation: "add", input: "[5]" };
  const idempotency = { key: "k", fingerprint: "5" };
  const first = object.entity.call({ ...command, idempotency });
  const heard = expect(first).rejects.toMatchObject({ code: "ENTITY_BUSY" });
  object.commit();
  await cluster.advance("61 seconds");
  await heard;
  const again = object.entity.call({ ...command, idempotency });
  await cluster.run();
  expect(await again).toBe("[5]");
  expect(cluster.entity(slow, "a").state()).toBe(5);
});

test("an entity keeps so many idempotency keys of a day, and no more", async () => {
  const counter = entity("Counter", { initial: () => 0, operations: ADD });
  const cluster = clusterOf({ entities: [counter] });
  await cluster.entity(counter, "a").call("add", 1); // its own is the first
  const { sql, entity: commands } = cluster.object("Counter/a");
  const at = cluster.clock.now();
  for (let key = 1; key < LIMITS.entityKeys; key++) {
    sql.run("INSERT INTO idempotency VALUES (?, '', '{}', ?)", `key ${key}`, at);
  }
  const command = { name: "Counter", key: "a", operation: "add", input: "[1]" };
  const another = () =>
    commands.signal({ ...command, idempotency: { key: "another", fingerprint: "" } });
  expect(another).toThrow(expect.objectContaining({ code: "IDEMPOTENCY_KEYS_FULL" }));
  await cluster.advance("25 hours");
  expect(another).not.toThrow();
});

test("an alarm that the platform has given up is set again by the next request", async () => {
  const counter = entity("Counter", { initial: () => 0, operations: ADD });
  let lost = true;
  const cluster = clusterOf({ entities: [counter], faults: { alarmLost: () => lost } });
  const one = cluster.entity(counter, "a");
  one.signal("add", 1);
  await cluster.run();
  lost = false;
  await cluster.run();
  expect([one.state(), cluster.stuck()]).toEqual([undefined, [expect.anything()]]);
  expect(() => cluster.object("Counter/a").entity.state("Counter", "a")).toThrow("has no state");
  await cluster.run();
  expect(one.state()).toBe(1);
});

test("definitions that cannot work are refused", () => {
  const define = (operations: never, timeout?: "10 minutes") =>
    entity("Bad", { initial: () => 0, operations, ...(timeout ? { timeout } : {}) });
  const codes = [
    () => entity("no/slash", { initial: () => 0, operations: {} }),
    () => define({ signal: () => 1 } as never),
    () => define({ [`the${"n"}`]: () => 1 } as never),
    () => define({ "a/b": () => 1 } as never),
    () => define({ add: 1 } as never),
    () => define({ add: { input: {}, run: () => 1 } } as never),
    () => define({} as never, "10 minutes"),
    () => clusterOf({ entities: [define({} as never), define({} as never)] }).object("Bad/a"),
  ].map((act) => {
    try {
      act();
      return "defined";
    } catch (error) {
      return error instanceof WaymarkError ? error.code : error;
    }
  });
  expect(codes).toEqual([
    ...["NAME_INVALID", "DEFINITION_INVALID", "DEFINITION_INVALID", "NAME_INVALID"],
    ...["DEFINITION_INVALID", "DEFINITION_INVALID", "DEFINITION_INVALID", "DEFINITION_INVALID"],
  ]);
});
