/** Waits with a schema: which events end them, and what becomes of those that do not fit. */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { activity } from "../../src/core/activity.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { encode } from "../../src/core/payload.ts";
import type { Checked, Schema } from "../../src/core/schema.ts";
import { type AnyWorkflow, workflow } from "../../src/core/workflow.ts";
import { checkHistory } from "../../src/engine/check-history.ts";
import type { InProcessObject } from "../../src/testing/in-process-object.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { codeOf } from "../core/thrown.ts";
import { type CrashPoint, crashesAt, ID, startCommand, started } from "./harness.ts";

function send(object: InProcessObject, value: unknown, event = "go"): void {
  object.commands.sendEvent(ID, { event, payload: encode(value, "the event") });
  object.commit();
}

const soon = (object: InProcessObject) => object.run(object.clock.now() + 1);
const output = (object: InProcessObject) => object.commands.get(ID).output;
const items = (object: InProcessObject) => object.commands.history(ID, null, 200).items;
const refused = (object: InProcessObject) =>
  items(object)
    .filter(({ state }) => state === "failed")
    .map(({ result, error }) => [result, error]);

/** A schema by hand. */
const bare = <Output>(
  validate: (value: unknown) => Checked<Output> | Promise<Checked<Output>>,
): Schema<Output> => ({ "~standard": { version: 1, vendor: "hand", validate } });

const takingOne = (schema: Schema) =>
  workflow("Taking", (ctx) => ctx.waitForEvent("go", { schema, timeout: "1 hour" }));

const answer = z.object({
  approved: z.boolean(),
  at: z.iso.datetime().transform((t) => new Date(t)),
});

test("the event that fits ends the wait, as the schema gives it back, on a replay as well", async () => {
  let asked = 0;
  const counted = answer.refine(() => ++asked > 0);
  const flow = workflow("Answered", async (ctx) => {
    const { at, approved } = await ctx.waitForEvent("go", { schema: counted });
    await ctx.waitForEvent("end");
    return [approved, at.getTime()];
  });
  const object = started(flow);
  await soon(object);
  send(object, { approved: true, at: "1970-01-01T00:00:05Z", unknown: 1 });
  await soon(object);
  object.crash();
  send(object, null, "end");
  await soon(object);
  expect(output(object)).toEqual([true, 5_000]);
  expect(asked).toBe(1);
  expect(items(object)[0]).toMatchObject({
    step: "go",
    state: "done",
    result: { approved: true, at: "1970-01-01T00:00:05.000Z" },
  });
});

test("an event that does not fit ends nothing: it is told of, and the wait goes on", async () => {
  const object = started(takingOne(answer));
  await soon(object);
  send(object, { approved: "yes" });
  await soon(object);
  expect(object.commands.get(ID)).toMatchObject({
    status: "Running",
    waitingFor: [{ kind: "event", name: "go", due: "2026-01-01T01:00:00.000Z" }],
  });
  expect(items(object)).toContainEqual(
    expect.objectContaining({
      seq: null,
      step: "go",
      state: "failed",
      result: { approved: "yes" },
      error: {
        type: "WaymarkError",
        code: "EVENT_INVALID",
        message: expect.stringMatching(/^the event "go" does not fit: approved: .*; at: /),
      },
      completedAt: expect.any(String),
    }),
  );
  expect(object.logs.filter(({ event }) => event === "event.refused")).toMatchObject([
    { name: "go", step: "go", code: "EVENT_INVALID", error: expect.stringContaining("approved") },
  ]);
  object.crash();
  send(object, { approved: false, at: "1970-01-01T00:00:00Z" });
  await soon(object);
  expect(output(object)).toMatchObject({ approved: false });
});

test("events are looked at in their order: the first that fits is taken, those after it are kept", async () => {
  const object = started(
    workflow("Two", async (ctx) => [
      await ctx.waitForEvent("go", { schema: z.number() }),
      await ctx.waitForEvent("go"),
    ]),
  );
  for (const value of ["a", "b", 1, "c"]) send(object, value);
  await soon(object);
  expect(output(object)).toEqual([1, "c"]);
  expect(refused(object).map(([value]) => value)).toEqual(["a", "b"]);
});

