/** Messages between instances: that each has its effect once, in time, and leaves nothing behind. */
import { describe, expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { encode } from "../../src/core/payload.ts";
import { type AnyWorkflow, workflow } from "../../src/core/workflow.ts";
import { Cluster, type ClusterOptions } from "../../src/testing/cluster.ts";
import type { Faults } from "../../src/testing/faults.ts";
import type { TraceEvent } from "../../src/testing/trace.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";

const waits = workflow("Waits", (ctx) => ctx.waitForEvent<string>("go"));
const calls = workflow("Calls", (ctx) => ctx.call(waits, undefined, { id: "w" }));

const cluster = (workflows: readonly AnyWorkflow[], options: Partial<ClusterOptions> = {}) =>
  new Cluster({ workflows, ...options });

const tablesOf = (clustered: Cluster, id: string) =>
  clustered.object(id).sql.all("SELECT name FROM sqlite_master");

test("a message to an object of which nothing is left leaves nothing there", async () => {
  const simulated = cluster([calls, waits]);
  const instance = await simulated.start(calls, undefined, { id: "p" });
  await simulated.advance("1 second");
  instance.purge({ force: true });
  await simulated.advance("2 days");
  expect(tablesOf(simulated, "p")).toEqual([]);
  simulated.instance("w").send("go", "late");
  await simulated.advance("1 minute");
  expect(simulated.instance("w").document().status).toBe("Completed");
  expect(tablesOf(simulated, "p")).toEqual([]);
  expect(simulated.stuck()).toEqual([]);
});

test("a refusal stands: a late copy of the message has no effect, and is refused as it was", async () => {
  const simulated = cluster([waits]);
  const instance = await simulated.start(waits, undefined, { id: "w" });
  instance.terminate();
  const content = { kind: "event", event: "go", payload: encode("stale", "it") } as const;
  const message = { to: "w", from: "an execution", number: 1, content };
  const receive = () => simulated.object("w").commands.receive(message);
  const refusal = receive();
  expect(refusal).toMatchObject({ ok: false, failure: { code: "INSTANCE_TERMINAL" } });
  instance.restart();
  await simulated.advance("1 second");
  expect(receive()).toEqual(refusal);
  expect(receive()).toEqual(refusal);
  await simulated.advance("1 second");
  expect(instance.document().status).toBe("Running");
  instance.send("go", "fresh");
  await simulated.run();
  expect(instance.output()).toBe("fresh");
});

test("a refusal that may pass does not stand", async () => {
  const simulated = cluster([waits]);
  const instance = await simulated.start(waits, undefined, { id: "w" });
  for (let n = 0; n < LIMITS.bufferedEvents; n++) instance.send("other");
  const content = { kind: "event", event: "go", payload: encode("went", "it") } as const;
  const message = { to: "w", from: "an execution", number: 1, content };
  const receive = () => simulated.object("w").commands.receive(message);
  expect(receive()).toMatchObject({ ok: false, retryable: true });
  instance.restart();
  expect(receive()).toEqual({ ok: true });
  await simulated.run();
  expect(instance.output()).toBe("went");
});

test("a purged sender rests between its tries, and its object goes once it is answered", async () => {
  const sends = workflow("Sends", (ctx) => {
    for (let n = 0; n <= LIMITS.bufferedEvents; n++) void ctx.sendEvent("w", "other", n);
  });
  const simulated = cluster([sends, waits]);
  const waiter = await simulated.start(waits, undefined, { id: "w" });
  const sender = await simulated.start(sends, undefined, { id: "s" });
  await simulated.advance("1 hour");
  sender.purge({ force: true });
  await simulated.advance("1 day");
  const isAlarm = ({ object, kind }: TraceEvent) => object === "s" && kind === "alarm";
  const before = simulated.trace.filter(isAlarm).length;
  await simulated.advance("10 minutes");
  expect(simulated.trace.filter(isAlarm).length - before).toBeLessThan(25); // one in a minute, and its end
  waiter.terminate();
  await simulated.advance("2 minutes");
  expect(tablesOf(simulated, "s")).toEqual([]);
  expect(simulated.object("s").alarm).toBeNull();
});

test("a child whose schema never answers is not started, and its step fails", async () => {
  const hanging = {
    "~standard": {
      version: 1 as const,
      vendor: "test",
      validate: () => new Promise<never>(() => {}),
    },
  };
  const child = workflow("Child", { input: hanging }, () => "began");
  const parent = workflow("Parent", async (ctx) => {
    const failed = ctx.call(child, undefined as never, { id: "c" }).catch((error) => error.failure);
    return [await ctx.start(waits, undefined, { id: "w" }), await failed];
  });
  const simulated = cluster([parent, child, waits]);
  const instance = await simulated.start(parent);
  await simulated.advance(LIMITS.inputCheckMillis - 1);
  expect(simulated.instance("w").document().status).toBe("Running");
  expect(instance.document().status).toBe("Running");
  await simulated.advance(1);
  expect(instance.output()).toMatchObject([{ id: "w" }, { code: "INPUT_INVALID" }]);
  expect(simulated.object(instance.id).memory.naps).toBe(0);
});

describe("a message that is due leaves", () => {
  const simulatedWith = (options: Partial<ClusterOptions>) => {
    const clock = new VirtualClock();
    const slow = activity("Slow", () => clock.sleep(4 * 60_000));
    const works = workflow("Works", async (ctx) => {
      void ctx.start(waits, undefined, { id: "w" });
      await ctx.call(slow);
    });
    const leaves = workflow("Leaves", (ctx) => {
      void ctx.start(waits, undefined, { id: "w" });
      void ctx.start(waits, undefined, { id: "slow" });
    });
    const simulated = cluster([works, leaves, waits], { clock, ...options });
    return { simulated, works, leaves };
  };
  /** The first message to `w` is lost, and those to `slow` take long. */
  const faults = (): Faults => {
    let sent = 0;
    return {
      message: (to) => (to === "w" ? { lost: ++sent === 1 } : { delayMillis: 200_000 }),
    };
  };
  const statusOf = (clustered: Cluster, id: string) => clustered.instance(id).document().status;

  test("though an activity runs", async () => {
    const { simulated, works } = simulatedWith({ faults: faults() });
    await simulated.start(works);
    await simulated.advance("2 seconds");
    expect(statusOf(simulated, "w")).toBe("Running");
  });

  test("though an activity runs of an instance that is suspended", async () => {
    const { simulated, works } = simulatedWith({});
    const instance = await simulated.start(works);
    await simulated.advance("1 second");
    instance.suspend();
    await simulated.advance("1 second");
    instance.cancel("enough", { recursive: true });
    await simulated.advance("1 second");
    expect(statusOf(simulated, "w")).toBe("Terminated");
    expect(instance.document().status).toBe("Suspended");
  });

  test("though another one takes long, of an instance that has ended", async () => {
    const { simulated, leaves } = simulatedWith({ faults: faults() });
    const instance = await simulated.start(leaves);
    await simulated.advance("2 seconds");
    expect(instance.document().status).toBe("Completed");
    expect(statusOf(simulated, "w")).toBe("Running");
  });
});

test("what is asked of a child is not held up by events for which it has no room", async () => {
  const child = workflow("Child", (ctx) => ctx.waitForEvent("never"));
  const parent = workflow("Parent", async (ctx) => {
    const call = ctx.call(child, undefined, { id: "c", timeout: "1 hour" });
    const numbers = Array.from({ length: LIMITS.bufferedEvents + 3 }, (_, n) => n);
    const sent = numbers.map((n) => ctx.sendEvent("c", "item", n).catch(({ code }) => code));
    const failure = await call.catch((error) => error.failure.code);
    return [failure, (await Promise.all(sent)).slice(-3)];
  });
  const simulated = cluster([parent, child]);
  const instance = await simulated.start(parent);
  await simulated.advance("62 minutes");
  expect(simulated.instance("c").document().status).toBe("Terminated");
  const refusals = Array.from({ length: 3 }, () => "EVENT_BUFFER_FULL");
  expect(instance.output()).toEqual(["CHILD_TIMEOUT", refusals]);
  expect(simulated.stuck()).toEqual([]);
});

test("a message that nobody answers is sent again, and its late copy has no effect", async () => {
  const simulated = cluster([calls, waits], {
    faults: {
      message: (to) => (to === "w" && ++sent === 1 ? { delayMillis: 3_600_000 } : {}),
    },
  });
  let sent = 0;
  const instance = await simulated.start(calls, undefined, { id: "p" });
  await simulated.advance("1 minute");
  expect(simulated.instance("w").document().status).toBe("Running");
  expect(simulated.object("p").memory).toEqual({ naps: 0, settling: 0, steps: [] });
  const { executionId } = simulated.instance("w").document();
  await simulated.advance("2 hours");
  expect(simulated.instance("w").document().executionId).toBe(executionId);
  simulated.instance("w").send("go", "went");
  await simulated.run();
  expect(instance.output()).toBe("went");
});

test("ten thousand children are asked to end in one go, without a look at all of them for each", async () => {
  const starts = workflow("Starts", async (ctx) => {
    for (let n = 0; n < 10_000; n++) void ctx.start(waits, undefined, { key: `${n}` });
    await ctx.sleep("1 day");
  });
  const simulated = cluster([starts, waits], { faults: { message: () => ({ lost: true }) } });
  const instance = await simulated.start(starts);
  await simulated.advance("1 second");
  instance.suspend(); // so that no turn runs
  await simulated.advance("1 second");
  const before = performance.now();
  instance.terminate("all of them", { recursive: true });
  expect(performance.now() - before).toBeLessThan(1_500); // it takes a twentieth; seven seconds otherwise
}, 30_000);
