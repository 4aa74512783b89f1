/** Suspensions that come while steps run side by side, and resumes that come before these have ended. */
import { describe, expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import { workflow } from "../../src/core/workflow.ts";
import { checkHistory } from "../../src/engine/check-history.ts";
import type { InProcessObject } from "../../src/testing/in-process-object.ts";
import { ask } from "../../src/testing/network.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { atEachCommit, type CrashPoint, crashesAt, ID, started } from "./harness.ts";

const SECOND = 1_000;

const suspend = (object: InProcessObject) =>
  ask(object, (commands) => commands.suspend(ID, { reason: null }));

const resume = (object: InProcessObject) =>
  ask(object, (commands) => commands.resume(ID, { reason: null }));

const read = (object: InProcessObject) => object.commands.get(ID);
const items = (object: InProcessObject) => object.commands.history(ID, null, 99).items;
const inOrder = (object: InProcessObject) =>
  items(object).toSorted((one, other) => (one.seq ?? 0) - (other.seq ?? 0));

/**
 * Three activities at once, which end after 30, 10 and 20 seconds, and one more after each of them. What
 * the code gets is its output, in the order in which it got it; each start of an attempt is noted with its second.
 */
function lanes(...crashes: readonly CrashPoint[]) {
  const clock = new VirtualClock();
  const begun = clock.now();
  const starts: string[] = [];
  const work = activity("Work", async ({ name, seconds }: { name: string; seconds: number }) => {
    starts.push(`${name} at ${(clock.now() - begun) / SECOND}`);
    await clock.sleep(seconds * SECOND);
    return name;
  });
  const three = workflow("Three", async (ctx) => {
    const got: string[] = [];
    const lane = async (name: string, seconds: number) => {
      got.push(await ctx.call(work, { name, seconds }));
      got.push(await ctx.call(work, { name: `after ${name}`, seconds: 1 }));
    };
    await Promise.all([lane("a", 30), lane("b", 10), lane("c", 20)]);
    return got;
  });
  const object = started(three, undefined, { clock, faults: crashesAt(...crashes) });
  const until = (seconds: number) => object.run(begun + seconds * SECOND);
  return { object, three, starts, until };
}

const BEGUN = ["a at 0", "b at 0", "c at 0"];
const ALL = ["a", "after a", "after b", "after c", "b", "c"];

/** What the code has got, which is what is recorded, in its order: all of it, once, and no lane back to front. */
function expectWhole(object: InProcessObject): void {
  const { status, output } = read(object);
  expect(status).toBe("Completed");
  const got = output as string[];
  expect(got.toSorted()).toEqual(ALL);
  expect(inOrder(object).map(({ result }) => result)).toEqual(got);
  for (const lane of ["a", "b", "c"]) {
    expect(got.indexOf(lane)).toBeLessThan(got.indexOf(`after ${lane}`));
  }
}

describe("an instance that is suspended while steps run side by side", () => {
  test("lets them all go on and records them as they end, and starts nothing after them", async () => {
    const { object, starts, until } = lanes();
    await until(5);
    suspend(object);
    await until(3_600);
    expect(inOrder(object).map(({ seq, result }) => [seq, result])).toEqual([
      [1, "b"],
      [2, "c"],
      [3, "a"],
    ]);
    expect(read(object)).toMatchObject({ status: "Suspended", waitingFor: [] });
    expect(starts).toEqual(BEGUN);
    expect(object.alarm).toBeNull();
    expect(object.memory).toEqual({ naps: 0, settling: 0, steps: [] });
    resume(object);
    await object.run();
    expect(read(object).output).toEqual(["b", "c", "a", "after b", "after c", "after a"]);
    expect(starts.slice(3)).toEqual(
      ["after b", "after c", "after a"].map((one) => `${one} at 3600`),
    );
  });

  test("goes on at once with what has come when it is resumed while others still run", async () => {
    const { object, starts, until } = lanes();
    await until(5);
    suspend(object);
    await until(15);
    expect(starts).toEqual(BEGUN);
    resume(object);
    await object.run();
    expect(starts.slice(3)).toEqual(["after b at 15", "after c at 20", "after a at 30"]);
    expect(read(object).output).toEqual(["b", "after b", "c", "after c", "a", "after a"]);
  });

  test.each([15, 60])(
    "and resumed after %d seconds, gets each result once and in order, whatever commit it is lost at",
    async (resumedAt) => {
      const commits = await atEachCommit(async (point) => {
        const { object, three, starts, until } = lanes(point);
        await until(5);
        suspend(object);
        const before = [...starts];
        await until(resumedAt);
        expect([point, read(object).status, starts]).toEqual([point, "Suspended", before]);
        const { cursor: _cursor, ...history } = object.commands.export(ID, null, 99);
        expect(await checkHistory(three, history)).toMatchObject({ fits: true });
        resume(object);
        await object.run();
        expectWhole(object);
        expect(object.alarm).toBeNull();
        return object;
      });
      expect(commits).toBeGreaterThan(8);
    },
  );
});

describe("a resume that comes before the instance has come to rest", () => {
  test("changes nothing: no attempt is stopped, begun twice, or late", async () => {
    const undisturbed = lanes();
    await undisturbed.object.run();
    const { object, starts, until } = lanes();
    await until(5);
    for (let times = 0; times < 3; times++) {
      expect(suspend(object).status).toBe("Suspended");
      expect(resume(object).status).toBe("Running");
      await until(6 + times);
    }
    object.commands.suspend(ID, { reason: null }); // both in one commit
    object.commands.resume(ID, { reason: null });
    await object.run();
    expect(starts).toEqual(undisturbed.starts);
    expect(read(object)).toMatchObject({ status: "Completed" });
    expect(read(object).output).toEqual(undisturbed.object.commands.get(ID).output);
  });

  test("is kept where memory is lost before it, or after it: the attempts begin again", async () => {
    for (const lost of ["before", "after"]) {
      const { object, starts, until } = lanes();
      await until(5);
      suspend(object);
      if (lost === "before") object.crash();
      resume(object);
      if (lost === "after") object.crash();
      expect(object.alarm).toBeLessThanOrEqual(object.clock.now());
      await object.run();
      expectWhole(object);
      expect(starts.slice(0, 6)).toEqual([...BEGUN, "a at 5", "b at 5", "c at 5"]);
      expect(starts).toHaveLength(9);
    }
  });

  test("comes to the same end whatever commit the object is lost at", async () => {
    const commits = await atEachCommit(async (point) => {
      const { object, until } = lanes(point);
      await until(5);
      suspend(object);
      resume(object);
      await object.run();
      expectWhole(object);
      expect(object.alarm).toBeNull();
      return object;
    });
    expect(commits).toBeGreaterThan(8);
  });
});
