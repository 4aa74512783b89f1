/** What keeps one instance from filling memory, rows or an RPC. */
import { expect, test } from "vitest";
import { z } from "zod";
import { activity } from "../../src/core/activity.ts";
import { NonRetryableError } from "../../src/core/failure.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { encode } from "../../src/core/payload.ts";
import { workflow } from "../../src/core/workflow.ts";
import { STARTED_AT_ONCE } from "../../src/engine/host.ts";
import { StepStore } from "../../src/store/step-store.ts";
import type { InProcessObject } from "../../src/testing/in-process-object.ts";
import { ID, ran, startCommand, started } from "./harness.ts";

const waiting = workflow("Waiting", (ctx) => ctx.waitForEvent("never"));

/** So many steps that each fail with as much as an error can hold. */
function failing(steps: number) {
  const talkative = () => {
    let error: Error | undefined;
    for (let depth = 0; depth <= LIMITS.failureDepth; depth++) {
      error = new Error("m".repeat(5_000), { cause: error });
      Object.assign(error, { stack: "s".repeat(5_000), notes: "n".repeat(8_000) });
    }
    throw error;
  };
  const once = { retry: { maxAttempts: 1 } } as const;
  return workflow("Failing", async (ctx) => {
    for (let step = 0; step < steps; step++) await ctx.run("bad", talkative, once).catch(() => {});
  });
}

test("unread events are bounded by their size as well as by their number", async () => {
  const object = started(waiting);
  await object.run();
  const payload = encode("x".repeat(900_000), "an event");
  const fit = Math.floor(LIMITS.bufferedEventsBytes / payload.length);
  const send = () => object.commands.sendEvent(ID, { event: "flood", payload });
  for (let event = 0; event < fit; event++) send();
  expect(send).toThrow(expect.objectContaining({ code: "EVENT_BUFFER_FULL" }));
  object.commit();
  object.crash();
  expect(send).toThrow(expect.objectContaining({ code: "EVENT_BUFFER_FULL" }));
});

test("two events of the largest size are kept, and one byte more is not", async () => {
  const object = started(waiting);
  await object.run();
  const send = (length: number) => {
    const payload = encode("x".repeat(length - '[""]'.length), "an event");
    return object.commands.sendEvent(ID, { event: "flood", payload });
  };
  send(LIMITS.payloadBytes);
  send(LIMITS.bufferedEventsBytes - LIMITS.payloadBytes);
  expect(() => send(5)).toThrow(expect.objectContaining({ code: "EVENT_BUFFER_FULL" }));
});

test("taken events make room for others", async () => {
  const drain = workflow("Drain", async (ctx) => {
    await ctx.waitForEvent("go");
    for (let event = 0; event < LIMITS.bufferedEvents; event++) await ctx.waitForEvent("item");
    await ctx.waitForEvent("end");
  });
  const object = started(drain);
  await object.run();
  const item = () => object.commands.sendEvent(ID, { event: "item", payload: "[1]" });
  for (let event = 0; event < LIMITS.bufferedEvents; event++) item();
  expect(item).toThrow(expect.objectContaining({ code: "EVENT_BUFFER_FULL" }));
  object.commit();
  expect(new StepStore(object.sql).buffered().count).toBe(LIMITS.bufferedEvents);
});

test("a history that is too large fails its instance, which can then still be read", async () => {
  const hoarder = workflow("Hoarder", async (ctx) => {
    for (let step = 0; step < 80; step++) await ctx.run("large", () => "x".repeat(900_000));
  });
  const { object, document } = await ran(hoarder);
  expect(document).toMatchObject({ status: "Failed", error: { code: "HISTORY_TOO_LARGE" } });
  const page = object.commands.history(ID, null, 1_000);
  expect(page.items.length).toBeLessThan(20);
  expect(page.cursor).not.toBeNull();
});

test("a page of a history is bounded by what its values expand to, and by its errors", async () => {
  const object = started(waiting);
  await object.run();
  const shared = encode(Array(1_000).fill("x".repeat(1_000)), "an event");
  for (let event = 0; event < 20; event++) {
    object.commands.sendEvent(ID, { event: "flood", payload: shared });
  }
  const page = object.commands.history(ID, null, 1_000);
  expect(page.cursor).not.toBeNull();
  expect(JSON.stringify(page).length).toBeLessThan(LIMITS.historyPageLength + 1_100_000);

  const fragile = workflow("Fragile", async (ctx) => {
    for (let step = 0; step < 1_000; step++) await ctx.run("fail", failDeeply).catch(() => {});
  });
  const failed = (await ran(fragile)).object.commands.history(ID, null, 1_000);
  expect(failed.cursor).not.toBeNull();
  expect(JSON.stringify(failed).length).toBeLessThan(LIMITS.historyPageLength + 100_000);
});

function failDeeply(): never {
  let cause: Error | undefined;
  for (let depth = 0; depth < 6; depth++) cause = new Error("x".repeat(4_000), { cause });
  throw new NonRetryableError("no", { cause });
}

test("failures count in the size of a history as results do", async () => {
  const { document } = await ran(failing(600));
  expect(document).toMatchObject({ status: "Failed", error: { code: "HISTORY_TOO_LARGE" } });
});

test("the ids of events and history cursors are never used twice", async () => {
  const three = workflow("Three", async (ctx) => {
    for (let event = 0; event < 3; event++) await ctx.waitForEvent("e");
    await ctx.waitForEvent("end");
  });
  const object = started(three);
  const ids: number[] = [];
  for (let event = 0; event < 3; event++) {
    await object.run(object.clock.now() + 10);
    ids.push(object.commands.sendEvent(ID, { event: "e", payload: "[1]" }).eventId);
  }
  expect(new Set(ids).size).toBe(3);
});

