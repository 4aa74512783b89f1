/** Values longer than a cell: what the code gets of them, before and after a crash, and what stays of them. */
import { describe, expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { encode } from "../../src/core/payload.ts";
import { workflow } from "../../src/core/workflow.ts";
import type { InProcessObject } from "../../src/testing/in-process-object.ts";
import { partsOf } from "../store/tables.ts";
import { crashesAt, ID, ran, startCommand, started } from "./harness.ts";

const LARGEST = "x".repeat(LIMITS.payloadBytes - '[""]'.length);
/** So little that every value below is split. */
const cellBytes = 16;

const long = (what: string): string => `${what} `.repeat(20);
const repeated = activity("Repeated", (what: string) => long(what));
const touring = workflow("Touring", async (ctx, input: string) => {
  const result = await ctx.call(repeated, input);
  const event = await ctx.waitForEvent<string>("go");
  return [input, result, event];
});

test("a value of exactly the limit goes everywhere: input, result, event and output", async () => {
  const echo = workflow("Echo", async (ctx, input: string) => {
    const result = await ctx.run("echo", () => input);
    const event = await ctx.waitForEvent<string>("go");
    return result === event ? event : "another";
  });
  const object = started(echo, LARGEST);
  await object.run();
  object.crash();
  object.commands.sendEvent(ID, { event: "go", payload: encode(LARGEST, "it") });
  await object.run();
  const document = object.commands.get(ID);
  expect(document.status).toBe("Completed");
  expect(document.input === LARGEST && document.output === LARGEST).toBe(true);
  expect(partsOf(object.sql)).toHaveLength(4 * 9);
});

test("whatever commit the object dies at, the code gets split values whole, and each part has its cell", async () => {
  const go = encode(long("event"), "it");
  const run = async (faults: ReturnType<typeof crashesAt>) => {
    const object = started(touring, long("input"), { cellBytes, faults });
    for (let times = 0; times < 3 && object.commands.get(ID).status !== "Completed"; times++) {
      await object.run();
      const idempotency = { key: "go", fingerprint: "go" };
      object.commands.sendEvent(ID, { event: "go", payload: go, idempotency });
      await object.run();
    }
    return object;
  };
  const { commits, sql } = await run(crashesAt());
  const usual = partsOf(sql).length;
  const output = [long("input"), long(long("input")), long("event")];
  for (const when of ["before", "after"] as const) {
    for (let commit = 2; commit <= commits; commit++) {
      const object = await run(crashesAt({ commit, when }));
      expect(object.commands.get(ID)).toMatchObject({ status: "Completed", output });
      expect(partsOf(object.sql)).toHaveLength(usual);
    }
  }
});

describe("nothing is left of split values when", () => {
  const waiting = async (): Promise<InProcessObject> => {
    const object = started(touring, long("input"), { cellBytes });
    object.commands.sendEvent(ID, { event: "later", payload: encode(long("later"), "it") });
    await object.run();
    expect(partsOf(object.sql).length).toBeGreaterThan(30);
    return object;
  };

  test("the instance is restarted, but its input", async () => {
    const object = await waiting();
    object.commands.restart(ID, { reason: null });
    const texts = partsOf(object.sql).map(({ text }) => text);
    expect(texts.join("")).toBe(encode(long("input"), "it"));
  });

  test("the instance is replaced", async () => {
    const object = await waiting();
    object.commands.start(startCommand(touring, "short", { onConflict: "replace" }));
    expect(partsOf(object.sql)).toEqual([]);
  });

  test("the instance is purged, and its id started again", async () => {
    const object = await waiting();
    object.commands.purge(ID, { force: true });
    expect(partsOf(object.sql)).toEqual([]);
    object.commands.start(startCommand(touring, long("again")));
    await object.run();
    expect(object.commands.get(ID).input).toBe(long("again"));
  });
});

test("a round leaves nothing of the one before it but kept events", async () => {
  const rounds = workflow("Rounds", async (ctx, { round }: { round: number; more: string }) => {
    await ctx.call(repeated, `round ${round}`);
    if (round < 3) return ctx.continueAsNew({ round: round + 1, more: long("more") });
    return ctx.waitForEvent("kept");
  });
  const object = started(rounds, { round: 1, more: long("more") }, { cellBytes });
  object.commands.sendEvent(ID, { event: "kept", payload: encode(long("kept"), "it") });
  await object.run();
  expect(object.commands.get(ID)).toMatchObject({ status: "Completed", output: long("kept") });
  const texts = partsOf(object.sql).map(({ text }) => text);
  expect(
    texts
      .join("")
      .match(/round \d/g)
      ?.every((round) => round === "round 3"),
  ).toBe(true);
  expect(texts.join("").match(/kept/g)).toHaveLength(2 * 20); // the event, and the output
});

test("a step that is asked with another large input than recorded contradicts its history", async () => {
  const asking = (input: string) =>
    workflow("Asking", async (ctx) => {
      await ctx.call(repeated, input);
      await ctx.waitForEvent("go");
    });
  for (const bound of [cellBytes, LIMITS.cellBytes]) {
    const input = "x".repeat(LIMITS.textAtHandBytes);
    const { object } = await ran(asking(input), undefined, { cellBytes: bound });
    object.deploy([asking(input)]);
    object.commands.sendEvent(ID, { event: "other", payload: "[1]" });
    expect(object.commands.get(ID).status).toBe("Running");
    object.deploy([asking(`${input}y`)]);
    object.commands.sendEvent(ID, { event: "go", payload: "[1]" });
    await object.run(object.clock.now() + 1_000);
    expect(object.commands.get(ID)).toMatchObject({
      status: "Suspended",
      error: { code: "NONDETERMINISM" },
    });
    object.deploy([asking(input)]);
    await object.run();
    expect(object.commands.get(ID).status).toBe("Completed");
  }
});

test("an export of split values fits the code that made them", async () => {
  const { object } = await ran(touring, long("input"), { cellBytes });
  const { steps, input } = object.commands.export(ID, null, 10);
  expect(input).toBe(encode(long("input"), "it"));
  expect(steps[0]?.input).toBe(encode(long("input"), "it"));
  expect(steps[0]?.result).toBe(encode(long(long("input")), "it"));
});

test("a replay of a history of large results holds one of them at a time", async () => {
  const RESULTS = 40;
  let reading = true;
  const hoarding = workflow("Hoarding", async (ctx) => {
    let length = 0;
    for (let index = 0; index < RESULTS; index++) {
      length += (await ctx.run("large", () => "x".repeat(900_000))).length;
    }
    if (reading) await ctx.waitForEvent("go");
    return length;
  });
  const { object } = await ran(hoarding);
  object.crash();
  const loaded: number[] = [];
  const read = object.sql.all.bind(object.sql);
  object.sql.all = (statement, ...bindings) => {
    const rows = read(statement, ...bindings);
    loaded.push(JSON.stringify(rows).length);
    return rows as never;
  };
  reading = false;
  object.commands.sendEvent(ID, { event: "go", payload: "[1]" });
  await object.run();
  expect(object.commands.get(ID)).toMatchObject({ status: "Completed", output: 900_000 * RESULTS });
  expect(loaded.filter((length) => length > 100_000)).toHaveLength(RESULTS);
  expect(Math.max(...loaded)).toBeLessThan(1_000_000);
});
