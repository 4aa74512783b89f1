import { describe, expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import type { WorkflowContext } from "../../src/core/context.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { encode } from "../../src/core/payload.ts";
import { workflow } from "../../src/core/workflow.ts";
import type { InProcessObject } from "../../src/testing/in-process-object.ts";
import { ask } from "../../src/testing/network.ts";
import { codeOf } from "../core/thrown.ts";
import { atEachCommit, crashesAt, ID, startCommand, started } from "./harness.ts";

/** Sends an event and makes it durable, as a request does. */
function send(object: InProcessObject, event: string, value?: unknown): number {
  const { eventId } = object.commands.sendEvent(ID, { event, payload: encode(value, "the event") });
  object.commit();
  return eventId;
}

const soon = (object: InProcessObject) => object.run(object.clock.now() + 1);
const output = (object: InProcessObject) => object.commands.get(ID).output;

/** Takes so many events of one name, one after the other. */
const taking = (count: number) =>
  workflow("Taking", async (ctx) => {
    const taken: unknown[] = [];
    for (let index = 0; index < count; index++) taken.push(await ctx.waitForEvent("go"));
    return taken;
  });

test("an event reaches the workflow that waits for it, with what it carries", async () => {
  const object = started(taking(1));
  await soon(object);
  expect(object.commands.get(ID)).toMatchObject({
    status: "Running",
    waitingFor: [{ kind: "event", name: "go", step: "go" }],
  });
  expect(object.alarm).toBeNull();
  send(object, "go", { at: new Date(5), big: 5n });
  await soon(object);
  expect(output(object)).toEqual([{ at: "1970-01-01T00:00:00.005Z", big: "5" }]);
});

test("events that come before anyone waits are kept, in order, each delivered once", async () => {
  const object = started(taking(3));
  for (const value of ["a", "b"]) send(object, "go", value); // before its first turn
  await soon(object);
  expect(object.commands.get(ID).status).toBe("Running");
  send(object, "go", "c");
  await soon(object);
  expect(output(object)).toEqual(["a", "b", "c"]);
  expect(object.commands.history(ID, null, 9).items.map((item) => [item.seq, item.step])).toEqual([
    [1, "go"],
    [2, "go#2"],
    [3, "go#3"],
  ]);
});

test("the order is kept over a crash at any moment, and nothing is lost or comes twice", async () => {
  for (let crashAfter = 0; crashAfter <= 4; crashAfter++) {
    const object = started(taking(4));
    for (const [index, value] of ["a", "b", "c", "d"].entries()) {
      if (index === crashAfter) object.crash();
      send(object, "go", value);
      if (index % 2 === 1) await soon(object);
    }
    if (crashAfter === 4) object.crash();
    await soon(object);
    expect(output(object)).toEqual(["a", "b", "c", "d"]);
  }
});

test("an event that was not yet durable when the object died was never sent", async () => {
  const object = started(taking(1));
  await soon(object);
  object.commands.sendEvent(ID, { event: "go", payload: "[1]" });
  object.crash();
  await soon(object);
  expect(object.commands.get(ID).status).toBe("Running");
  send(object, "go", "again");
  await soon(object);
  expect(output(object)).toEqual(["again"]);
});

test("an event of another name wakes nobody and waits for its own", async () => {
  const both = workflow("Both", async (ctx) => [
    await ctx.waitForEvent("a"),
    await ctx.waitForEvent("b"),
  ]);
  const object = started(both);
  await soon(object);
  object.crash();
  send(object, "b", 2);
  expect(object.alarm).toBeNull();
  expect(object.commands.history(ID, null, 9).items).toMatchObject([
    { step: "a", state: "open" },
    { step: "b", state: "buffered", result: 2, seq: null },
  ]);
  send(object, "a", 1);
  await soon(object);
  expect(output(object)).toEqual([1, 2]);
});

test("an event wakes an instance whose memory is gone", async () => {
  const object = started(taking(1));
  await soon(object);
  object.crash();
  send(object, "go", 1);
  expect(object.alarm).toBe(object.clock.now());
  await soon(object);
  expect(output(object)).toEqual([1]);
});

test("an event is served while an activity runs", async () => {
  let finish = (_value: string) => {};
  const work = activity("Work", () => new Promise<string>((resolve) => (finish = resolve)));
  const both = workflow("Both", (ctx) => Promise.race([ctx.call(work), ctx.waitForEvent("go")]));
  const object = started(both);
  await soon(object);
  send(object, "go", "first");
  await soon(object);
  expect(output(object)).toBe("first");
  finish("too late");
  await soon(object);
  expect(output(object)).toBe("first");
});

describe("a wait with a timeout", () => {
  const waiting = workflow("Waiting", (ctx) =>
    ctx
      .waitForEvent("go", { timeout: "1 hour" })
      .catch((error: { code: string; message: string }) => [error.code, error.message, ctx.now]),
  );

  test("is over then, with a code of its own, also after a crash", async () => {
    for (const crash of [false, true]) {
      const object = started(waiting);
      await soon(object);
      expect(object.commands.get(ID).waitingFor).toEqual([
        { kind: "event", name: "go", step: "go", due: "2026-01-01T01:00:00.000Z" },
      ]);
      if (crash) object.crash();
      await object.run();
      const [code, message, at] = output(object) as string[];
      expect([code, at]).toEqual(["EVENT_TIMEOUT", "2026-01-01T01:00:00.000Z"]);
      expect(message).toContain('"go"');
    }
  });

  test("takes an event that comes in the last millisecond, and not one that comes after", async () => {
    const due = Date.UTC(2026, 0, 1, 1);
    const inTime = started(waiting);
    await inTime.run(due - 1);
    send(inTime, "go", "in time");
    await inTime.run(due + 5);
    expect(output(inTime)).toBe("in time");

    const late = started(waiting);
    await late.run(due);
    expect(codeOf(() => send(late, "go", "late"))).toBe("INSTANCE_TERMINAL");
  });

  test("prefers an event that lies there to a timeout that has passed", async () => {
    const object = started(waiting);
    await soon(object);
    object.crash();
    send(object, "go", "there");
    object.clock.moveTo(Date.UTC(2026, 0, 1, 2)); // the object comes back long after both
    await soon(object);
    expect(output(object)).toBe("there");
  });

  test("of zero takes what lies there, and is over at once where nothing does", async () => {
    const polling = workflow("Polling", async (ctx) => {
      const poll = () => ctx.waitForEvent("go", { timeout: 0 }).catch(() => "nothing");
      return [await poll(), await poll()];
    });
    const object = started(polling);
    send(object, "go", "there");
    await soon(object);
    expect(output(object)).toEqual(["there", "nothing"]);
  });
});

describe("several waits for one name", () => {
  test("are served newest first, so that an abandoned one swallows nothing", async () => {
    const racing = workflow("Racing", async (ctx: WorkflowContext) => {
      const abandoned = ctx.waitForEvent("go").then((value) => `abandoned: ${value}`);
      await Promise.race([abandoned, ctx.sleep("1 minute")]);
      const newest = await ctx.waitForEvent("go");
      return [newest, await Promise.race([abandoned, ctx.sleep("1 minute")])];
    });
    for (const crash of [false, true]) {
      const object = started(racing);
      await object.run(object.clock.now() + 61_000);
      if (crash) object.crash();
      send(object, "go", "first");
      await soon(object);
      if (crash) object.crash();
      send(object, "go", "second");
      await object.run();
      expect(output(object)).toEqual(["first", "abandoned: second"]);
    }
  });

  test("take one event each", async () => {
    const all = workflow("All", (ctx) =>
      Promise.all([ctx.waitForEvent("go"), ctx.waitForEvent("go"), ctx.waitForEvent("go")]),
    );
    const object = started(all);
    await soon(object);
    for (const value of [1, 2, 3]) {
      send(object, "go", value);
      await soon(object);
    }
    expect(output(object)).toEqual([3, 2, 1]);
  });
});

describe.each([0, 1, 2])("of three waits for one name the %dth, which is over,", (over) => {
  const waiting = workflow("Waiting", async (ctx) => {
    const wait = (place: number) =>
      ctx
        .waitForEvent<string>("go", place === over ? { timeout: "1 minute" } : {})
        .catch((error: { code: string }) => error.code);
    const three = await Promise.all([wait(0), wait(1), wait(2)]);
    return [...three, await ctx.waitForEvent("go")];
  });
  const [newest, oldest] = [2, 1, 0].filter((place) => place !== over);
  const expected = [0, 1, 2].map((place) => {
    if (place === over) return "EVENT_TIMEOUT";
    return place === newest ? "first" : place === oldest && "second";
  });

  test.each([false, true])(
    "takes none of three events, whatever commit is lost (and memory after each: %s)",
    async (lost) => {
      const commits = await atEachCommit(async (point) => {
        const object = started(waiting, undefined, { faults: crashesAt(point) });
        await object.run(object.clock.now() + 120_000);
        for (const value of ["first", "second", "third"]) {
          const payload = encode(value, "the event");
          ask(object, (commands) => commands.sendEvent(ID, { event: "go", payload }));
          if (lost) object.crash();
          await object.run();
        }
        expect([point, output(object)]).toEqual([point, [...expected, "third"]]);
        return object;
      });
      expect(commits).toBeGreaterThan(6);
    },
  );
});

describe("twelve events of one name that come before any wait", () => {
  const TWELVE = Array.from({ length: 12 }, (_, index) => index + 1);

  /** Sends all of them, and loses the object that has kept them. */
  function sendTwelve(object: InProcessObject): void {
    for (const value of TWELVE) {
      const payload = encode(value, "the event");
      ask(object, (commands) => commands.sendEvent(ID, { event: "go", payload }));
    }
    object.crash();
  }

  test("are taken in their order, also where memory was lost at any commit since the first", async () => {
    const late = workflow("Late", async (ctx) => {
      await ctx.sleep("1 hour");
      const taken: unknown[] = [];
      while (taken.length < TWELVE.length) taken.push(await ctx.waitForEvent("go"));
      return taken;
    });
    const commits = await atEachCommit(async (point) => {
      const object = started(late, undefined, { faults: crashesAt(point) });
      await object.run(object.clock.now() + 60_000);
      sendTwelve(object);
      const states = object.commands.history(ID, null, 99).items.map(({ state }) => state);
      expect(states.filter((state) => state === "buffered")).toHaveLength(12);
      await object.run();
      expect([point, output(object)]).toEqual([point, TWELVE]);
      return object;
    });
    expect(commits).toBeGreaterThan(24);
  });

  test("and are taken in several rounds, keep their order over continueAsNew and a loss at any commit", async () => {
    const inRounds = workflow("InRounds", async (ctx, taken: readonly unknown[]) => {
      await ctx.sleep("1 hour");
      const got = [...taken];
      for (let index = 0; index < 5 && got.length < TWELVE.length; index++) {
        got.push(await ctx.waitForEvent("go"));
      }
      return got.length < TWELVE.length ? ctx.continueAsNew(got) : got;
    });
    const commits = await atEachCommit(async (point) => {
      const object = started(inRounds, [], { faults: crashesAt(point) });
      await object.run(object.clock.now() + 60_000);
      sendTwelve(object);
      await object.run(object.clock.now() + 3_600_000); // the second round sleeps
      object.crash();
      await object.run();
      expect([point, output(object)]).toEqual([point, TWELVE]);
      return object;
    });
    expect(commits).toBeGreaterThan(24);
  });
});

describe("the events an instance keeps", () => {
  test(`are ${LIMITS.bufferedEvents}: one more is refused until one is taken`, async () => {
    const object = started(
      workflow("Late", async (ctx) => {
        await ctx.sleep("1 hour");
        await ctx.waitForEvent("go");
        await ctx.sleep("1 day");
      }),
    );
    for (let index = 0; index < LIMITS.bufferedEvents; index++) {
      object.commands.sendEvent(ID, { event: index % 2 === 0 ? "go" : "other", payload: "[1]" });
    }
    expect(codeOf(() => send(object, "go"))).toBe("EVENT_BUFFER_FULL");
    await object.run(object.clock.now() + 3_600_000);
    expect(codeOf(() => send(object, "go"))).toBeUndefined();
    expect(codeOf(() => send(object, "go"))).toBe("EVENT_BUFFER_FULL");
  });

  test("have ids of their own, by which a sender can tell them apart", () => {
    const object = started(taking(9));
    expect(new Set([send(object, "go"), send(object, "go"), send(object, "a")]).size).toBe(3);
    const receipt = object.commands.sendEvent(ID, { event: "go", payload: "[1]" });
    expect(receipt).toEqual({
      instanceId: ID,
      executionId: object.commands.get(ID).executionId,
      event: "go",
      eventId: 4,
    });
  });

  test("are gone with their execution", async () => {
    const object = started(taking(1));
    send(object, "go", "for the old one");
    object.commands.start(startCommand(taking(1), undefined, { onConflict: "replace" }));
    await soon(object);
    expect(object.commands.get(ID).status).toBe("Running");
  });
});

test("an event for an instance that has ended, or never was, is refused", async () => {
  const object = started(taking(0));
  await soon(object);
  expect(codeOf(() => send(object, "go"))).toBe("INSTANCE_TERMINAL");
  const { commands } = started(taking(0));
  expect(codeOf(() => commands.get(ID))).toBeUndefined();
});
