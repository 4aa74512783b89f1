/**
 * The replay rule (W6) against random racy programs, with the object lost at many commits. What fails
 * prints the program, the seed and the crashes; see CONTRIBUTING for how to run one again.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { Cluster } from "../../src/testing/cluster.ts";
import { type CrashPoint, crashesAt } from "../engine/harness.ts";
import { programs } from "./arbitrary.ts";
import { eventsAreThereOnce, refusedDoNotFit, replaysTheSame, rowsAreSound } from "./invariants.ts";
import { pace } from "./picky.ts";
import { MOCKS, type Program, racy } from "./programs.ts";

const SEED = Number(process.env.SEED ?? 20_261_124);
const RUNS = Number(process.env.RUNS ?? 2_000);

/** When which event is sent, in milliseconds after the start. */
const EVENTS = [
  [0, "a"],
  [4, "b"],
  [7, "a"],
  [40, "a"],
  [90, "b"],
] as const;

/** How many of its short steps share a commit, and what makes them durable. */
type Sharing = Readonly<{ stepsPerCommit: number; gate: "steps" | "effects" }>;

const sharing = fc.record<Sharing>({
  stepsPerCommit: fc.constantFrom(0, 2, 512),
  gate: fc.constantFrom("steps", "effects"),
});

/** Runs a program with events sent on the way, and checks what became of it. */
async function check(
  program: Program,
  crashes: readonly CrashPoint[],
  { stepsPerCommit, gate }: Sharing,
) {
  pace.sleep = async () => {}; // whatever simulation has run before in this process
  const faults = crashesAt(...crashes);
  const options = { workflows: [racy], activities: MOCKS, faults, gate };
  const cluster = new Cluster({ ...options, turn: { stepsPerCommit } });
  const begun = cluster.clock.now();
  const instance = await cluster.start(racy, program);
  for (const [millis, event] of EVENTS) {
    await cluster.run(new Date(begun + millis));
    if (instance.document().completedAt !== null) break;
    instance.send(event, millis);
  }
  await cluster.run(new Date(begun + 86_400_000));
  const { status, error, customStatus } = instance.document();
  expect(error).toBeNull();
  expect(status).toBe("Completed");
  const history = instance.export();
  expect([
    ...rowsAreSound(history),
    ...eventsAreThereOnce(history, new Set()),
    ...(await replaysTheSame(history, customStatus)),
    ...refusedDoNotFit(history),
    ...history.steps.filter(({ state }) => state === "open" || state === "running"),
  ]).toEqual([]);
  return cluster.object(instance.id);
}

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
    fc.asyncProperty(programs, crashPlans, sharing, async (program, plan, shared) => {
      crashes += (await check(program, plan, shared)).crashes;
    }),
    { seed: SEED, numRuns: RUNS },
  );
  expect(crashes).toBeGreaterThan(RUNS);
}, 240_000);

test("a program survives one crash at each of its commits, before it and after it", async () => {
  await fc.assert(
    fc.asyncProperty(programs, sharing, async (program, shared) => {
      const { commits } = await check(program, [], shared);
      for (let commit = 1; commit <= commits; commit++) {
        await check(program, [{ commit, when: "before" }], shared);
        await check(program, [{ commit, when: "after" }], shared);
      }
    }),
    { seed: SEED, numRuns: Math.ceil(RUNS / 20) },
  );
}, 240_000);