test("it is the newest wait that decides, and one without a schema takes anything", async () => {
  const flow = (older: object, newer: object) =>
    workflow("Racing", async (ctx) => {
      const first = ctx.waitForEvent("go", older).then((value) => ["older", value]);
      const second = ctx.waitForEvent("go", newer).then((value) => ["newer", value]);
      return Promise.race([first, second]);
    });
  const schema = z.number();
  const strict = started(flow({}, { schema }));
  for (const value of ["a", 1]) send(strict, value);
  await soon(strict);
  expect(output(strict)).toEqual(["newer", 1]);
  expect(refused(strict)).toHaveLength(1);

  const lax = started(flow({ schema }, {}));
  send(lax, "a");
  await soon(lax);
  expect(output(lax)).toEqual(["newer", "a"]);
});

describe("a schema that fails refuses the event, and the turn goes on:", () => {
  const failing: readonly (readonly [string, Schema, RegExp, object])[] = [
    [
      "it throws",
      bare((value) => {
        if (value === "bad") throw new TypeError("broken schema");
        return { value };
      }),
      /its schema failed: broken schema/,
      { type: "TypeError", message: "broken schema" },
    ],
    [
      "it rejects",
      bare(async (value) => {
        if (value === "bad") throw new TypeError("broken later");
        return { value };
      }),
      /its schema failed: broken later/,
      { type: "TypeError", message: "broken later" },
    ],
    [
      "it answers nonsense",
      bare((value) => (value === "bad" ? (null as never) : { value })),
      /its schema failed/,
      { type: "TypeError" },
    ],
    [
      "what it makes cannot be stored",
      bare((value) => ({ value: value === "bad" ? { deep: [() => {}] } : value })),
      /cannot|deep\[0\]/,
      { code: "PAYLOAD_UNSUPPORTED" },
    ],
    [
      "what it makes is too large",
      bare((value) => ({ value: value === "bad" ? "x".repeat(LIMITS.payloadBytes) : value })),
      /its schema failed/,
      { code: "PAYLOAD_TOO_LARGE" },
    ],
  ];
  test.each(failing)("%s", async (_what, schema, message, cause) => {
    const object = started(takingOne(schema));
    await soon(object);
    send(object, "bad");
    send(object, "good");
    await soon(object);
    expect(output(object)).toBe("good");
    const [[, error] = []] = refused(object);
    expect(error).toMatchObject({ code: "EVENT_INVALID", cause });
    expect(error).toMatchObject({ message: expect.stringMatching(message) });
    expect(object.logs.filter(({ event }) => event === "engine.failed")).toEqual([]);
  });
});

test("what is no Standard Schema is refused where it is given", async () => {
  const object = started(
    workflow("Old", (ctx) => ctx.waitForEvent("go", { schema: { parse: () => 1 } as never })),
  );
  await soon(object);
  expect(object.commands.get(ID).error).toMatchObject({ code: "DEFINITION_INVALID" });
});

