/** Requests to an instance through faults: what a client sends until it is answered happens once. */
import { describe, expect, test } from "vitest";
import { workflow } from "../../src/core/workflow.ts";
import { Cluster } from "../../src/testing/cluster.ts";
import type { CrashMoment, Faults, MessageFate } from "../../src/testing/faults.ts";

const ID = "collecting";

/** Takes what comes within an hour. */
const collecting = workflow("Collecting", async (ctx) => {
  const taken: unknown[] = [];
  try {
    for (;;) taken.push(await ctx.waitForEvent("item", { timeout: "1 hour" }));
  } catch {
    return taken;
  }
});

/** A cluster with one collecting instance; the faults begin after its start. */
async function collected(faults: Faults) {
  let plan: Faults = {};
  const cluster = new Cluster({
    workflows: [collecting],
    faults: {
      crash: (...at) => plan.crash?.(...at) ?? false,
      message: (...at) => plan.message?.(...at) ?? {},
    },
  });
  const instance = await cluster.start(collecting, undefined, { id: ID });
  await cluster.advance("1 second");
  plan = faults;
  return { cluster, instance };
}

/** Sends an event as a client does that knows idempotency keys, or as one that does not. */
function send(cluster: Cluster, payload: string, key?: string) {
  const idempotency = key === undefined ? {} : { idempotency: { key, fingerprint: payload } };
  const command = { event: "item", payload: `["${payload}"]`, ...idempotency };
  const begun = cluster.clock.now();
  return cluster
    .send(ID, { what: `item ${payload}`, request: (to) => to.sendEvent(ID, command) })
    .then((receipt) => ({ ...receipt, millis: cluster.clock.now() - begun }));
}

/** The fate of the first message alone. */
const firstly = (fate: MessageFate): Faults => {
  const fates = [fate];
  return { message: () => fates.shift() ?? {} };
};

/** Loses the object at the first moment that fits. */
function crashOnce(fits: (moment: CrashMoment) => boolean): Faults {
  let left = 1;
  return { crash: (_object, moment) => fits(moment) && left-- > 0 };
}

const commit = (when: "before" | "after") => (moment: CrashMoment) =>
  moment.kind === "commit" && moment.when === when;

describe("a message with an idempotency key", () => {
  const faults: [name: string, faults: Faults, millis: number][] = [
    ["arrives at once where nothing goes wrong", firstly({}), 0],
    ["that is lost is sent again after half a second", firstly({ lost: true }), 500],
    [
      "that is not answered is sent again, and has its effect once",
      firstly({ unanswered: true }),
      500,
    ],
    ["that arrives twice has its effect once", firstly({ doubled: true }), 0],
    ["that is delayed arrives so much later", firstly({ delayMillis: 2_500 }), 2_500],
    [
      "whose object is lost before it answers is sent again",
      crashOnce(({ kind }) => kind === "await"),
      500,
    ],
    ["whose object is lost before the commit is sent again", crashOnce(commit("before")), 500],
    ["whose object is lost after the commit has its effect once", crashOnce(commit("after")), 500],
  ];
  test.each(faults)("%s", async (_, plan, millis) => {
    const { cluster, instance } = await collected(plan);
    const sent = send(cluster, "a", "key 1");
    await cluster.run();
    expect(await sent).toMatchObject({ instanceId: ID, event: "item", millis });
    expect(instance.output()).toEqual(["a"]);
  });

  test("gets the answer of the first time, whichever of them arrived", async () => {
    const { cluster } = await collected(firstly({ unanswered: true }));
    const [first, again] = [send(cluster, "a", "key 1"), send(cluster, "a", "key 1")];
    await cluster.run();
    expect((await first).eventId).toBe((await again).eventId);
  });
});

test("a message without a key happens as often as it arrives", async () => {
  const { cluster, instance } = await collected(firstly({ doubled: true, unanswered: true }));
  void send(cluster, "a");
  await cluster.run();
  expect(instance.output()).toEqual(["a", "a", "a"]);
});

test("a message that is refused is answered with the error", async () => {
  const { cluster, instance } = await collected({});
  instance.terminate();
  const refused = expect(send(cluster, "a", "key 1")).rejects.toMatchObject({
    code: "INSTANCE_TERMINAL",
  });
  await cluster.run();
  await refused;
});

test("the plan is asked with the object and what is sent, each time anew", async () => {
  const asked: string[] = [];
  const { cluster } = await collected({
    message: (object, what) => ({ lost: asked.push(`${object}: ${what}`) < 3 }),
  });
  void send(cluster, "a", "key 1");
  await cluster.run();
  expect(asked).toEqual(Array.from({ length: 3 }, () => "collecting: item a"));
});

describe("what a test itself asks of an instance", () => {
  test.each(["before", "after"] as const)(
    "happens once, though the object is lost %s its commit",
    async (when) => {
      const { cluster, instance } = await collected(crashOnce(commit(when)));
      instance.send("item", "a");
      expect(cluster.trace.filter(({ kind }) => kind === "crash")).toHaveLength(1);
      await cluster.run();
      expect(instance.output()).toEqual(["a"]);
    },
  );

  test.each(["before", "after"] as const)(
    "replaces an instance, though the object is lost %s the commit of the start",
    async (when) => {
      const { cluster, instance } = await collected(crashOnce(commit(when)));
      const { executionId } = instance.document();
      const options = { id: ID, onConflict: "replace" } as const;
      await cluster.start(collecting, undefined, options);
      expect(cluster.trace.filter(({ kind }) => kind === "crash")).toHaveLength(1);
      expect(instance.document().executionId).not.toBe(executionId);
      expect(instance.document().status).toBe("Pending");
      instance.send("item", "b");
      await cluster.run();
      expect(instance.output()).toEqual(["b"]);
    },
  );
});
