import { describe, expect, test } from "vitest";
import { aesGcmCodec } from "../../src/aes-gcm.ts";
import { activity } from "../../src/core/activity.ts";
import { entity } from "../../src/core/entity.ts";
import { encode } from "../../src/core/payload.ts";
import { workflow } from "../../src/core/workflow.ts";
import { Cluster } from "../../src/testing/cluster.ts";
import { InProcessObject } from "../../src/testing/in-process-object.ts";
import { atEachCommit, crashesAt, ID, ran, startCommand, started } from "./harness.ts";
import { allCells, BOTH, columnsWith, FIRST, SECOND } from "./secrets.ts";

const SECRET = "s3cret";
const HOUR = 3_600_000;

const charge = activity(
  "Charge",
  { retry: { maxAttempts: 2, firstInterval: "1 second" } },
  (card: string) => {
    if (card.includes("bad")) throw Object.assign(new Error(`declined ${card}`), { card });
    return `charged ${card}`;
  },
);
const refund = activity("Refund", () => "refunded");
const vault = entity("Vault", {
  initial: (): string[] => [],
  operations: {
    add: (ctx, line: string) => {
      ctx.state.push(line);
      return line;
    },
    spoil: (_ctx, line: string) => {
      throw new Error(`spoilt ${line}`);
    },
  },
});
const child = workflow("Child", async (ctx, card: string) => ctx.call(charge, card));

/** Every kind of step, and each with a secret. */
const everything = workflow("Everything", async (ctx, card: string) => {
  ctx.setStatus({ card });
  ctx.handle("amend", {}, (given: unknown) => `amended ${String(given)}`);
  ctx.handle("peek", { readOnly: true }, () => card);
  const charged = await ctx.call(charge, card, { undo: refund });
  const bad = await ctx.call(charge, `${card} bad`).catch((error: Error) => error.message);
  const inline = await ctx.run("inline", () => `${card} inline`);
  const event = await ctx.waitForEvent<string>("go");
  const called = await ctx.call(child, `${card} child`, { id: "child-1" });
  const failed = await ctx.call(child, `${card} bad`, { id: "child-2" }).catch(String);
  const added = await ctx.entity(vault, "a").add(card);
  const spoilt = await ctx.entity(vault, "a").spoil(card).catch(String);
  await ctx.sleep("1 hour");
  return [charged, bad, inline, event, called, failed, added, spoilt].map((text) => text.length);
});
const options = { workflows: [everything, child], entities: [vault] };

describe("with a codec", () => {
  test("no table of any object has a payload in clear, at no commit", async () => {
    const seen: string[] = [];
    const cluster: Cluster = new Cluster({
      ...options,
      codec: FIRST,
      onEvent: (event) => {
        if (event.kind !== "commit") return;
        for (const object of cluster.objects) {
          seen.push(...columnsWith(cluster.object(object.name).sql, SECRET));
        }
      },
    });
    const instance = await cluster.start(everything, SECRET, { id: "p" });
    instance.send("go", `${SECRET} event`);
    instance.send("unheard", `${SECRET} event`);
    await cluster.advance("10 minutes");
    expect(await instance.call("amend", SECRET)).toBe(`amended ${SECRET}`);
    expect(instance.document()).toMatchObject({
      status: "Running",
      input: SECRET,
      customStatus: { card: SECRET },
    });
    expect(columnsWith(cluster.object("Vault/a").sql, SECRET)).toEqual([]);
    await cluster.run();
    expect(instance.document()).toMatchObject({ status: "Completed" });
    expect(JSON.stringify(instance.history())).toContain(`declined ${SECRET} bad`);
    expect(seen).toEqual([]);
    const coded = cluster.objects.flatMap((object) => allCells(cluster.object(object.name).sql));
    const columns = new Set(
      coded.filter(({ text }) => text.startsWith("coded:")).map(({ column }) => column),
    );
    expect([...columns].sort()).toEqual([
      "entity.state",
      "idempotency.answer",
      "idempotency.fingerprint",
      "instance.custom_status",
      "instance.error",
      "instance.input",
      "instance.output",
      "step.failure",
      "step.input",
      "step.result",
    ]);
  });

  test("texts of many parts, too, and their sizes are those of the texts", async () => {
    const large = workflow("Large", async (ctx, text: string) => {
      await ctx.run("again", () => `${text}!`);
      await ctx.waitForEvent("never");
    });
    const text = SECRET.repeat(2_000);
    const { object } = await ran(large, text, { codec: FIRST, cellBytes: 4_000 });
    expect(columnsWith(object.sql, SECRET)).toEqual([]);
    const [cell] = allCells(object.sql).filter(({ column }) => column === "instance.input");
    expect(cell?.text).toMatch(new RegExp(`^parts:${encode(text, "it").length}:`));
    expect(object.commands.get(ID).input).toBe(text);
    object.crash();
    object.commands.sendEvent(ID, {
      event: "never",
      payload: encode(1, "it"),
      idempotency: undefined,
    });
    await object.run();
    expect(object.commands.get(ID).status).toBe("Completed");
    object.commands.purge(ID, { force: false, recursive: false });
    expect(allCells(object.sql).filter(({ column }) => column.startsWith("part."))).toEqual([]);
  });

  test("answers of idempotency keys are not in clear, and are given again", async () => {
    const object = new InProcessObject({ ...options, codec: FIRST });
    const idempotency = { key: "k", fingerprint: "f" };
    const command = { ...startCommand(everything, SECRET), idempotency };
    const first = object.commands.start(command);
    object.commit();
    expect(columnsWith(object.sql, SECRET)).toEqual([]);
    expect(object.commands.start(command)).toEqual(first);
    object.deploy([everything], [], SECOND);
    expect(() => object.commands.start(command)).toThrow(
      expect.objectContaining({ code: "KEY_MISSING" }),
    );
  });
});

