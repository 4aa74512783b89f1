/** What a fork leaves alone, and what it takes along. */
import { describe, expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import { WaymarkError } from "../../src/core/errors.ts";
import { NonRetryableError } from "../../src/core/failure.ts";
import { encode } from "../../src/core/payload.ts";
import { workflow } from "../../src/core/workflow.ts";
import { checkHistory } from "../../src/engine/check-history.ts";
import { Cluster } from "../../src/testing/cluster.ts";
import { mock } from "../../src/testing/mock.ts";
import { codeOf } from "../core/thrown.ts";
import { chain, slow } from "./forks.ts";

describe("what belongs to the source alone", () => {
  const child = workflow("Child", async (ctx) => `child ${await ctx.waitForEvent("end")}`);
  const failing = workflow("Failing", async (ctx) => {
    await ctx.waitForEvent("end");
    throw new Error("it fails");
  });
  const parent = workflow("Parent", async (ctx) => {
    const called = await ctx.call(child, undefined, { id: "called" });
    await ctx.start(child, undefined, { id: "begun", parentClose: "terminate" });
    await ctx.sendEvent("begun", "note", 1);
    await ctx.call(failing).catch(() => {});
    await ctx.waitForEvent("go");
    return called;
  });

  test("is its children: results are copied, and nothing is asked of them or sent to them again", async () => {
    const cluster = new Cluster({ workflows: [parent, child, failing] });
    const source = await cluster.start(parent);
    await cluster.advance("1 second");
    cluster.instance("called").send("end", "one");
    await cluster.advance("1 second");
    for (const { instanceId = "" } of source.document().waitingFor) {
      cluster.instance(instanceId).send("end");
    }
    await cluster.advance("1 second");
    const fork = source.fork();
    await cluster.advance("1 second");
    expect(cluster.objects).toHaveLength(5);
    expect(fork.history()[0]).toMatchObject({ kind: "child", instanceId: "called" });
    const begun = cluster.instance("begun");
    expect(begun.history().filter(({ name }) => name === "note")).toHaveLength(1);
    fork.terminate("to see", { recursive: true });
    fork.purge({ recursive: true });
    await cluster.run();
    expect(begun.document().status).toBe("Running");
    expect(cluster.instance("called").document().status).toBe("Completed");
    source.send("go");
    await cluster.run();
    expect(source.output()).toBe("child one");
  });

  test("a child that is called again is one of the fork's own", async () => {
    const cluster = new Cluster({ workflows: [parent, child, failing] });
    const source = await cluster.start(parent);
    await cluster.advance("1 second");
    cluster.instance("called").send("end", "one");
    await cluster.advance("1 second");
    const [{ instanceId: first = "" } = {}] = source.document().waitingFor;
    cluster.instance(first).send("end");
    await cluster.advance("1 second");
    const fork = source.fork({ to: "Failing" });
    await cluster.advance("1 second");
    const [{ instanceId: second = "" } = {}] = fork.document().waitingFor;
    expect(second).not.toBe(first);
    expect(cluster.instance(second).document().parent).toMatchObject({ id: fork.id });
    expect(cluster.instance(first).document().status).toBe("Failed");
    cluster.instance(second).send("end");
    fork.send("go");
    await cluster.run();
    expect(fork.output()).toBe("child one");
  });
});

test("what was done in the source is undone where the fork fails, under the key it was done with", async () => {
  const keys: Record<string, string[]> = { done: [], undone: [] };
  const book = activity("book", (_: undefined, ctx) => void keys.done?.push(ctx.idempotencyKey));
  const unbook = activity("unbook", ({ idempotencyKey }: { idempotencyKey: string }) => {
    keys.undone?.push(idempotencyKey);
  });
  const trip = workflow("Trip", async (ctx) => {
    await ctx.call(book, undefined, { undo: unbook });
    if ((await ctx.waitForEvent("end")) === "fail") throw new Error("as asked");
  });
  const cluster = new Cluster({ workflows: [trip] });
  const source = await cluster.start(trip);
  await cluster.advance("1 second");
  const fork = source.fork();
  await cluster.advance("1 second");
  fork.send("end", "fail");
  source.send("end", "fail");
  await cluster.run();
  expect(keys.undone).toEqual([...(keys.done ?? []), ...(keys.done ?? [])]);
  expect(keys.done).toHaveLength(1);
});

test("an undo of a step that had not ended stays with the source, for the fork has not begun that step", async () => {
  const undone: string[] = [];
  const book = activity("book", { retry: { firstInterval: "1 hour" } }, () => {
    throw new Error("not yet");
  });
  const unbook = activity("unbook", () => void undone.push("book"));
  const trip = workflow("Trip", async (ctx) => {
    void ctx.call(book, undefined, { undo: unbook });
    await ctx.sleep("1 minute");
    throw new Error("as planned");
  });
  const cluster = new Cluster({ workflows: [trip] });
  const source = await cluster.start(trip);
  await cluster.run();
  expect(source.history().map(({ step }) => step)).toEqual(["book", "sleep", "undo/book"]);
  const fork = source.fork();
  await cluster.run();
  expect([fork.document().error?.message, undone]).toEqual(["as planned", ["book"]]);
  expect(fork.history().map(({ step }) => step)).toEqual(["sleep", "(rewind)"]);
});

describe("which state is copied", () => {
  const steps = workflow("Steps", async (ctx, before: boolean) => {
    const at = ctx.now;
    if (before) await ctx.run("before", () => null);
    await ctx.sleep("1 hour");
    const result = await ctx.run("risky", () => {
      if (risky.fails) throw new NonRetryableError("it fails");
      return "done";
    });
    return { at, result };
  });
  const risky = { fails: true };

  test("of one that has failed: its failed step is done again, and the past is as it was", async () => {
    const cluster = new Cluster({ workflows: [steps] });
    const source = await cluster.start(steps, true);
    await cluster.run();
    expect(source.document().status).toBe("Failed");
    risky.fails = false;
    await cluster.advance("1 day");
    const fork = source.fork();
    await cluster.advance("1 second");
    expect(fork.output()).toMatchObject({ result: "done" });
    expect(fork.output().at.toISOString()).toBe(source.document().startedAt);
    expect(source.document().status).toBe("Failed");
    risky.fails = true;
  });

  test.each([true, false])(
    "of one that waits: a wait begins anew, and what nobody has taken stays (with a step before: %s)",
    async (before) => {
      const cluster = new Cluster({ workflows: [steps] });
      const source = await cluster.start(steps, before);
      await cluster.advance("30 minutes");
      source.send("nobody waits for it");
      const fork = source.fork();
      const statuses = () => [source, fork].map((one) => one.document().status);
      await cluster.advance("31 minutes");
      expect(statuses()).toEqual(["Failed", "Running"]);
      expect(fork.history().some(({ kind }) => kind === "event")).toBe(false);
      await cluster.advance("30 minutes");
      expect(statuses()).toEqual(["Failed", "Failed"]);
    },
  );

  test("of one that has not begun: the fork begins at once", async () => {
    const cluster = new Cluster({ workflows: [chain] });
    const startAt = new Date(cluster.clock.now() + 3_600_000);
    const source = await cluster.start(chain, 1, { startAt, tags: { a: "b" } });
    const fork = source.fork();
    await cluster.advance("1 second");
    expect(source.document().status).toBe("Pending");
    expect(fork.document()).toMatchObject({ status: "Running", tags: { a: "b" } });
    expect(fork.history().filter(({ kind }) => kind === "rewind")).toEqual([]);
  });

  test("of one that is suspended, has completed or was terminated", async () => {
    const cluster = new Cluster({ workflows: [chain] });
    const source = await cluster.start(chain, 2);
    await cluster.advance("1 second");
    source.suspend();
    const first = source.fork();
    source.terminate();
    const second = source.fork();
    first.send("end", "first");
    second.send("end", "second");
    await cluster.run();
    expect(first.output().drawn).toEqual(second.output().drawn);
    expect([first.output().end, second.output().end]).toEqual(["first", "second"]);
    const third = first.fork();
    await cluster.run();
    expect(third.output()).toEqual(first.output());
  });

  test("of one that is about to be rewound: asked again a moment later, or of one that is suspended, as rewound", async () => {
    const cluster = new Cluster({ workflows: [chain] });
    const source = await cluster.start(chain, 2);
    await cluster.advance("1 second");
    source.terminate();
    source.rewind({ to: "step 1" });
    expect(codeOf(() => source.fork())).toBe("INSTANCE_BUSY");
    source.suspend();
    const fork = source.fork();
    fork.send("end", "x");
    await cluster.run();
    expect(source.document().status).toBe("Suspended");
    expect(fork.document().forkedFrom).toMatchObject({ step: "step 1" });
    const marks = fork.history().filter(({ kind }) => kind === "rewind");
    expect(marks).toMatchObject([{ attempts: 1, input: { to: "step 1" } }]);
    source.resume();
    source.send("end", "y");
    await cluster.run();
    const [one, other] = [fork.output().drawn, source.output().drawn];
    expect([one[0] === other[0], one[1] === other[1]]).toEqual([true, false]);
  });
});

describe("another version", () => {
  const version = (name: string, more: boolean, input = 1) =>
    workflow("Changing", { version: name }, async (ctx) => {
      const first = await ctx.call(step, input);
      await ctx.waitForEvent("end");
      return more ? { first, more: await ctx.run("more", () => ctx.uuid()) } : { first };
    });
  const step = activity("step", (input: number) => input);

  test("goes on with the history of the one before, also of one that has completed", async () => {
    const cluster = new Cluster({ workflows: [version("1", false), version("2", true)] });
    const source = await cluster.start(version("1", false));
    await cluster.advance("1 second");
    source.send("end");
    await cluster.run();
    const fork = source.fork({ version: "2" });
    await cluster.run();
    expect(fork.document()).toMatchObject({ status: "Completed", version: "2" });
    expect(fork.output()).toMatchObject({ first: 1, more: expect.any(String) });
  });

  test("that does not fit suspends the fork, which goes on when it does", async () => {
    const misfit = version("2", true, 2);
    const cluster = new Cluster({ workflows: [version("1", false), misfit] });
    const source = await cluster.start(version("1", false));
    await cluster.advance("1 second");
    source.send("end");
    const fork = source.fork({ version: "2" });
    await cluster.advance("1 second");
    expect(fork.document()).toMatchObject({
      status: "Suspended",
      error: { code: "NONDETERMINISM" },
    });
    cluster.deploy([version("1", false), version("2", true)]);
    fork.send("end");
    await cluster.run();
    expect(fork.document().status).toBe("Completed");
  });
});

test("an exported fork fits its code, with draws of each execution it is of", async () => {
  const draws = activity("draws", (_: string) => null);
  const drawing = workflow("Drawing", async (ctx) => {
    for (const key of ["a", "b", "c"]) {
      await ctx.call(draws, ctx.uuid());
      await ctx.waitForEvent(key);
    }
  });
  const cluster = new Cluster({ workflows: [drawing] });
  const source = await cluster.start(drawing);
  const send = async (one: typeof source, event: string) => {
    one.send(event);
    await cluster.advance("1 second");
  };
  await send(source, "a");
  const fork = source.fork({ to: "a" });
  await cluster.advance("1 second");
  const next = fork.fork({ to: "draws#2" });
  await cluster.advance("1 second");
  await send(next, "b");
  await send(next, "c");
  for (const one of [source, fork, next]) {
    expect(await checkHistory(drawing, one.export())).toMatchObject({ fits: true, problem: null });
  }
  const { seeds = [] } = next.export();
  expect(seeds).toHaveLength(2);
  const inputs = [source, fork, next].map((one) =>
    one.history().find(({ step }) => step === "draws#2"),
  );
  expect(inputs[1]?.input).not.toBe(inputs[0]?.input);
  expect(inputs[2]?.input).toBe(inputs[1]?.input);
  expect(next.document().status).toBe("Completed");
});

test("what comes after the fork is its own: the next round, and a restart", async () => {
  const rounds = workflow("Rounds", async (ctx, round: number) => {
    const drawn = await ctx.run("draw", () => null).then(() => ctx.uuid());
    await ctx.waitForEvent("on");
    return round === 1 ? ctx.continueAsNew(2) : drawn;
  });
  const cluster = new Cluster({ workflows: [rounds] });
  const source = await cluster.start(rounds, 1);
  await cluster.advance("1 second");
  const fork = source.fork();
  await cluster.advance("1 second");
  for (const one of [source, fork]) {
    one.send("on");
    one.send("on");
  }
  await cluster.run();
  fork.crash();
  expect(fork.output()).not.toBe(source.output());
  expect(fork.document().forkedFrom).toMatchObject({ id: source.id });
  fork.restart();
  expect(fork.document().forkedFrom).toBeUndefined();
});

describe("an update", () => {
  const list = workflow("List", async (ctx) => {
    const items: string[] = [];
    ctx.handle("add", {}, async (item: string) => {
      if (item === "slow") await ctx.waitForEvent("ready");
      return items.push(item);
    });
    await ctx.waitForEvent("end");
    return items;
  });

  test("is part of the history, and what the fork is asked is another one", async () => {
    const cluster = new Cluster({ workflows: [list] });
    const source = await cluster.start(list);
    expect(await source.call("add", "a")).toBe(1);
    const fork = source.fork();
    await cluster.advance("1 second");
    expect(await fork.call("add", "b")).toBe(2);
    expect(await source.call("add", "c")).toBe(2);
    fork.crash();
    expect(await fork.call("add", "d")).toBe(3);
    fork.send("end");
    source.send("end");
    await cluster.run();
    expect([source.output(), fork.output()]).toEqual([
      ["a", "c"],
      ["a", "b", "d"],
    ]);
    const steps = fork.history().filter(({ kind }) => kind === "update");
    expect(new Set(steps.map(({ step }) => step)).size).toBe(steps.length);
  });

  test("whose reply comes while it is copied is replied to in the fork by what is done there", async () => {
    const cluster = new Cluster({ workflows: [list], faults: slow });
    const source = await cluster.start(list);
    await cluster.advance("1 second");
    const payload = encode("slow", "it");
    const pending = cluster
      .object(source.id)
      .request((commands) =>
        commands.call(source.id, { name: "add", payload }, cluster.clock.now() + 60_000),
      );
    await cluster.advance("1 second");
    const fork = source.fork();
    source.send("ready");
    await cluster.advance("5 seconds");
    expect(await pending).toMatchObject({ ok: true, value: { done: true } });
    await cluster.advance("1 hour");
    const update = () => fork.history().find(({ step }) => step.startsWith("add()"));
    expect(update()).toMatchObject({ kind: "update", result: null });
    fork.send("ready");
    await cluster.advance("1 second");
    expect(update()).toMatchObject({ state: "done", result: 1 });
  });
});

test("a request with a key makes one fork, of the state that it was first asked for", async () => {
  const cluster = new Cluster({ workflows: [chain] });
  const source = await cluster.start(chain, 1);
  await cluster.advance("1 second");
  const { commands } = cluster.object(source.id);
  const idempotency = { key: "k", fingerprint: "f" };
  const request = { as: "fork", to: null, version: null, idempotency };
  const { input, ...point } = commands.forkPoint(source.id, request);
  const command = {
    id: "fork",
    version: "1",
    input,
    source: source.id,
    point,
    reason: null,
    idempotency,
  };
  const first = cluster.object("fork").commands.fork(command);
  source.send("end", "x");
  await cluster.run();
  const { input: _, ...again } = commands.forkPoint(source.id, request);
  expect(again).toEqual(point);
  expect(cluster.object("fork").commands.fork(command)).toEqual(first);
  const other = { ...request, idempotency: { key: "k", fingerprint: "other" } };
  expect(codeOf(() => commands.forkPoint(source.id, other))).toBe("IDEMPOTENCY_KEY_REUSED");
  source.purge();
  const answer = cluster.object(source.id).commands;
  expect(codeOf(() => answer.forkPoint(source.id, request))).toBe("INSTANCE_PURGED");
  expect(codeOf(() => answer.forkPoint(source.id, { ...request, idempotency: undefined }))).toBe(
    "INSTANCE_NOT_FOUND",
  );
});

test("an activity whose retries had begun in the source begins anew in the fork", async () => {
  let calls = 0;
  const flaky = activity("flaky", { retry: { maxAttempts: 3, firstInterval: "1 hour" } }, () => {
    calls++;
    throw new WaymarkError("INTERNAL", "not yet");
  });
  const retrying = workflow("Retrying", (ctx) => ctx.call(flaky));
  const cluster = new Cluster({ workflows: [retrying], activities: [mock(flaky, flaky.run)] });
  const source = await cluster.start(retrying);
  await cluster.advance("1 minute");
  const fork = source.fork();
  await cluster.run();
  expect(calls).toBe(6);
  expect(fork.document()).toMatchObject({ status: "Failed" });
});
