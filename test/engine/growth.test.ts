/** A history that nears a bound is told of, while there is room to go on in another execution. */
import { expect, test } from "vitest";
import { LIMITS } from "../../src/core/limits.ts";
import type { LogEvent } from "../../src/core/log.ts";
import { encode } from "../../src/core/payload.ts";
import { workflow } from "../../src/core/workflow.ts";
import { Growth } from "../../src/engine/growth.ts";
import { stepRow } from "../store/tables.ts";
import { crashesAt, ID, ran, started } from "./harness.ts";

const PART = LIMITS.historyBytes / 48;
const MANY = (LIMITS.steps * 3) / 4;

/** So many results of a 48th of what a history may have. */
const hoarding = workflow("Hoarding", async (ctx, results: number) => {
  const text = "x".repeat(PART - '[""]'.length);
  for (let index = 0; index < results; index++) {
    await ctx.run("large", () => text);
    await ctx.sleep("1 second");
  }
  await ctx.waitForEvent("go");
});

const told = (logs: readonly LogEvent[]) => logs.filter(({ event }) => event === "history.large");

test("three quarters of the bytes are told once, with what to do, and no step before", async () => {
  const { object } = await ran(hoarding, 35);
  expect(told(object.logs)).toEqual([]);
  const larger = await ran(hoarding, 40);
  expect(told(larger.object.logs)).toEqual([
    expect.objectContaining({
      instance: ID,
      limit: LIMITS.historyBytes,
      advice: expect.stringContaining("ctx.continueAsNew"),
    }),
  ]);
  const bytes = told(larger.object.logs)[0]?.bytes;
  expect(bytes).toBeGreaterThanOrEqual(LIMITS.historyBytes * 0.75);
  expect(bytes).toBeLessThan(LIMITS.historyBytes * 0.75 + 2 * PART);
});

test("a replay does not tell it again, and one that passes it tells it", async () => {
  const object = started(hoarding, 40);
  const tells = () => told(object.logs).length;
  await object.run(object.clock.now() + 20_500);
  expect(tells()).toBe(0);
  object.crash();
  await object.run();
  expect(tells()).toBe(1);
  object.crash();
  object.commands.sendEvent(ID, { event: "go", payload: encode(1, "it") });
  await object.run();
  expect(object.commands.get(ID).status).toBe("Completed");
  expect(tells()).toBe(1);
});

test("a step that a crash undoes is not told of", async () => {
  const { object } = await ran(hoarding, 37);
  const commits = object.commits;
  for (const back of [1, 2, 3, 4]) {
    const faults = crashesAt({ commit: commits - back, when: "before" });
    const again = (await ran(hoarding, 37, { faults })).object;
    expect(again.crashes).toBe(1);
    expect(told(again.logs)).toHaveLength(1);
  }
}, 60_000);

test("a new round begins with no bytes behind it", async () => {
  const rounds = workflow("Rounds", async (ctx, round: number) => {
    for (let index = 0; index < 20; index++) await ctx.run("large", () => "x".repeat(PART));
    return round < 3 ? ctx.continueAsNew(round + 1) : round;
  });
  const { object, document } = await ran(rounds, 1);
  expect(document).toMatchObject({ status: "Completed", output: 3 });
  expect(told(object.logs)).toEqual([]);
});

test("three quarters of the steps are told once", () => {
  const fields: unknown[] = [];
  const growth = new Growth([], (told) => fields.push(told));
  growth.add(MANY - 1, 1);
  expect(fields).toEqual([]);
  growth.add(MANY, 1);
  growth.add(MANY + 1, 1);
  expect(fields).toEqual([expect.objectContaining({ steps: MANY, limit: LIMITS.steps })]);
});

test("steps that were recorded before are counted, in whatever order they ended", () => {
  const fields: unknown[] = [];
  const rows = [MANY, MANY - 5].map((asked, index) => {
    const row = stepRow({ seq: index + 1, asked, input: '["é"]', result: null });
    return { ...row, id: index + 1, sensitive: 0, inline: 0 };
  });
  const growth = new Growth(rows, (told) => fields.push(told));
  expect(growth.ended).toBe(2);
  growth.add(MANY + 1, LIMITS.historyBytes - 12); // each of the two has six bytes
  expect(fields).toEqual([expect.objectContaining({ bytes: LIMITS.historyBytes })]);
  expect(growth.overgrown).toBe(false);
  growth.add(MANY - 1, 1);
  expect(growth.overgrown).toBe(true);
});
