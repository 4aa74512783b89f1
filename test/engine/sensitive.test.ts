import { describe, expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import { entity } from "../../src/core/entity.ts";
import { ActivityFailedError } from "../../src/core/failure.ts";
import { encode } from "../../src/core/payload.ts";
import { workflow } from "../../src/core/workflow.ts";
import { checkHistory } from "../../src/engine/check-history.ts";
import { Cluster } from "../../src/testing/cluster.ts";
import type { TestInstance } from "../../src/testing/test-instance.ts";
import { atEachCommit, crashesAt, ID, ran, started } from "./harness.ts";

const SECRET = "s3cret";
const HIDDEN = { $sensitive: true };
const HOUR = 3_600_000;

const charge = activity(
  "Charge",
  { sensitive: true, retry: { maxAttempts: 2, firstInterval: "1 second" } },
  async (card: string, ctx) => {
    await ctx.checkpoint("1", { card });
    if (card.includes("bad")) throw Object.assign(new TypeError(`declined ${card}`), { card });
    return `charged ${card}`;
  },
);
const echo = activity("Echo", { retry: { maxAttempts: 1 } }, (text: string) => {
  if (text.includes("bad")) throw new Error(`refused ${text}`);
  return text;
});
const refund = activity("Refund", (undone: { input: string }) => `refunded ${undone.input}`);
const vault = entity("Vault", {
  sensitive: true,
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
const child = workflow("Child", { sensitive: true }, async (ctx, card: string) => {
  ctx.setStatus({ card });
  return ctx.call(charge, card);
});
const plain = workflow("Plain", async (ctx, text: string) =>
  ctx.call(echo, text, { sensitive: true }),
);
const cardSchema = {
  "~standard": {
    version: 1 as const,
    vendor: "test",
    validate: (value: unknown) =>
      String(value).includes("good")
        ? { value: `${String(value)}!` }
        : { issues: [{ message: `${String(value)} is no card` }] },
  },
};

/** Every kind of step with a secret, none of which ends as a text in what the workflow itself shows. */
const everything = workflow("Everything", async (ctx) => {
  ctx.handle("amend", { sensitive: true }, (given: unknown) => `amended ${String(given)}`);
  ctx.handle("spoil", { sensitive: true }, (given: unknown) => {
    throw new Error(`spoilt ${String(given)}`);
  });
  const seen: string[] = [];
  const secret = await ctx.run("secret", () => SECRET, { sensitive: true });
  seen.push(await ctx.call(charge, secret, { undo: refund }));
  seen.push(await ctx.call(charge, `${secret} bad`).catch((error: Error) => error.message));
  seen.push(await ctx.call(echo, `${secret} bad`, { sensitive: true }).catch(String));
  seen.push(
    await ctx.waitForEvent<string>("card", { schema: cardSchema, sensitive: true } as never),
  );
  seen.push(await ctx.call(child, `${secret} child`, { id: "child-1" }));
  seen.push(await ctx.call(child, `${secret} bad`, { id: "child-2" }).catch(String));
  seen.push(await ctx.call(plain, `${secret} plain`, { id: "child-3", sensitive: true }));
  seen.push(await ctx.entity(vault, "a").add(secret));
  seen.push(await ctx.entity(vault, "a").spoil(secret).catch(String));
  await ctx.sendEvent("child-3", "x", secret, { sensitive: true }).catch(() => {});
  const answer = await ctx.fetch(`https://x.test/?q=${secret}`, { sensitive: true });
  seen.push(answer.body);
  await ctx.sleep("1 hour");
  return seen.every((text) => text.includes(SECRET));
});

const shownOf = (instance: TestInstance<unknown>): string =>
  JSON.stringify([instance.document(), instance.history(), instance.export()]);

describe("what is sensitive", () => {
  test("is in no document, history, export and log line, and the code sees it all the same", async () => {
    const lines: unknown[] = [];
    const cluster = new Cluster({
      workflows: [everything, child, plain],
      entities: [vault],
      fetch: () => new Response(`${SECRET} answered`),
      onEvent: (event) => {
        if (event.kind === "log") lines.push(event.event);
      },
    });
    const instance = await cluster.start(everything, undefined, { id: "p" });
    await cluster.advance("1 minute");
    instance.send("card", `${SECRET} wrong`);
    instance.send("card", `${SECRET} good`);
    expect(shownOf(instance)).not.toContain(SECRET);
    await cluster.advance("10 minutes");
    expect(await instance.call("amend", SECRET)).toBe(`amended ${SECRET}`);
    await expect(instance.call("spoil", SECRET)).rejects.toThrow(`spoilt ${SECRET}`);
    await cluster.run();
    expect(instance.document()).toMatchObject({ status: "Completed", output: true });
    for (const object of cluster.objects) {
      if (object.name.includes("/")) continue;
      expect(shownOf(cluster.instance(object.name))).not.toContain(SECRET);
    }
    expect(cluster.object("Vault/a").entity.state("Vault", "a")).toMatchObject({ state: HIDDEN });
    expect(JSON.stringify(lines)).not.toContain(SECRET);
    expect(JSON.stringify(lines)).toContain("TypeError: [sensitive]");
    const steps = new Map(instance.history().map((item) => [item.step, item]));
    expect(steps.get("Charge")).toMatchObject({ input: HIDDEN, result: HIDDEN, progress: HIDDEN });
    expect(steps.get("Charge#2")?.error).toEqual({
      type: "TypeError",
      message: "[sensitive]",
      sensitive: true,
    });
    expect(cluster.instance("child-1").document()).toMatchObject({
      input: HIDDEN,
      output: HIDDEN,
      customStatus: HIDDEN,
    });
    const refused = instance.history().find(({ state }) => state === "failed");
    expect(refused).toMatchObject({ step: expect.anything() });
  });

  test("stays hidden over a crash at every commit, and the workflow comes to the same", async () => {
    const tried = await atEachCommit(async (point) => {
      const lines: unknown[] = [];
      const pays = workflow("Pays", async (ctx, card: string) => {
        const paid = await ctx.call(charge, card);
        const failed = await ctx.call(charge, `${card} bad`).catch((error: unknown) => error);
        await ctx.sleep("1 hour");
        const told = failed instanceof ActivityFailedError && failed.failure.message;
        if (told === `declined ${card} bad`)
          throw new Error(`${paid} and ${told}`, { cause: failed });
      });
      const workflowInput = SECRET;
      const object = started(pays, workflowInput, {
        faults: crashesAt(point),
        onLog: (event) => lines.push(event),
      });
      await object.run();
      const shown = JSON.stringify([object.commands.history(ID, null, 100), lines]);
      expect(shown).not.toContain(SECRET);
      expect(object.commands.get(ID)).toMatchObject({
        status: "Failed",
        input: SECRET, // the workflow itself is not sensitive
        error: { type: "Error", message: "[sensitive]", cause: { code: "ACTIVITY_FAILED" } },
      });
      return object;
    });
    expect(tried).toBeGreaterThan(5);
  });

  test("is not revealed by a deployment that says so no more", async () => {
    const pays = (sensitive: boolean) =>
      workflow("Pays", { sensitive }, async (ctx, card: string) => {
        const first = await ctx.call(echo, card, { sensitive });
        const event = ctx.waitForEvent("go", { sensitive });
        await ctx.sleep("1 hour");
        await event;
        return first;
      });
    const object = started(pays(true), SECRET);
    await object.run(object.clock.now() + HOUR / 2);
    object.deploy([pays(false)]);
    object.commands.sendEvent(ID, { event: "go", payload: encode(SECRET, "it") });
    expect(JSON.stringify(object.commands.history(ID, null, 10))).not.toContain(SECRET);
    await object.run();
    expect(object.commands.get(ID)).toMatchObject({
      status: "Completed",
      input: HIDDEN,
      output: HIDDEN,
    });
    expect(JSON.stringify(object.commands.history(ID, null, 10))).not.toContain(SECRET);
  });

  test("events of an instance that is sensitive are, before anybody waits for them", async () => {
    const waits = workflow("Waits", { sensitive: true }, async (ctx) => {
      await ctx.sleep("1 hour");
      await ctx.waitForEvent("go");
    });
    const { object } = await ran(waits, SECRET);
    const other = started(waits, SECRET);
    other.commands.sendEvent(ID, { event: "go", payload: encode(SECRET, "it") });
    other.commands.sendEvent(ID, { event: "never", payload: encode(SECRET, "it") });
    await other.run();
    for (const one of [object, other]) {
      const shown = [one.commands.get(ID), one.commands.history(ID, null, 10)];
      expect(JSON.stringify(shown)).not.toContain(SECRET);
    }
  });

  test("events that came before a sensitive wait are hidden from then on, those that are left as well", async () => {
    const waits = workflow("Waits", async (ctx) => {
      await ctx.sleep("1 hour");
      await ctx.waitForEvent("go", { sensitive: true });
      await ctx.sleep("1 hour");
    });
    const object = started(waits);
    for (let sent = 0; sent < 2; sent++) {
      object.commands.sendEvent(ID, { event: "go", payload: encode(SECRET, "it") });
    }
    await object.run(object.clock.now() + 1.5 * HOUR);
    expect(JSON.stringify(object.commands.history(ID, null, 10))).not.toContain(SECRET);
    object.crash();
    await object.run();
    expect(object.commands.get(ID).status).toBe("Completed");
    expect(JSON.stringify(object.commands.history(ID, null, 10))).not.toContain(SECRET);
  });

  test("is compared on a replay as ever, and no message quotes it", async () => {
    const pays = (suffix: string) =>
      workflow("Pays", async (ctx) => {
        await ctx.call(echo, `${SECRET}${suffix}`, { sensitive: true });
        await ctx.sleep("1 hour");
      });
    const object = started(pays(""));
    await object.run(object.clock.now() + HOUR / 2);
    object.deploy([pays("2")]);
    await object.run(object.clock.now() + HOUR);
    const document = object.commands.get(ID);
    expect(document).toMatchObject({ status: "Suspended", error: { code: "NONDETERMINISM" } });
    expect(JSON.stringify([document, object.logs])).not.toContain(SECRET);
    object.deploy([pays("")]);
    await object.run();
    expect(object.commands.get(ID).status).toBe("Completed");
  });

  test("is in no line about a child that refuses its input, whose schema quotes it", async () => {
    const picky = workflow("Picky", { input: cardSchema as never }, async () => "never");
    const starts = workflow("Starts", async (ctx) => {
      await ctx.call(picky, SECRET as never, { sensitive: true }).catch(() => {});
    });
    const lines: unknown[] = [];
    const cluster = new Cluster({
      workflows: [starts, picky],
      onEvent: (event) => {
        if (event.kind === "log") lines.push(event.event);
      },
    });
    const instance = await cluster.start(starts, undefined, { id: "p" });
    await cluster.run();
    expect(instance.document().status).toBe("Completed");
    expect(JSON.stringify(lines)).toContain("message.refused");
    expect(JSON.stringify([lines, instance.history()])).not.toContain(SECRET);
  });

  test("hides also what came before a deployment that says so of the workflow", async () => {
    const waits = (sensitive: boolean) =>
      workflow("Waits", { sensitive }, async (ctx) => {
        await ctx.waitForEvent("go");
      });
    const object = started(waits(false), SECRET);
    await object.run();
    object.deploy([waits(true)]);
    object.commands.sendEvent(ID, { event: "go", payload: encode(SECRET, "it") });
    await object.run();
    const shown = [object.commands.get(ID), object.commands.export(ID, null, 10)];
    expect(JSON.stringify([shown, object.commands.history(ID, null, 10)])).not.toContain(SECRET);
  });

  test("hides also what an instance failed with before a deployment that says so", async () => {
    const fails = (sensitive: boolean) =>
      workflow("Fails", { sensitive }, async (_ctx, card: string) => {
        throw new Error(`no ${card}`);
      });
    const { object } = await ran(fails(false), SECRET);
    object.deploy([fails(true)]);
    const shown = [object.commands.get(ID), object.commands.export(ID, null, 10)];
    expect(JSON.stringify(shown)).not.toContain(SECRET);
  });

  test("an entity's state stays hidden when its definition says so no more, until it is deleted", async () => {
    const open = entity("Vault", {
      initial: (): string[] => [],
      operations: {
        add: (ctx, line: string) => ctx.state.push(line),
        clear: (ctx) => ctx.delete(),
      },
    });
    const adds = workflow("Adds", async (ctx, line: string) => {
      await ctx.entity(open, "a").add(line);
    });
    const clears = workflow("Clears", async (ctx) => {
      await ctx.entity(open, "a").clear();
    });
    const cluster = new Cluster({ workflows: [adds, clears], entities: [vault] });
    await cluster.start(adds, SECRET, { id: "i1" });
    await cluster.run();
    cluster.deploy([adds, clears], [open]);
    await cluster.start(adds, "more", { id: "i2" });
    await cluster.run();
    const state = () => cluster.object("Vault/a").entity.state("Vault", "a").state;
    expect(state()).toEqual(HIDDEN);
    await cluster.start(clears, undefined, { id: "i3" });
    await cluster.start(adds, "open", { id: "i4" });
    await cluster.run();
    expect(state()).toEqual(["open"]);
  });
});

describe("the export of a history with sensitive steps", () => {
  const pays = (steps: { readonly first?: string; readonly later?: string } = {}) =>
    workflow("Pays", async (ctx) => {
      await ctx.run(steps.first ?? "first", () => 1);
      const card = await ctx.run("card", () => SECRET, { sensitive: true });
      await ctx.run(steps.later ?? "later", () => card.length);
      return card.length;
    });

  test("is checked up to the first result that was left out, and the check names what was", async () => {
    const { object } = await ran(pays());
    const history = object.commands.export(ID, null, 100);
    expect(JSON.stringify(history)).not.toContain(SECRET);
    expect(await checkHistory(pays(), history)).toEqual({
      fits: true,
      problem: null,
      unasked: [],
      withheld: ["card"],
      next: [],
    });
    const kind = workflow("Pays", async (ctx) => {
      await ctx.call(activity("first", () => 1));
    });
    expect(await checkHistory(kind, history)).toMatchObject({ fits: false });
    expect(await checkHistory(pays({ later: "other" }), history)).toMatchObject({ fits: true });
  });

  test("of a sensitive workflow says only that it cannot be read", async () => {
    const secret = workflow("Secret", { sensitive: true }, async (ctx, card: string) =>
      ctx.run("length", () => card.length),
    );
    const { object } = await ran(secret, SECRET);
    const history = object.commands.export(ID, null, 100);
    expect(await checkHistory(secret, history)).toMatchObject({
      fits: true,
      withheld: ["(input)"],
    });
  });
});
