/** Values that a careless condition takes for nothing, on every way that a value can go. */
import { expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import { decode, encode } from "../../src/core/payload.ts";
import { workflow } from "../../src/core/workflow.ts";
import { Cluster } from "../../src/testing/cluster.ts";
import type { Faults } from "../../src/testing/faults.ts";
import { atEachCommit, type CrashPoint } from "./harness.ts";

/** With the JSON that shows them, where that is another value. */
const VALUES: readonly [string, unknown, string?][] = [
  ["zero", 0],
  ["minus zero", -0],
  ["NaN", Number.NaN],
  ["zero as bigint", 0n, '"0"'],
  ["empty text", ""],
  ["false", false],
  ["null", null],
  ["undefined", undefined, "null"],
  ["an empty array", []],
  ["an empty object", {}],
];

const echo = activity("Echo", (value: unknown) => value);
const echoing = workflow("Echoing", async (ctx, value: unknown) => ctx.call(echo, value));

/** Takes a value along every way there is, and returns it. What it was on the way is the input of its last step. */
const travelling = workflow("Travelling", async (ctx, input: unknown) => {
  ctx.setStatus(input);
  const hops: { [hop: string]: unknown } = { input };
  hops.activity = await ctx.call(echo, input);
  hops.inline = await ctx.run("inline", () => input);
  hops.child = await ctx.call(echoing, input, { id: "child" });
  [hops.mapped] = await ctx.map([input], echo);
  hops.event = await ctx.waitForEvent("value");
  hops.sent = (await Promise.all([ctx.waitForEvent("own"), ctx.sendEvent("p", "own", input)]))[0];
  await ctx.call(echo, hops, { key: "hops" });
  return input;
});

const HOPS = ["input", "activity", "inline", "child", "mapped", "event", "sent"];

/** Loses one object at one of its commits; whatever rests is evicted. */
const losing = (name: string, { commit, when }: CrashPoint): Faults => ({
  evicted: () => true,
  crash: (object, moment) =>
    object === name && moment.kind === "commit" && moment.commit === commit && moment.when === when,
});

test.each(VALUES)(
  "%s is what it was after each hop, whatever commit of parent or child is lost",
  async (_what, value, json = JSON.stringify(value)) => {
    const stored = encode(value, "a value");
    const run = async (lost: string, point: CrashPoint) => {
      const workflows = [travelling, echoing];
      const cluster = new Cluster({ workflows, faults: losing(lost, point) });
      const instance = await cluster.start(travelling, value, { id: "p" });
      await cluster.advance("1 minute");
      instance.send("value", value);
      await cluster.run();
      const { status, input, output, customStatus } = instance.document();
      expect([lost, point, status]).toEqual([lost, point, "Completed"]);
      const shown = [input, output, customStatus].map((one) => JSON.stringify(one));
      expect(shown).toEqual([json, json, json]);
      expect(instance.output()).toStrictEqual(value);
      const noted = instance.export().steps.find(({ step }) => step === "Echo:hops");
      const hops = decode(noted?.result ?? "") as { readonly [hop: string]: unknown };
      expect(Object.keys(hops)).toEqual(HOPS);
      for (const hop of HOPS) expect([hop, encode(hops[hop], hop)]).toEqual([hop, stored]);
      expect(cluster.stuck()).toEqual([]);
      return cluster.object(lost);
    };
    for (const lost of ["p", "child"]) {
      expect(await atEachCommit((point) => run(lost, point))).toBeGreaterThan(2);
    }
  },
);
