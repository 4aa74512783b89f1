import { describe, expect, test } from "vitest";
import { entity } from "../../src/core/entity.ts";
import { workflow } from "../../src/core/workflow.ts";
import { Cluster, type ClusterOptions } from "../../src/testing/cluster.ts";
import { leftBehind } from "../../src/testing/left-behind.ts";
import { FIRST } from "./secrets.ts";

/** An entity whose `hold` ends when the gate opens, and what is sent to it behind that. */
async function busy(options: Partial<ClusterOptions> = {}) {
  let open = () => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const counter = entity("Counter", {
    initial: () => 0,
    timeout: "5 minutes",
    operations: {
      hold: async () => {
        await gate;
      },
      add: (ctx, n: number) => (ctx.state += n),
    },
  });
  const holding = workflow("Holding", async (ctx) => {
    await using _lock = await ctx.lock(ctx.entity(counter, "a"));
    await ctx.waitForEvent("go");
    void ctx.entity(counter, "a").signal.hold();
    void ctx.entity(counter, "a").signal.add(100);
  });
  const next = workflow("Next", async (ctx) => {
    await using _lock = await ctx.lock(ctx.entity(counter, "a"));
    return await ctx.entity(counter, "a").add(1);
  });
  const cluster = new Cluster({ workflows: [holding, next], entities: [counter], ...options });
  const holder = await cluster.start(holding, undefined, { id: "holder" });
  await cluster.advance("1 second");
  const waiting = await cluster.start(next, undefined, { id: "next" });
  return { cluster, holder, waiting, open };
}

describe("what the holder has sent stays in its section", () => {
  test("where it is asked whether it holds the lock as its release is in the queue already", async () => {
    let probes = 0;
    const { cluster, holder, waiting, open } = await busy({
      faults: {
        message: (object, what) => {
          if (object !== "holder" || !what.includes("probe")) return {};
          probes++;
          return { delayMillis: 8_000 };
        },
      },
    });
    await cluster.advance("32 seconds");
    expect(probes).toBe(1);
    holder.send("go");
    await cluster.advance("20 seconds");
    expect(holder.document().status).toBe("Completed");
    open();
    await cluster.run();
    expect(waiting.output()).toBe(101);
    expect(leftBehind(cluster)).toEqual([]);
  });
});

test("a lock is not given without its grant, where that cannot be written for want of a key", async () => {
  let missing = false;
  const { cluster, holder, waiting, open } = await busy({
    codec: {
      ...FIRST,
      encode: (text, place) => {
        if (missing && place.column === "outbox.content" && place.object === "Counter/a") {
          throw new Error("no key");
        }
        return FIRST.encode(text, place);
      },
      decode: (text, place) => FIRST.decode(text, place),
    },
  });
  await cluster.advance("1 second");
  holder.send("go");
  await cluster.advance("1 second");
  missing = true;
  open();
  await cluster.advance("1 minute");
  expect(waiting.document().status).toBe("Running");
  missing = false;
  await cluster.advance("1 hour");
  expect(waiting.document().status).toBe("Completed");
  expect(waiting.output()).toBe(101);
});