describe("a schema that takes its time", () => {
  function slow(millis: number) {
    const clock = new VirtualClock();
    const begun: unknown[] = [];
    const schema = bare(async (value) => {
      begun.push(value);
      await clock.sleep(millis);
      return value === "bad" ? { issues: [{ message: "is bad" }] } : { value: [value] };
    });
    return { clock, begun, schema };
  }

  test("is waited for, while activities and other requests are served", async () => {
    const { clock, schema } = slow(2_000);
    const work = activity("Work", () => clock.sleep(500).then(() => "worked"));
    const seen: unknown[] = [];
    const flow = workflow("Both", async (ctx) => {
      const wait = ctx.waitForEvent("go", { schema });
      seen.push(await ctx.call(work), await ctx.call(work));
      return wait;
    });
    const object = started(flow, undefined, { clock });
    await soon(object);
    send(object, "fine");
    await object.run(clock.now() + 1_500);
    expect(seen).toEqual(["worked", "worked"]);
    await object.run(clock.now() + 1_000);
    expect(output(object)).toEqual(["fine"]);
  });

  test("holds up the timeout of its wait: the event came in time", async () => {
    const { clock, schema } = slow(2_000);
    const flow = workflow("InTime", (ctx) =>
      ctx.waitForEvent("go", { schema, timeout: 1_000 }).catch(({ code }) => code),
    );
    for (const [value, end] of [
      ["fine", ["fine"]],
      ["bad", "EVENT_TIMEOUT"],
    ]) {
      const object = started(flow, undefined, { clock });
      await object.run(clock.now() + 900);
      send(object, value);
      await object.run(clock.now() + 10_000);
      expect(output(object)).toEqual(end);
    }
  });

  test(`of more than ${LIMITS.eventCheckMillis} ms has refused, and what it says later does not count`, async () => {
    for (const [millis, end] of [
      [LIMITS.eventCheckMillis, "taken"],
      [LIMITS.eventCheckMillis + 1, "refused"],
      [86_400_000, "refused"],
    ] as const) {
      const { clock, schema } = slow(millis);
      const object = started(takingOne(schema), undefined, { clock });
      await soon(object);
      send(object, "fine");
      await object.run(clock.now() + LIMITS.eventCheckMillis + 5);
      expect([millis, output(object)]).toEqual([millis, end === "taken" ? ["fine"] : null]);
      expect(refused(object)).toHaveLength(end === "taken" ? 0 : 1);
      await object.run();
      if (end === "refused") {
        expect(object.commands.get(ID).error).toMatchObject({ code: "EVENT_TIMEOUT" });
      }
    }
  });

  test("does not outlive its instance, nor the wait that the code cancels meanwhile", async () => {
    const { clock, schema } = slow(2_000);
    const flow = workflow("Cancelled", async (ctx) => {
      const first = await ctx.race({
        go: (signal) => ctx.waitForEvent("go", { schema, signal }),
        work: (signal) => ctx.run("work", () => clock.sleep(500), { signal }),
      });
      return [first.winner, await ctx.waitForEvent("go")];
    });
    const object = started(flow, undefined, { clock });
    send(object, "bad"); // kept: the wait that would have refused it is gone
    await object.run();
    expect(output(object)).toEqual(["work", "bad"]);

    const terminated = started(takingOne(schema), undefined, { clock });
    send(terminated, "fine");
    await terminated.run(clock.now() + 100);
    terminated.commands.terminate(ID, { reason: null });
    await terminated.run();
    expect(terminated.commands.get(ID).status).toBe("Terminated");
    expect(items(terminated).map(({ state }) => state)).toEqual(["buffered"]);
  });

  test("says nothing to a suspended instance: the event ends the wait after the resume", async () => {
    const { clock, schema } = slow(2_000);
    const object = started(takingOne(schema), undefined, { clock });
    send(object, "fine");
    await object.run(clock.now() + 100);
    object.commands.suspend(ID, { reason: null });
    await object.run(clock.now() + 60_000);
    expect(object.alarm).toBeNull();
    expect(items(object)).toMatchObject([{ state: "buffered" }]);
    object.commands.resume(ID, { reason: null });
    await object.run();
    expect(output(object)).toEqual(["fine"]);
  });

  test("is asked again where the object died before its answer was stored", async () => {
    const { clock, begun, schema } = slow(2_000);
    const object = started(takingOne(schema), undefined, { clock });
    send(object, "bad");
    send(object, "fine");
    await object.run(clock.now() + 1_000);
    object.crash();
    await object.run();
    expect(output(object)).toEqual(["fine"]);
    expect(begun).toEqual(["bad", "bad", "fine"]);
    expect(refused(object)).toHaveLength(1);
  });
});

/** Some fit, some do not, and what fits is converted; of a replay it can be told which is which. */
const choosing = workflow("Choosing", async (ctx) => {
  const even = bare(async (value) =>
    Number(value) % 2 === 0 ? { value: [value] } : { issues: [{ message: "is odd" }] },
  );
  const taken: unknown[] = [];
  for (let count = 0; count < 3; count++) {
    taken.push(await ctx.waitForEvent("go", { schema: even }));
    await ctx.sleep(1_000);
  }
  return taken;
});

test("a crash at any commit, before it or after it, refuses none twice and takes the same", async () => {
  const end = async (points: readonly CrashPoint[]) => {
    const object = started(choosing, undefined, { faults: crashesAt(...points) });
    for (const value of [1, 2, 3, 4, 5, 6]) send(object, value);
    await object.run();
    const { status } = object.commands.get(ID);
    return {
      commits: object.commits,
      end: [status, output(object), refused(object).map(([v]) => v)],
    };
  };
  const undisturbed = await end([]);
  expect(undisturbed.end).toEqual(["Completed", [[2], [4], [6]], [1, 3, 5]]);
  // Those before are of the start and the events.
  for (let commit = 8; commit <= undisturbed.commits; commit++) {
    for (const when of ["before", "after"] as const) {
      expect((await end([{ commit, when }])).end).toEqual(undisturbed.end);
    }
  }
});

