/**
 * The replay rule (W6) against random racy programs, with the object lost at many commits. What fails
 * prints the program, the seed and the crashes; see CONTRIBUTING for how to run one again.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { decode } from "../../src/core/payload.ts";
import { InstanceStore } from "../../src/store/instance-store.ts";
import type { StepRow } from "../../src/store/rows.ts";
import { StepStore } from "../../src/store/step-store.ts";
import { InProcessObject } from "../../src/testing/in-process-object.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { type CrashPoint, crashesAt, ID, startCommand } from "../engine/harness.ts";
import { type Program, programs, workflowOf } from "./programs.ts";
import { replayHistory } from "./replay-history.ts";

const SEED = Number(process.env.SEED ?? 20_261_124);
const RUNS = Number(process.env.RUNS ?? 2_000);

/** Runs a program with events sent on the way, and says what became of it. */
async function outcomeOf(program: Program, crashes: readonly CrashPoint[]) {
  const clock = new VirtualClock();
  const workflow = workflowOf(program, clock);
  const object = new InProcessObject({
    workflows: [workflow],
    clock,
    faults: crashesAt(...crashes),
  });
  const begun = clock.now();
  const command = startCommand(workflow);
  while (object.commands.start({ ...command, onConflict: "existing" }) && !object.commit());
  for (const [millis, event] of [
    [0, "a"],
    [4, "b"],
    [7, "a"],
    [40, "a"],
    [90, "b"],
  ] as const) {
    await object.run(begun + millis);
    const payload = JSON.stringify([millis]);
    if (object.commands.get(ID).completedAt !== null) break;
    // Sent until it is acknowledged, as a client would; the key makes it one event.
    const idempotency = { key: payload, fingerprint: payload };
    while (object.commands.sendEvent(ID, { event, payload, idempotency }) && !object.commit());
  }
  await object.run(begun + 86_400_000);
  const instance = new InstanceStore(object.sql).read();
  const rows = new StepStore(object.sql).ended();
  return { object, workflow, instance, rows };
}

async function check(program: Program, crashes: readonly CrashPoint[]) {
  const { object, workflow, instance, rows } = await outcomeOf(program, crashes);
  const document = object.commands.get(ID);
  expect(document.error).toBeNull();
  expect(document.status).toBe("Completed");
  if (instance === undefined || instance.output === null) throw new Error("no instance");
  expect(rows.map((row) => row.seq)).toEqual(rows.map((_, index) => index + 1));
  expect(new Set(rows.map((row) => row.step)).size).toBe(rows.length);
  const events = rows.filter((row) => row.kind === "event" && row.state === "done");
  expect(new Set(events.map((row) => row.result)).size).toBe(events.length);
  expect(new StepStore(object.sql).unended().filter(isOpen)).toEqual([]);
  const replayed = await replayHistory(workflow, instance, rows);
  expect(replayed.divergence).toBeUndefined();
  expect(replayed.end).toEqual({ ok: true, output: decode(instance.output) });
  return object;
}

const isOpen = (row: StepRow): boolean => row.state === "open" || row.state === "running";

/** Which commits are followed by a crash, and which are lost to one. */
const crashPlans = fc
  .array(fc.constantFrom("before", "after", "none", "none"), { minLength: 10, maxLength: 60 })
  .map((plan): CrashPoint[] =>
    plan.flatMap((when, index) =>
      when === "before" || when === "after" ? [{ commit: index + 1, when }] : [],
    ),
  );

test(`${RUNS} random racy programs replay to the same end, whatever was lost on the way`, async () => {
  let crashes = 0;
  await fc.assert(
    fc.asyncProperty(programs, crashPlans, async (program, plan) => {
      crashes += (await check(program, plan)).crashes;
    }),
    { seed: SEED, numRuns: RUNS },
  );
  expect(crashes).toBeGreaterThan(RUNS);
}, 240_000);

test("a program survives one crash at each of its commits, before it and after it", async () => {
  await fc.assert(
    fc.asyncProperty(programs, async (program) => {
      const { commits } = await check(program, []);
      for (let commit = 1; commit <= commits; commit++) {
        await check(program, [{ commit, when: "before" }]);
        await check(program, [{ commit, when: "after" }]);
      }
    }),
    { seed: SEED, numRuns: Math.ceil(RUNS / 20) },
  );
}, 240_000);