const sleeper = workflow("Sleeper", async (ctx, card: string) => {
  const first = await ctx.call(charge, card);
  await ctx.sleep("1 hour");
  const second = await ctx.call(charge, `${card} 2`);
  await ctx.waitForEvent("go");
  return [first, second];
});

describe("a change of keys", () => {
  test("at each commit: what was written with the old key is read, and new texts have the new one", async () => {
    const tried = await atEachCommit(async (point) => {
      const object = started(sleeper, SECRET, { codec: FIRST, faults: crashesAt(point) });
      await object.run(object.clock.now() + HOUR / 2);
      object.deploy([sleeper], [], BOTH);
      await object.run();
      for (let sent = 0; sent < 2 && object.commands.get(ID).status === "Running"; sent++) {
        // One that is lost before its commit is sent again.
        object.commands.sendEvent(ID, { event: "go", payload: encode(1, "it") });
        await object.run();
      }
      expect(object.commands.get(ID)).toMatchObject({
        status: "Completed",
        output: [`charged ${SECRET}`, `charged ${SECRET} 2`],
      });
      const keys = allCells(object.sql).flatMap(
        ({ text }) => /^coded:\d+:(\w+)/.exec(text)?.[1] ?? [],
      );
      expect(new Set(keys)).toEqual(new Set(["first", "second"]));
      return object;
    });
    expect(tried).toBeGreaterThan(4);
  });

  test("a key that is missing suspends the instance, which goes on when it is there again", async () => {
    const object = started(sleeper, SECRET, { codec: FIRST });
    await object.run(object.clock.now() + HOUR / 2);
    object.deploy([sleeper], [], SECOND);
    await object.run(object.clock.now() + HOUR);
    expect(object.commands.get(ID)).toMatchObject({
      status: "Suspended",
      input: { $unreadable: "KEY_MISSING" },
      error: { code: "KEY_MISSING", message: expect.stringContaining('"first"') },
    });
    expect(object.commands.history(ID, null, 10).items[0]).toMatchObject({
      step: "Charge",
      result: { $unreadable: "KEY_MISSING" },
    });
    object.deploy([sleeper], [], BOTH);
    object.commands.resume(ID, { reason: null, recursive: false, idempotency: undefined });
    await object.run();
    object.commands.sendEvent(ID, {
      event: "go",
      payload: encode(1, "it"),
      idempotency: undefined,
    });
    await object.run();
    expect(object.commands.get(ID)).toMatchObject({ status: "Completed", error: null });
  });

  test("no codec at all is a key that is missing, and one that cannot be made is, too", async () => {
    for (const codec of [null, () => aesGcmCodec({ keys: {}, current: "none" })]) {
      const object = started(sleeper, SECRET, { codec: FIRST });
      await object.run(object.clock.now() + HOUR / 2);
      object.deploy([sleeper], [], codec);
      await object.run(object.clock.now() + HOUR);
      expect(object.commands.get(ID)).toMatchObject({
        status: "Suspended",
        error: { code: "KEY_MISSING" },
      });
      object.deploy([sleeper], [], FIRST);
      await object.run(object.clock.now() + 2 * HOUR);
      expect(object.commands.get(ID)).toMatchObject({ status: "Running" });
    }
  });

  test("a codec that cannot be made refuses requests before they have any effect", async () => {
    const object = started(sleeper, SECRET, { codec: FIRST });
    await object.run(object.clock.now() + HOUR / 2);
    const before = allCells(object.sql);
    object.deploy([sleeper], [], () => aesGcmCodec({ keys: {}, current: "none" }));
    const replace = { ...startCommand(sleeper, "other"), onConflict: "replace" as const };
    const requests = [
      () => object.commands.start(replace),
      () => object.commands.restart(ID, { reason: null }),
      () => object.commands.terminate(ID, { reason: null }),
      () => object.commands.sendEvent(ID, { event: "go", payload: encode(1, "it") }),
    ];
    for (const request of requests) {
      expect(request).toThrow(expect.objectContaining({ code: "KEY_MISSING" }));
    }
    object.commit();
    expect(allCells(object.sql)).toEqual(before);
  });

  test("what was stored without a codec is read when there is one", async () => {
    const object = started(sleeper, SECRET);
    await object.run(object.clock.now() + HOUR / 2);
    object.deploy([sleeper], [], FIRST);
    await object.run();
    expect(object.commands.get(ID)).toMatchObject({ status: "Running", input: SECRET });
    expect(object.commands.history(ID, null, 10).items[2]).toMatchObject({
      result: `charged ${SECRET} 2`,
    });
    expect(columnsWith(object.sql, `${SECRET} 2`)).toEqual([]);
  });

  test("an instance whose key is missing can be terminated and purged", async () => {
    const object = started(sleeper, SECRET, { codec: FIRST });
    await object.run(object.clock.now() + HOUR / 2);
    object.deploy([sleeper], [], SECOND);
    object.commands.terminate(ID, { reason: "over", recursive: false, idempotency: undefined });
    expect(object.commands.get(ID)).toMatchObject({ status: "Terminated" });
    object.commands.purge(ID, { force: false, recursive: false });
    await object.run();
  });

  test("the code of a workflow gets no error of a missing key, whatever it catches", async () => {
    const caught: unknown[] = [];
    const catches = workflow("Catches", async (ctx, card: string) => {
      try {
        const first = await ctx.call(charge, card);
        await ctx.sleep("1 hour");
        return first;
      } catch (error) {
        caught.push(error);
        return "caught";
      }
    });
    const object = started(catches, SECRET, { codec: BOTH });
    object.deploy([catches], [], FIRST); // the input has the key "second"
    await object.run(object.clock.now() + HOUR / 4);
    expect(object.commands.get(ID)).toMatchObject({ status: "Suspended" });
    object.deploy([catches], [], BOTH);
    await object.run();
    expect(object.commands.get(ID)).toMatchObject({
      status: "Completed",
      output: `charged ${SECRET}`,
    });
    expect(caught).toEqual([]);
  });

  test("an instance that failed is not rewound without its key, and keeps what it failed with", async () => {
    const fails = workflow("Fails", async (_ctx, card: string) => {
      throw new Error(`no ${card}`);
    });
    const object = started(fails, SECRET, { codec: FIRST });
    await object.run();
    object.deploy([fails], [], SECOND);
    expect(() => object.commands.rewind(ID, { to: null, reason: null })).toThrow(
      expect.objectContaining({ code: "KEY_MISSING" }),
    );
    object.commit();
    object.deploy([fails], [], BOTH);
    expect(object.commands.get(ID)).toMatchObject({
      status: "Failed",
      error: { message: `no ${SECRET}` },
    });
  });

  test("an operation of an entity waits for its key, and its state is not lost", async () => {
    const adds = workflow("Adds", (ctx, line: string) => ctx.entity(vault, "a").add(line));
    const cluster = new Cluster({ workflows: [adds], entities: [vault], codec: FIRST });
    const first = await cluster.start(adds, "one", { id: "i1" });
    await cluster.run();
    expect(first.output()).toBe("one");
    cluster.object("Vault/a").deploy([adds], [vault], SECOND);
    const second = await cluster.start(adds, "two", { id: "i2" });
    await cluster.advance("10 minutes");
    expect(second.document().status).toBe("Running");
    cluster.object("Vault/a").deploy([adds], [vault], BOTH);
    await cluster.run();
    expect(second.output()).toBe("two");
    expect(cluster.entity<string[], typeof vault.operations>(vault, "a").state()).toEqual([
      "one",
      "two",
    ]);
  });
});