test("nor are those of waits, where a turn ends before a wait has met its event", async () => {
  const three = workflow("Three", async (ctx) => {
    const schema = z.string();
    for (let event = 0; event < 3; event++) await ctx.waitForEvent("e", { schema });
  });
  const rows = new Map<number, Set<string>>();
  const look = ({ sql }: InProcessObject) => {
    for (const { id, step, state } of new StepStore(sql).page(0, 99)) {
      if (state !== "open" && state !== "buffered") continue;
      rows.set(id, (rows.get(id) ?? new Set()).add(`${step} ${state}`));
    }
  };
  let object: InProcessObject | undefined;
  object = started(three, undefined, {
    turn: { steps: 1 },
    onEvent: ({ kind }) => {
      if (kind === "commit" && object !== undefined) look(object);
    },
  });
  for (const value of [1, "a", 2, "b"]) {
    object.commands.sendEvent(ID, { event: "e", payload: encode(value, "an event") });
  }
  await object.run();
  expect(object.commands.get(ID).waitingFor).toMatchObject([{ step: "e#3" }]);
  expect([...rows].filter(([, names]) => names.size > 1)).toEqual([]);
});

test("an event nobody waits for does not wake a sleeping instance", async () => {
  const object = started(workflow("Sleeper", (ctx) => ctx.sleep("1 day")));
  await object.run(object.clock.now() + 10);
  const { alarm } = object;
  object.commands.sendEvent(ID, { event: "hello", payload: "[1]" });
  object.commit();
  expect(object.alarm).toBe(alarm);
});

test("a repeated start gets its first answer, also where that was too long to keep", () => {
  const input = "x".repeat(100_000);
  const object = started(waiting, input);
  const idempotency = { key: "k", fingerprint: "f" };
  const command = startCommand(waiting, input, { onConflict: "existing", idempotency });
  const first = object.commands.start(command);
  expect(first.created).toBe(false);
  expect(object.commands.start(command)).toEqual(first);
});

test("no activity starts beside rows that are not durable", async () => {
  const seen: boolean[] = [];
  let release = () => {};
  const failing = activity("Failing", { retry: { firstInterval: 1_000 } }, async () => {
    await new Promise<void>((resolve) => {
      release = resolve;
    });
    throw new Error("no");
  });
  const effect = activity("Effect", () => {
    seen.push(object.sql.dirty);
  });
  const object = started(
    workflow("W", async (ctx) => {
      const failed = ctx.call(failing);
      await ctx.call(effect);
      release();
      await ctx.call(effect);
      await failed;
    }),
  );
  await object.run(object.clock.now() + 100);
  expect(seen).toEqual([false, false]);
});

test("an execution whose results and failures no memory could replay fails, at the bound and not before", async () => {
  const RESULT = 900_000;
  const FAILURES = 2;
  const large = activity("Large", { retry: { maxAttempts: 1 } }, (fails: boolean) => {
    if (fails) throw new Error("x".repeat(LIMITS.failureMessageLength));
    return "x".repeat(RESULT);
  });
  const hoarding = workflow("Hoarding", async (ctx, results: number) => {
    for (let index = 0; index < FAILURES; index++) await ctx.call(large, true).catch(() => {});
    for (let index = 0; index < results; index++) await ctx.call(large, false);
    return "kept all";
  });
  const stored = encode("x".repeat(RESULT), "it").length + encode(false, "it").length;
  const fit = Math.floor(LIMITS.historyBytes / stored);
  const kept = await ran(hoarding, fit - 1);
  expect(kept.document).toMatchObject({ status: "Completed", output: "kept all" });
  const hoarded = await ran(hoarding, fit + 1);
  expect(hoarded.document).toMatchObject({
    status: "Failed",
    error: { code: "HISTORY_TOO_LARGE" },
  });
  expect(LIMITS.historyBytes - fit * stored).toBeLessThan(stored);
}, 30_000);

test("a wide fan-out is recorded as it goes, not after the last of it has started", async () => {
  const width = 1_000;
  let runs = 0;
  const object: InProcessObject = started(
    workflow("Wide", async (ctx) => {
      const run = () => {
        if (++runs === width - 10) object.crash();
      };
      await Promise.all(Array.from({ length: width }, () => ctx.run("part", run)));
      return "all";
    }),
  );
  await object.run();
  expect(object.commands.get(ID)).toMatchObject({ status: "Completed", output: "all" });
  expect(runs).toBeLessThanOrEqual(width + 2 * STARTED_AT_ONCE);
});

test("a wide fan-out goes over several turns", async () => {
  let runs = 0;
  const wide = workflow("Wide", (ctx) =>
    Promise.all(Array.from({ length: 1_000 }, () => ctx.run("part", () => void runs++))),
  );
  const object = started(wide, undefined, { turn: { steps: 200 } });
  await object.run(object.clock.now());
  expect(runs).toBeLessThan(500);
  await object.run();
  expect(object.commands.get(ID).status).toBe("Completed");
  expect(runs).toBe(1_000);
});

test("a document lists the first of many open waits, and the history has them all", async () => {
  const count = LIMITS.waitingFor + 1;
  const wide = workflow("Wide", (ctx) =>
    Promise.all(Array.from({ length: count }, (_, index) => ctx.waitForEvent(`event ${index}`))),
  );
  const { object, document } = await ran(wide);
  expect(document.waitingFor).toHaveLength(LIMITS.waitingFor);
  object.crash();
  expect(object.commands.get(ID).waitingFor).toEqual(document.waitingFor);
  expect(object.commands.history(ID, null, count).items).toHaveLength(count);
});
