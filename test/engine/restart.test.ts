import { describe, expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import { workflow } from "../../src/core/workflow.ts";
import { ask } from "../../src/testing/network.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { codeOf } from "../core/thrown.ts";
import { crashesAt, ID, ran, startCommand, started } from "./harness.ts";

const asked = { reason: "by test" };

/** A workflow that says which version of it has run. */
const versioned = (version: string) =>
  workflow("Versioned", { version }, async (ctx, input: number) => {
    await ctx.run("step", () => input);
    return { version: ctx.version, input };
  });

test("an ended instance runs anew with the same input and tags, in the newest version", async () => {
  const object = started(versioned("1"), 5);
  object.commands.start(
    startCommand(versioned("1"), 7, { onConflict: "replace", tags: { a: "b" } }),
  );
  await object.run();
  const { executionId } = object.commands.get(ID);
  object.deploy([versioned("1"), versioned("2")]);
  const restarted = ask(object, (commands) => commands.restart(ID, asked));
  expect(restarted).toMatchObject({ status: "Pending", version: "2", input: 7, tags: { a: "b" } });
  expect(restarted.executionId).not.toBe(executionId);
  await object.run();
  expect(object.commands.get(ID)).toMatchObject({ output: { version: "2", input: 7 } });
  expect(object.commands.history(ID, null, 9).items).toHaveLength(1);
});

test("a running instance is stopped, and its late results are not the new execution's", async () => {
  const clock = new VirtualClock();
  const reasons: unknown[] = [];
  let runs = 0;
  const work = activity("Work", async (_: undefined, ctx) => {
    ctx.signal.addEventListener("abort", () => reasons.push(ctx.signal.reason));
    const run = ++runs;
    await clock.sleep(2_000);
    return run;
  });
  const object = started(
    workflow("Single", (ctx) => ctx.call(work)),
    undefined,
    { clock },
  );
  await object.run(clock.now() + 1_000);
  object.commands.restart(ID, asked);
  await object.run();
  expect(object.commands.get(ID)).toMatchObject({ status: "Completed", output: 2 });
  expect(reasons).toMatchObject([{ code: "ATTEMPT_STOPPED" }]);
  const told = object.logs.filter(({ event }) => event === "instance.restarted");
  expect(told).toMatchObject([{ reason: "by test" }]);
});

test("a suspended instance runs when it is restarted", async () => {
  const object = started(versioned("1"), 5);
  object.commands.suspend(ID, asked);
  await object.run();
  object.commands.restart(ID, asked);
  await object.run();
  expect(object.commands.get(ID)).toMatchObject({ status: "Completed", error: null });
});

test("the same request again restarts it once", async () => {
  const { object } = await ran(versioned("1"), 5);
  const command = { ...asked, idempotency: { key: "k", fingerprint: "f" } };
  const first = object.commands.restart(ID, command);
  await object.run();
  expect(object.commands.restart(ID, command)).toEqual(first);
  expect(object.commands.get(ID).status).toBe("Completed");
});

test("it is refused where the workflow is not registered any more, and nothing changes", async () => {
  const { object, document } = await ran(versioned("1"), 5);
  object.deploy([]);
  expect(codeOf(() => object.commands.restart(ID, asked))).toBe("WORKFLOW_NOT_FOUND");
  expect(object.commands.get(ID)).toEqual(document);
});

test("a restart with a crash at any commit runs to its end", async () => {
  for (let commit = 2; commit <= 8; commit++) {
    for (const when of ["before", "after"] as const) {
      const object = started(versioned("1"), 5, { faults: crashesAt({ commit, when }) });
      await object.run(object.clock.now());
      ask(object, (commands) => commands.restart(ID, asked));
      await object.run();
      expect(object.commands.get(ID)).toMatchObject({ status: "Completed", output: { input: 5 } });
    }
  }
});

test("after rounds it is the latest round's input that it runs with", async () => {
  const rounds = workflow("Rounds", async (ctx, round: number) => {
    await ctx.run("step", () => round);
    return round < 3 ? ctx.continueAsNew(round + 1) : round;
  });
  const { object } = await ran(rounds, 1);
  expect(object.commands.given(ID)).toMatchObject({ input: "[3]" });
  expect(object.commands.restart(ID, asked).input).toBe(3);
});

describe("what a copy is started with", () => {
  const idempotency = { key: "k", fingerprint: "as a" };

  test("is given once for each key, and stays what it was", async () => {
    const { object } = await ran(versioned("1"), 5);
    const given = object.commands.given(ID, idempotency);
    object.commands.start(startCommand(versioned("1"), 7, { onConflict: "replace" }));
    expect(object.commands.given(ID, idempotency)).toEqual(given);
    const other = { ...idempotency, fingerprint: "as b" };
    expect(codeOf(() => object.commands.given(ID, other))).toBe("IDEMPOTENCY_KEY_REUSED");
    expect(codeOf(() => object.commands.restart(ID, { ...asked, idempotency: other }))).toBe(
      "IDEMPOTENCY_KEY_REUSED",
    );
  });

  test("is gone with its instance, and whoever has asked for it is told so", async () => {
    const { object } = await ran(versioned("1"), 5);
    object.commands.given(ID, idempotency);
    object.commands.purge(ID, { force: false });
    expect(codeOf(() => object.commands.given(ID, idempotency))).toBe("INSTANCE_PURGED");
    expect(codeOf(() => object.commands.given(ID))).toBe("INSTANCE_NOT_FOUND");
  });

  test("costs nothing to read without a key", async () => {
    const { object } = await ran(versioned("1"), 5);
    object.commands.given(ID);
    expect(object.sql.dirty).toBe(false);
  });
});
