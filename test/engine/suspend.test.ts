import { describe, expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import { isTerminal } from "../../src/core/documents.ts";
import { encode } from "../../src/core/payload.ts";
import { type AnyWorkflow, workflow } from "../../src/core/workflow.ts";
import { checkHistory } from "../../src/engine/check-history.ts";
import type { Faults } from "../../src/testing/faults.ts";
import type { InProcessObject } from "../../src/testing/in-process-object.ts";
import { ask } from "../../src/testing/network.ts";
import type { TraceEvent } from "../../src/testing/trace.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { codeOf } from "../core/thrown.ts";
import { crashesAt, ID, startCommand, started } from "./harness.ts";

const YEAR = 365 * 86_400_000;

const suspend = (object: InProcessObject, reason: string | null = null) =>
  ask(object, (commands) => commands.suspend(ID, { reason }));

const resume = (object: InProcessObject) =>
  ask(object, (commands) => commands.resume(ID, { reason: null }));

function send(object: InProcessObject, event: string): void {
  object.commands.sendEvent(ID, { event, payload: encode(event, "the event") });
  object.commit();
}

const read = (object: InProcessObject) => object.commands.get(ID);
const items = (object: InProcessObject) => object.commands.history(ID, null, 99).items;
const later = (object: InProcessObject, millis: number) => object.run(object.clock.now() + millis);

/** Activities that take ten seconds each, the second after the first, and a note of each attempt. */
function slowly() {
  const clock = new VirtualClock();
  const attempts: string[] = [];
  const work = activity("Work", async (what: string, ctx) => {
    attempts.push(`${what} ${ctx.attempt}`);
    await clock.sleep(10_000);
    return what;
  });
  const both = workflow("Both", async (ctx) => {
    const one = await ctx.call(work, "one");
    return [one, await ctx.call(work, "two")];
  });
  return { clock, attempts, both };
}

describe("a suspended instance", () => {
  test("shows its status, and why", async () => {
    const object = started(slowly().both);
    await later(object, 0);
    const error = { type: "Suspended", message: "on holiday", code: "SUSPENDED_BY_REQUEST" };
    expect(suspend(object, "on holiday")).toMatchObject({ status: "Suspended", error });
    expect(suspend(object, "another reason")).toMatchObject({ status: "Suspended", error });
    object.crash();
    expect(read(object)).toMatchObject({ status: "Suspended", error });
    expect(resume(object)).toMatchObject({ status: "Running", error: null });
    expect(resume(object)).toMatchObject({ status: "Running", error: null });
  });

  test("says so in words of its own where no reason is given", () => {
    const object = started(slowly().both);
    expect(suspend(object).error?.message).toBe("suspended by request");
  });

  test("lets a running attempt go on, records its result, and starts nothing after it", async () => {
    const { clock, attempts, both } = slowly();
    const object = started(both, undefined, { clock });
    await later(object, 5_000);
    suspend(object);
    expect(read(object).waitingFor).toMatchObject([{ name: "Work", attempt: 1 }]);
    await later(object, YEAR);
    expect(items(object)).toMatchObject([{ step: "Work", state: "done", result: "one", seq: 1 }]);
    expect(read(object)).toMatchObject({ status: "Suspended", waitingFor: [] });
    expect(attempts).toEqual(["one 1"]);
    expect(object.alarm).toBeNull();
    expect(object.memory).toMatchObject({ naps: 0, settling: 0, steps: [] });
    resume(object);
    await object.run();
    expect(read(object)).toMatchObject({ status: "Completed", output: ["one", "two"] });
    expect(attempts).toEqual(["one 1", "two 1"]);
  });

  test("stays so through a crash, an eviction and a deployment, and nothing wakes it", async () => {
    const { clock, attempts, both } = slowly();
    const object = started(both, undefined, { clock });
    await later(object, 15_000);
    suspend(object);
    for (const lose of [() => object.crash(), () => object.evict(), () => object.deploy([both])]) {
      lose();
      await later(object, YEAR);
      expect(read(object).status).toBe("Suspended");
      await later(object, YEAR);
      expect(object.alarm).toBeNull();
    }
    expect(attempts).toEqual(["one 1", "two 1"]);
    resume(object);
    await object.run();
    expect(read(object)).toMatchObject({ status: "Completed", output: ["one", "two"] });
    expect(attempts.at(-1)).toBe("two 1"); // lost unmarked, so not counted
  });

  test("starts nothing that a careful turn was about to, and does not count it as lost", async () => {
    const { clock, attempts, both } = slowly();
    let moments = 0;
    let onCommit = () => {};
    const onEvent = ({ kind }: TraceEvent) => kind === "commit" && onCommit();
    const object = started(both, undefined, { clock, onEvent });
    onCommit = () => {
      const marked = items(object)[0]?.state === "running";
      if (marked && moments++ === 0) object.commands.suspend(ID, { reason: null });
    };
    await later(object, 5_000);
    object.crash();
    await later(object, YEAR);
    expect(moments).toBeGreaterThan(0);
    expect(attempts).toEqual(["one 1"]);
    expect(items(object)).toMatchObject([{ step: "Work", state: "open" }]);
    object.crash();
    resume(object);
    await object.run();
    expect(read(object).status).toBe("Completed");
    expect(attempts).toEqual(["one 1", "one 1", "two 1"]);
  });

  test("keeps the due of a retry, which does not fire", async () => {
    let runs = 0;
    const work = activity("Work", { retry: { firstInterval: "1 minute" } }, () => {
      if (++runs === 1) throw new Error("not yet");
      return runs;
    });
    const object = started(workflow("Single", (ctx) => ctx.call(work)));
    await later(object, 0);
    const { waitingFor } = read(object);
    suspend(object);
    await later(object, YEAR);
    expect(read(object).waitingFor).toEqual(waitingFor);
    expect(runs).toBe(1);
    resume(object);
    await later(object, 0);
    expect(read(object)).toMatchObject({ status: "Completed", output: 2 });
  });

  test("records timers that came due behind what its attempts brought, once it is resumed", async () => {
    const { clock, attempts, both } = slowly();
    const napping = workflow("Napping", async (ctx) => {
      const work = both.run(ctx, undefined);
      await ctx.sleep("7 seconds");
      const woke = ctx.now.getTime();
      await ctx.sleep("1 second");
      await work;
      return [woke, ctx.now.getTime()].map((at) => at - Date.UTC(2026, 0, 1));
    });
    const object = started(napping, undefined, { clock });
    await later(object, 5_000);
    suspend(object);
    await later(object, 60_000);
    const seqs = items(object).map(({ step, seq }) => [step, seq]);
    expect(seqs).toEqual([
      ["Work", 1],
      ["sleep", null],
    ]);
    expect(read(object)).toMatchObject({ status: "Suspended", waitingFor: [{ name: "sleep" }] });
    resume(object);
    await object.run();
    expect(read(object)).toMatchObject({ status: "Completed", output: [65_000, 75_000] });
    expect(attempts).toEqual(["one 1", "two 1"]);
  });

  test("keeps events, in order, and takes them once it is resumed", async () => {
    const taking = workflow("Taking", async (ctx) => {
      const first = await ctx.waitForEvent("a", { timeout: "1 hour" });
      return [first, await ctx.waitForEvent("b")];
    });
    const object = started(taking);
    await later(object, 5);
    suspend(object);
    send(object, "b");
    send(object, "a");
    await later(object, YEAR);
    expect(items(object).map(({ state }) => state)).toEqual(["open", "buffered", "buffered"]);
    expect(object.alarm).toBeNull();
    resume(object);
    await object.run();
    expect(read(object)).toMatchObject({ status: "Completed", output: ["a", "b"] });
  });

  test("does not end though its function has returned", async () => {
    const object = started(workflow("Quick", () => "done"));
    object.commands.suspend(ID, { reason: null });
    await later(object, YEAR);
    expect(read(object)).toMatchObject({ status: "Suspended", output: null });
    resume(object);
    await object.run();
    expect(read(object)).toMatchObject({ status: "Completed", output: "done" });
  });

  test("can be terminated", async () => {
    const object = started(slowly().both);
    suspend(object);
    object.commands.terminate(ID, { reason: null });
    await object.run();
    expect(read(object)).toMatchObject({ status: "Terminated" });
    expect(codeOf(() => suspend(object))).toBe("INSTANCE_TERMINAL");
    expect(codeOf(() => resume(object))).toBe("INSTANCE_TERMINAL");
  });
});

test("a suspension is kept whenever it comes, also between two rounds", async () => {
  let asked = 0;
  for (let nth = 1; asked === nth - 1; nth++) {
    const clock = new VirtualClock();
    const work = activity("Work", () => clock.sleep(100));
    const rounds = workflow("Rounds", async (ctx, round: number) => {
      await ctx.call(work, undefined as never);
      return round < 3 ? ctx.continueAsNew(round + 1) : "done";
    });
    let awaits = 0;
    const crash: Faults["crash"] = (_, { kind }) => {
      if (kind === "await" && ++awaits === nth && !isTerminal(read(object).status)) {
        object.commands.suspend(ID, { reason: null });
        asked = nth;
      }
      return false;
    };
    const object = started(rounds, 1, { clock, faults: { crash } });
    await object.run();
    if (asked < nth) break;
    expect([nth, read(object).status]).toEqual([nth, "Suspended"]);
    resume(object);
    await object.run();
    expect(read(object)).toMatchObject({ status: "Completed", input: 3, output: "done" });
  }
  expect(asked).toBeGreaterThan(15);
});

test("a turn whose alarm a suspension has just deleted is covered once it is resumed", async () => {
  const work = activity("Work", () => "done");
  const napping = workflow("Napping", async (ctx) => {
    await ctx.sleep("1 minute");
    return ctx.call(work, undefined as never);
  });
  let alarms = 0;
  let crashed = false;
  const object = started(napping, undefined, {
    onEvent: ({ kind }) => {
      if (kind === "alarm" && ++alarms === 2) object.commands.suspend(ID, { reason: null });
    },
    faults: {
      crash: (_, moment) => {
        if (moment.kind === "await" && alarms > 1 && read(object).status === "Suspended") {
          object.commands.resume(ID, { reason: null });
        }
        if (moment.kind !== "attempt" || moment.when === "after" || crashed) return false;
        crashed = true;
        return true;
      },
    },
  });
  await object.run();
  expect(crashed).toBe(true);
  expect(object.sql.all("SELECT status FROM instance")).toEqual([{ status: "Completed" }]);
});

describe("an instance that has not started", () => {
  test("does not start while it is suspended, and at its moment where it is resumed before", async () => {
    const starts: number[] = [];
    const noted = workflow("Noted", (ctx) => starts.push(ctx.now.getTime()));
    const object = started(noted);
    const startAt = object.clock.now() + 60_000;
    const command = startCommand(noted, undefined, { onConflict: "replace", startAt });
    object.commands.start(command);
    suspend(object);
    await later(object, 30_000);
    expect(resume(object)).toMatchObject({ status: "Pending", startedAt: null });
    await object.run();
    expect(starts).toEqual([startAt]);
  });

  test("starts at once where its moment has passed", async () => {
    const object = started(workflow("Quick", (ctx) => ctx.now));
    suspend(object);
    await later(object, YEAR);
    expect(read(object)).toMatchObject({ status: "Suspended", startedAt: null });
    resume(object);
    await later(object, 0);
    expect(read(object).status).toBe("Completed");
  });
});

test("resume makes an instance look at once that the engine has suspended before its start", async () => {
  const missing = workflow("Missing", () => "done");
  const object = started(missing);
  object.deploy([]);
  await later(object, 86_400_000); // by now it looks once an hour
  suspend(object);
  object.deploy([missing]);
  resume(object);
  await later(object, 0);
  expect(read(object).status).toBe("Completed");
});

test("resume makes an instance look at once that the engine has suspended", async () => {
  const named = (name: string): AnyWorkflow =>
    workflow("Changed", async (ctx) => {
      await ctx.run("step", () => name);
      await ctx.waitForEvent("go", name === "good" ? {} : { timeout: "1 day" });
    });
  const object = started(named("good"));
  await later(object, 5);
  object.deploy([named("bad")]);
  send(object, "go");
  await later(object, 0);
  expect(read(object)).toMatchObject({ status: "Suspended", error: { code: "NONDETERMINISM" } });
  expect(resume(object)).toMatchObject({ status: "Suspended", error: { code: "NONDETERMINISM" } });
  await later(object, 0);
  expect(read(object)).toMatchObject({ status: "Suspended", error: { code: "NONDETERMINISM" } });
  object.deploy([named("good")]);
  resume(object);
  await later(object, 0);
  expect(read(object)).toMatchObject({ status: "Completed", error: null });
});

test("a person's suspension of an instance that the engine has suspended wakes it no more", async () => {
  const missing = workflow("Missing", () => "done");
  const object = started(missing);
  object.deploy([]);
  await later(object, 0);
  expect(read(object)).toMatchObject({ status: "Suspended", error: { code: "VERSION_MISSING" } });
  suspend(object);
  object.deploy([missing]);
  await later(object, YEAR);
  expect(read(object)).toMatchObject({ error: { code: "SUSPENDED_BY_REQUEST" } });
  resume(object);
  await object.run();
  expect(read(object).status).toBe("Completed");
});

test.each([0, 1, 5_000, 10_000, 15_000])(
  "suspended after %d ms, with a crash at any commit, it comes to the same end",
  async (moment) => {
    let crashes = 0;
    for (let commit = 2; commit <= 14; commit++) {
      for (const when of ["before", "after"] as const) {
        const { clock, both } = slowly();
        const object = started(both, undefined, { clock, faults: crashesAt({ commit, when }) });
        await later(object, moment);
        suspend(object);
        await later(object, 60_000);
        expect(read(object).status).toBe("Suspended");
        const { cursor: _cursor, ...history } = object.commands.export(ID, null, 99);
        expect(await checkHistory(both, history)).toMatchObject({ fits: true });
        resume(object);
        await object.run();
        expect(read(object)).toMatchObject({ status: "Completed", output: ["one", "two"] });
        crashes += object.crashes;
      }
    }
    expect(crashes).toBeGreaterThan(8);
  },
);

test("it is logged once, with its reason, after it is durable", async () => {
  const { clock, both } = slowly();
  const object = started(both, undefined, { clock });
  await later(object, 5);
  object.commands.suspend(ID, { reason: "by test" });
  const told = (name: string) => object.logs.filter((event) => event.event === name);
  expect(told("instance.suspended")).toEqual([]);
  await later(object, 60_000);
  expect(told("instance.suspended")).toMatchObject([{ code: "SUSPENDED_BY_REQUEST" }]);
  resume(object);
  await object.run();
  expect(told("instance.resumed")).toHaveLength(1);
});

test("an event that came while it was suspended goes before a timeout that passed, also beside a running attempt", async () => {
  const { clock, both } = slowly();
  const waiting = workflow("Waiting", async (ctx) => {
    const work = both.run(ctx, undefined);
    const waits = ["a", "b"].map((name) =>
      ctx.waitForEvent(name, { timeout: "10 seconds" }).catch(() => "too late"),
    );
    const got = await Promise.all(waits);
    await work;
    return got;
  });
  const object = started(waiting, undefined, { clock });
  await later(object, 5_000);
  suspend(object);
  send(object, "a");
  send(object, "b");
  await later(object, 60_000);
  resume(object);
  await object.run();
  expect(read(object)).toMatchObject({ status: "Completed", output: ["a", "b"] });
});