describe("a refused event", () => {
  async function withRefused(flow: AnyWorkflow) {
    const object = started(flow);
    send(object, 1);
    send(object, 2);
    await soon(object);
    return object;
  }

  test("is not taken for the step whose name it bears", async () => {
    const object = await withRefused(choosing);
    const { cursor: _cursor, ...history } = object.commands.export(ID, null, 99);
    expect(history.steps.map(({ step, state, seq }) => [step, state, seq])).toEqual([
      ["go", "failed", null],
      ["go", "done", 1],
      ["sleep", "open", null],
    ]);
    expect(await checkHistory(choosing, history)).toMatchObject({
      fits: true,
      problem: null,
      unasked: [],
    });
    const other = workflow("Choosing", (ctx) => ctx.run("other", () => 1));
    expect(await checkHistory(other, history)).toMatchObject({ unasked: ["go", "sleep"] });
  });

  test("goes with its execution: the next round and the next start do not see it", async () => {
    const rounds = workflow("Rounds", async (ctx, round: number = 1) => {
      const value = await ctx.waitForEvent("go", { schema: z.number().min(2) });
      return round === 2 ? value : ctx.continueAsNew(round + 1);
    });
    const object = await withRefused(rounds);
    expect(items(object)).toMatchObject([{ step: "go", state: "open" }]);
    send(object, 1);
    await soon(object);
    expect(refused(object)).toHaveLength(1);
    object.commands.start(startCommand(rounds, undefined, { onConflict: "replace" }));
    await soon(object);
    expect(refused(object)).toEqual([]);
  });

  test("is as it was when its instance is terminated", async () => {
    const object = await withRefused(choosing);
    object.commands.terminate(ID, { reason: null });
    expect(items(object).map(({ state }) => state)).toEqual(["failed", "done", "cancelled"]);
  });

  test("makes room in the buffer", async () => {
    const object = started(takingOne(z.string()));
    for (let index = 0; index < LIMITS.bufferedEvents; index++) {
      object.commands.sendEvent(ID, { event: "go", payload: "[1]" });
    }
    expect(codeOf(() => send(object, 1))).toBe("EVENT_BUFFER_FULL");
    await soon(object);
    expect(codeOf(() => send(object, 1))).toBeUndefined();
    object.crash();
    expect(codeOf(() => send(object, 1))).toBeUndefined();
  });

  test(`is kept until ${LIMITS.refusedEvents} others have followed it`, async () => {
    const object = started(takingOne(z.string()));
    for (let value = 0; value <= LIMITS.refusedEvents; value++) send(object, value);
    await soon(object);
    const kept = refused(object).map(([value]) => value);
    expect([kept.length, kept[0]]).toEqual([LIMITS.refusedEvents, 1]);
  });

  test("costs the turn as much as a step", async () => {
    const object = started(takingOne(z.string()), undefined, { turn: { steps: 10 } });
    for (let value = 0; value < 25; value++) send(object, value);
    send(object, "fine");
    await object.run(object.clock.now()); // its first turn, and not the one after it
    expect(refused(object)).toHaveLength(10);
    await object.run();
    expect(output(object)).toBe("fine");
  });
});

test("an event that changed code no longer waits for goes to the next round as it was sent", async () => {
  const schema = bare((value) =>
    typeof value === "string" ? { value: Number(value) } : { issues: [{ message: "is no text" }] },
  );
  const taking = workflow("Moved", async (ctx) => {
    await ctx.waitForEvent("go", { schema });
    await ctx.waitForEvent("never");
  });
  const object = started(taking);
  await soon(object);
  send(object, "7");
  await soon(object);
  const changed = workflow(
    "Moved",
    async (ctx, round: number = 1): Promise<unknown> =>
      round === 1 ? ctx.continueAsNew(2) : ctx.waitForEvent("go", { schema }),
  );
  object.deploy([changed]);
  object.commands.suspend(ID, { reason: null });
  object.commands.resume(ID, { reason: null });
  await object.run();
  expect(output(object)).toBe(7);
  expect(refused(object)).toEqual([]);
});
