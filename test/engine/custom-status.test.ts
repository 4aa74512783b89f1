import { expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import type { WorkflowContext } from "../../src/core/context.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { encode } from "../../src/core/payload.ts";
import { workflow } from "../../src/core/workflow.ts";
import type { InProcessObject } from "../../src/testing/in-process-object.ts";
import { codeOf } from "../core/thrown.ts";
import { crashesAt, ID, ran, startCommand, started } from "./harness.ts";

const read = (object: InProcessObject) => object.commands.get(ID);
const shown = (object: InProcessObject) => read(object).customStatus;

function send(object: InProcessObject, event: string): void {
  object.commands.sendEvent(ID, { event, payload: encode(null, "the event") });
  object.commit();
}

/** Rows changed since the storage was opened. */
const rowsChanged = (object: InProcessObject) =>
  object.sql.all<{ count: number }>("SELECT total_changes() AS count")[0]?.count ?? 0;

/** Sets a status before and after each of three waits. */
const telling = workflow("Telling", async (ctx) => {
  ctx.setStatus("begun");
  for (let step = 1; step <= 3; step++) {
    await ctx.waitForEvent("go");
    ctx.setStatus({ step, at: ctx.now });
  }
});

const chained = workflow("Chained", async (ctx) => {
  for (let step = 1; step <= 3; step++) {
    await ctx.run("step", () => step);
    ctx.setStatus(`${step} of 3`);
  }
});

/** Waits as often, and tells nothing. */
const silent = workflow("Silent", async (ctx) => {
  for (let step = 1; step <= 3; step++) await ctx.waitForEvent("go");
});

test("a status is shown as it was set last, and stays after the end", async () => {
  const { object } = await ran(telling);
  expect(shown(object)).toBe("begun");
  for (let step = 1; step <= 3; step++) {
    send(object, "go");
    await object.run();
    expect(shown(object)).toEqual({ step, at: "2026-01-01T00:00:00.000Z" });
  }
  expect(read(object).status).toBe("Completed");
  object.commands.start(startCommand(telling, undefined, { onConflict: "replaceFinished" }));
  expect(shown(object)).toBeNull();
});

test("a failed workflow shows what it had set before", async () => {
  const { document } = await ran(
    workflow("Failing", async (ctx) => {
      await ctx.sleep(5);
      ctx.setStatus("about to fail");
      throw new Error("no");
    }),
  );
  expect(document).toMatchObject({ status: "Failed", customStatus: "about to fail" });
});

test("it is set in the order of the code, and durable before the next step starts", async () => {
  const seen: unknown[] = [];
  let dirty: boolean | undefined;
  const look = activity("Look", () => seen.push(shown(object)));
  const object = started(
    workflow("Ordered", async (ctx) => {
      ctx.setStatus(1);
      const looked = ctx.call(look);
      ctx.setStatus(2);
      await looked;
    }),
    undefined,
    {
      onEvent: (event) => {
        if (event.kind === "attempt") dirty ??= event.dirty;
      },
    },
  );
  await object.run();
  expect([seen, dirty]).toEqual([[2], false]);
});

test("a replay neither shows an older status nor writes it again", async () => {
  const rows = async (definition: typeof telling) => {
    const { object } = await ran(definition);
    send(object, "go");
    await object.run();
    const before = shown(object);
    object.crash();
    const changed = rowsChanged(object);
    send(object, "another event");
    object.commands.suspend(ID, { reason: null });
    object.commands.resume(ID, { reason: null }); // makes it come back to memory
    await object.run();
    expect(shown(object)).toEqual(before);
    return rowsChanged(object) - changed;
  };
  expect(await rows(telling)).toBe(await rows(silent));
});

test("setting the same status again costs nothing", async () => {
  const rows = async (status: unknown) => {
    const { object } = await ran(
      workflow("Repeating", async (ctx) => {
        for (let time = 0; time < 10; time++) {
          await ctx.run("step", () => time);
          if (status !== undefined) ctx.setStatus(status);
        }
      }),
    );
    return rowsChanged(object);
  };
  expect((await rows("same")) - (await rows(undefined))).toBe(1);
});

/** Sets its status last in each round but the last one. */
const inRounds = (before: (ctx: WorkflowContext) => Promise<unknown>) =>
  workflow("InRounds", async (ctx, round: number) => {
    if (round === 3) return;
    await before(ctx);
    ctx.setStatus(`round ${round}`);
    return ctx.continueAsNew(round + 1);
  });

test("one that is set right before the next round is shown, also where a round has no step", async () => {
  const { document } = await ran(
    inRounds(() => Promise.resolve()),
    1,
  );
  expect(document).toMatchObject({ status: "Completed", customStatus: "round 2" });
});

test("it goes over to the next round, the same after a crash at any commit", async () => {
  const stepping = inRounds((ctx) => ctx.run("step", () => 1));
  const { object: plain } = await ran(stepping, 1);
  for (let commit = 2; commit <= plain.commits + 1; commit++) {
    for (const when of ["before", "after"] as const) {
      const { document } = await ran(stepping, 1, { faults: crashesAt({ commit, when }) });
      expect(document).toMatchObject({ status: "Completed", customStatus: "round 2" });
    }
  }
});

test("it is the same after a crash at any commit", async () => {
  const { object: plain } = await ran(chained);
  for (let commit = 2; commit <= plain.commits + 1; commit++) {
    for (const when of ["before", "after"] as const) {
      const { document } = await ran(chained, undefined, {
        faults: crashesAt({ commit, when }),
      });
      expect(document).toMatchObject({ status: "Completed", customStatus: "3 of 3" });
    }
  }
});

test("it may have 16 KB when encoded, and not a byte more", async () => {
  const longest = "x".repeat(LIMITS.customStatusBytes - encode("", "a text").length);
  const { document } = await ran(workflow("Long", (ctx) => ctx.setStatus(longest)));
  expect(document).toMatchObject({ status: "Completed", customStatus: longest });
  for (const value of [`${longest}x`, `${longest.slice(1)}\u00e9`]) {
    const { document: refused } = await ran(
      workflow("TooLong", (ctx) => codeOf(() => ctx.setStatus(value))),
    );
    expect(refused).toMatchObject({ output: "PAYLOAD_TOO_LARGE", customStatus: null });
  }
  const { document: unsupported } = await ran(
    workflow("Unsupported", (ctx) => codeOf(() => ctx.setStatus(() => {}))),
  );
  expect(unsupported.output).toBe("PAYLOAD_UNSUPPORTED");
});
