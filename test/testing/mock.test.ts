import { expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import { NonRetryableError } from "../../src/core/failure.ts";
import { workflow } from "../../src/core/workflow.ts";
import { Cluster } from "../../src/testing/cluster.ts";
import { type Mock, type MockContext, mock } from "../../src/testing/mock.ts";

const retry = { maxAttempts: 3, firstInterval: "10 seconds", backoff: 3 } as const;
const charge = activity("Charge", { retry, timeout: "1 minute" }, (_: number): string => {
  throw new NonRetryableError("the real bank is not for tests");
});
const order = workflow("Order", async (ctx, amount: number) => {
  const receipt = await ctx.call(charge, amount);
  return [receipt, await ctx.run("send mail", () => "really sent")];
});

/** Starts an order with these mocks, and runs it to its end. */
async function ran(...activities: readonly Mock[]) {
  const cluster = new Cluster({ workflows: [order], activities });
  const begun = cluster.clock.now();
  const instance = await cluster.start(order, 10);
  await cluster.run();
  return { cluster, instance, seconds: (cluster.clock.now() - begun) / 1_000 };
}

test("a mock runs in place of its activity, with its input and its context", async () => {
  const seen: unknown[] = [];
  const { instance } = await ran(
    mock(charge, async (amount, ctx) => {
      const { attempt, instanceId, executionId, step, idempotencyKey, status, env } = ctx;
      seen.push({ amount, attempt, instanceId, executionId, step, idempotencyKey, env });
      seen.push(status.processingStatus, ctx.signal.aborted);
      return "receipt";
    }),
  );
  expect(instance.output()).toEqual(["receipt", "really sent"]);
  const { executionId } = instance.document();
  expect(seen).toEqual([
    {
      amount: 10,
      attempt: 1,
      instanceId: "Order-1",
      executionId,
      step: "Charge",
      idempotencyKey: `${executionId}:Charge:0`,
      env: {},
    },
    "InProgress",
    false,
  ]);
});

test("an activity without a mock runs as it is, with the cluster's env", async () => {
  const told: unknown[] = [];
  const real = activity("Real", (_, ctx) => told.push(ctx.env));
  const calling = workflow("Calling", (ctx) => ctx.call(real));
  const env: object = { TOKEN: "secret" };
  const cluster = new Cluster({ workflows: [calling], env: env as Cloudflare.Env });
  await cluster.start(calling);
  await cluster.run();
  expect(told).toEqual([{ TOKEN: "secret" }]);
});

test("an inline step is mocked by its name, and so is an activity", async () => {
  const { instance } = await ran(
    mock("Charge", () => "by name"),
    mock("send mail", (input) => [input, "not sent"]),
  );
  expect(instance.output()).toEqual(["by name", [undefined, "not sent"]]);
});

test("a mock by definition comes before one by name, and of two the last counts", async () => {
  const { instance } = await ran(
    mock("Charge", () => "by name"),
    mock(charge, () => "first"),
    mock(charge, () => "last"),
  );
  expect(instance.output()).toEqual(["last", "really sent"]);
});

test("a mock that fails is tried again as the activity's own policy says", async () => {
  const { instance, seconds } = await ran(
    mock(charge, (_, ctx) => {
      if (ctx.attempt < 3) throw new Error("closed");
      return `attempt ${ctx.attempt}`;
    }),
  );
  expect(instance.output()).toEqual(["attempt 3", "really sent"]);
  expect(seconds).toBe(10 + 30);
});

test("a mock that fails each time fails the step after the activity's own number of attempts", async () => {
  const { instance } = await ran(
    mock(charge, () => {
      throw new Error("closed");
    }),
  );
  expect(() => instance.output()).toThrow("Charge failed after 3 attempts: Error: closed");
});

test("a mock's sleep takes the simulation's time, and a checkpoint during it is kept", async () => {
  const { instance, seconds } = await ran(
    mock(charge, async (_, ctx) => {
      await ctx.sleep("20 seconds");
      await ctx.checkpoint("half", { done: 1 });
      await ctx.sleep(5_500);
      return ctx.status.lastProcessedId;
    }),
  );
  expect(instance.output()[0]).toBe("half");
  expect(seconds).toBe(25.5);
  expect(instance.history()[0]).toMatchObject({ step: "Charge", progress: { done: 1 } });
});

test("a mock that sleeps past the activity's timeout is stopped: its late result does not count", async () => {
  const { instance, cluster } = await ran(
    mock(charge, async (_, ctx) => {
      if (ctx.attempt === 1) await ctx.sleep("1 hour");
      ctx.effect(`attempt ${ctx.attempt}, aborted: ${ctx.signal.aborted}`);
      return `attempt ${ctx.attempt}`;
    }),
  );
  expect(instance.output()[0]).toBe("attempt 2");
  expect(cluster.effects.map(({ what }) => what)).toEqual([
    "attempt 2, aborted: false",
    "attempt 1, aborted: true",
  ]);
});

test("a mock asleep when its object is lost never wakes", async () => {
  const told: string[] = [];
  const cluster = new Cluster({
    workflows: [order],
    activities: [
      mock(charge, async (_, ctx: MockContext) => {
        told.push("asleep");
        await ctx.sleep("30 seconds");
        told.push("awake");
        return "receipt";
      }),
    ],
  });
  const instance = await cluster.start(order, 10);
  await cluster.advance("20 seconds");
  expect(instance.evict()).toBe(false); // it works: it is not at rest
  instance.crash();
  await cluster.run();
  expect(told).toEqual(["asleep", "asleep", "awake"]);
  expect(instance.output()[0]).toBe("receipt");
});

test("effects with a key count once for each key, those without each time", async () => {
  const { cluster } = await ran(
    mock(charge, (amount, ctx) => {
      ctx.effect("charged", { key: ctx.idempotencyKey, value: amount });
      ctx.effect("called the bank");
      if (ctx.attempt < 3) throw new Error("the answer was lost");
      return "receipt";
    }),
  );
  const charged = { what: "charged", value: 10, key: expect.stringMatching(/:Charge:0$/) };
  const called = { what: "called the bank", value: undefined, key: undefined };
  expect(cluster.effects).toEqual([charged, called, called, called]);
});