describe("a fork whose key is missing once all is copied", () => {
  test("keeps the event that comes meanwhile, and goes on with the key", async () => {
    const waits = workflow("Waits", async (ctx, card: string) => {
      const first = await ctx.call(charge, card);
      return [first, await ctx.waitForEvent<string>("go")];
    });
    const faults = {
      message: (_object: string, what: string) =>
        what.endsWith("for a fork") ? { delayMillis: 5_000 } : {},
    };
    const cluster = new Cluster({ workflows: [waits], codec: FIRST, faults });
    const source = await cluster.start(waits, SECRET, { id: "p" });
    await cluster.advance("1 minute");
    const fork = source.fork({ id: "copy" });
    await cluster.advance("1 second");
    cluster.object("copy").deploy([waits], [], SECOND);
    await cluster.advance("30 seconds");
    expect(fork.document()).toMatchObject({ error: { code: "KEY_MISSING" } });
    fork.send("go", "come");
    await cluster.advance("1 second");
    cluster.object("copy").deploy([waits], [], BOTH);
    await cluster.run();
    expect(fork.output()).toEqual([`charged ${SECRET}`, "come"]);
  });
});

describe("the queue of an entity", () => {
  test("has no fingerprint of a request in clear", async () => {
    const object = new InProcessObject({
      ...options,
      name: "Vault/a",
      codec: FIRST,
    });
    const idempotency = { key: "k", fingerprint: "digest-of-a-secret" };
    const sent = { name: "Vault", key: "a", operation: "add", input: encode(SECRET, "it") };
    object.entity.signal({ ...sent, idempotency });
    object.commit();
    expect(columnsWith(object.sql, idempotency.fingerprint)).toEqual([]);
    await object.run();
    object.entity.signal({ ...sent, idempotency });
    await object.run();
    expect(object.entity.state("Vault", "a")).toMatchObject({ state: [SECRET] });
    expect(columnsWith(object.sql, idempotency.fingerprint)).toEqual([]);
  });
});

