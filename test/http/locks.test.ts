/** What requests see of an entity that is locked, and of releases on their way: the surface over a real engine. */
import { expect, it } from "vitest";
import { entity } from "../../src/core/entity.ts";
import { decode, encode, toJson } from "../../src/core/payload.ts";
import { workflow } from "../../src/core/workflow.ts";
import { createApp } from "../../src/http/app.ts";
import { parseAuth } from "../../src/http/auth.ts";
import type { Service } from "../../src/http/service.ts";
import { Cluster } from "../../src/testing/cluster.ts";
import { OPEN, problemIn } from "./harness.ts";
import { RecordingService } from "./recording-service.ts";

const counter = entity("Counter", {
  initial: () => 0,
  operations: { add: (ctx, n: number) => (ctx.state += n) },
});

const holding = workflow("Holding", async (ctx) => {
  await ctx.lock(ctx.entity(counter, "a"));
  await ctx.waitForEvent("go");
  throw new Error("failed in its section");
});

it("shows who holds an entity, answers that it is busy and runs the call later, and refuses a rewind until it is released", async () => {
  let reachable = true;
  const cluster = new Cluster({
    workflows: [holding],
    entities: [counter],
    faults: { message: (object) => (object === "Counter/a" && !reachable ? { lost: true } : {}) },
  });
  await cluster.entity(counter, "a").call("add", 1);
  const holder = await cluster.start(holding, undefined, { id: "holder" });
  await cluster.advance("1 second");

  const { entity: commands } = cluster.object("Counter/a");
  const service: Service = Object.assign(new RecordingService(), {
    entities: {
      state: async (name: string, key: string) => commands.state(name, key),
      call: async ({
        name,
        key,
        operation,
        input,
      }: {
        name: string;
        key: string;
        operation: string;
        input: unknown;
      }) => {
        const called = commands.call({ name, key, operation, input: encode(input, "the input") });
        return { result: toJson(decode(await called)) };
      },
      signal: async () => {},
    },
    rewind: async (_id: string, { to }: { to?: string | null }) => {
      holder.rewind({ to: (to ?? null) as never });
      return holder.document();
    },
  });
  const app = createApp<object, undefined>({
    serviceFor: () => service,
    authFor: parseAuth,
    now: () => cluster.clock.now(),
    log: () => {},
    version: "0.0.1-test",
  });
  const send = (method: string, path: string, body?: unknown) =>
    app.fetch(
      new Request(`https://waymark.test/v1${path}`, {
        method,
        ...(body === undefined
          ? {}
          : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }),
      }),
      OPEN,
      undefined,
    );
  const shown = async () => (await send("GET", "/entities/Counter/a")).json();

  expect(await shown()).toMatchObject({ state: 1, lockedBy: "holder" });
  const call = send("POST", "/entities/Counter/a/add", 5);
  await new Promise(setImmediate);
  await cluster.advance("61 seconds");
  const busy = await call;
  expect(busy.status).toBe(503);
  await problemIn(busy, "ENTITY_BUSY");
  expect(await shown()).toMatchObject({ state: 1, waiting: 1 });

  reachable = false;
  holder.send("go");
  await cluster.advance("1 second");
  expect(holder.document().status).toBe("Failed");
  const held = await send("POST", "/instances/holder/rewind", { to: "lock" });
  expect(held.status).toBe(409);
  await problemIn(held, "LOCKS_HELD");

  reachable = true;
  await cluster.advance("2 minutes");
  expect(await shown()).toMatchObject({ state: 6, waiting: 0 });
  expect(await shown()).not.toHaveProperty("lockedBy");
  expect((await send("POST", "/instances/holder/rewind", { to: "lock" })).status).toBe(202);
});