describe("a codec that fails as it writes", () => {
  test("leaves the large state of an entity whole that was to be replaced", async () => {
    let broken = false;
    const codec = {
      encode: (text: string, { column }: { readonly column: string }) => {
        if (broken && column === "entity.state") throw new Error("no key for now");
        return text;
      },
      decode: (stored: string) => stored,
    };
    const adds = workflow("Adds", async (ctx, line: string) => {
      await ctx.entity(vault, "a").add(line);
    });
    const cluster = new Cluster({ workflows: [adds], entities: [vault], codec });
    const large = "x".repeat(1_000_000);
    await cluster.start(adds, large, { id: "i1" });
    await cluster.run();
    broken = true;
    await cluster.start(adds, "two", { id: "i2" });
    await cluster.advance("1 minute");
    broken = false;
    await cluster.run();
    expect(cluster.entity<string[], typeof vault.operations>(vault, "a").state()).toEqual([
      large,
      "two",
    ]);
  });
});

describe("a text that was moved", () => {
  test("from another instance is refused: the instance is suspended, and not failed", async () => {
    const one = started(sleeper, "one", { codec: FIRST, name: "one" });
    const other = started(sleeper, "two", { codec: FIRST, name: "two" });
    for (const object of [one, other]) await object.run(object.clock.now() + HOUR / 2);
    const [row] = other.sql.all<{ result: string }>(
      "SELECT result FROM step WHERE step = 'Charge'",
    );
    const [before] = one.sql.all<{ result: string }>(
      "SELECT result FROM step WHERE step = 'Charge'",
    );
    one.sql.run("UPDATE step SET result = ? WHERE step = 'Charge'", row?.result ?? "");
    one.commit();
    one.crash();
    await one.run(one.clock.now() + HOUR);
    expect(one.commands.get(ID)).toMatchObject({
      status: "Suspended",
      error: { code: "PAYLOAD_CORRUPT" },
    });
    one.sql.run("UPDATE step SET result = ? WHERE step = 'Charge'", before?.result ?? "");
    one.commit();
    await one.run(one.clock.now() + 2 * HOUR);
    expect(one.commands.get(ID)).toMatchObject({ status: "Running" });
  });
});
