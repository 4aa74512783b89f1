/** What a request does where the object of its instance goes away under it. */
import { describe, expect, test } from "vitest";
import { WaymarkError } from "../../src/core/errors.ts";
import { createRegistry, workflow } from "../../src/core/workflow.ts";
import { createInstanceService } from "../../src/objects/instance-service.ts";
import type { InstanceRpc } from "../../src/objects/workflow-instance.ts";

/** As the platform tells of a reset, and as it tells of an abort: `long-poll.test.ts` in workerd meets it. */
const RESET = Object.assign(new Error("reset"), { durableObjectReset: true });
const ABORTED = new Error("Application called abortAllDurableObjects().");

/** A service whose objects break so many calls, each with that error, and then answer; and the calls. */
function breaking(times: number, error: Error) {
  const calls: string[] = [];
  const reply = (value: unknown) => async () => {
    calls.push("call");
    if (calls.length <= times) throw error;
    return value;
  };
  const answer = reply({ ok: true, value: "the answer" });
  const object = { get: answer, history: answer, export: answer, sendEvent: answer, call: answer };
  const find = () => object as unknown as InstanceRpc;
  return { calls, service: createInstanceService(createRegistry([]), find) };
}

const thrownBy = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => null,
    (error: unknown) => error,
  );

describe.each([
  ["a reset, which says that it is one", RESET],
  ["an abort, which does not", ABORTED],
])("%s", (_what, error) => {
  test.each(["get", "history", "export"] as const)(
    "lets a %s be asked again, three times in all",
    async (verb) => {
      for (const [times, calls] of [
        [0, 1],
        [2, 3],
        [9, 3],
      ] as const) {
        const broken = breaking(times, error);
        const asked =
          verb === "get" ? broken.service.get("i", 0) : broken.service[verb]("i", 10, null);
        const thrown = await thrownBy(asked);
        expect([times, broken.calls.length, thrown === null]).toEqual([times, calls, times < 3]);
      }
    },
  );

  test("lets a call with a key be asked again, and none without: it may have been an update", async () => {
    const idempotency = { key: "a", fingerprint: "b" };
    const keyed = breaking(2, error);
    expect(await thrownBy(keyed.service.call("i", "add", 1, 1_000, idempotency))).toBeNull();
    expect(keyed.calls).toHaveLength(3);
    const other = breaking(1, error);
    expect(await thrownBy(other.service.call("i", "add", 1, 1_000, undefined))).not.toBeNull();
    expect(other.calls).toHaveLength(1);
  });

  test("does not let an event be sent again: it may have arrived", async () => {
    const broken = breaking(1, error);
    expect(await thrownBy(broken.service.sendEvent("i", "go", 1, undefined))).not.toBeNull();
    expect(broken.calls).toHaveLength(1);
  });
});

test("a read that a reset breaks each time is answered INSTANCE_BUSY, and any other with its error", async () => {
  const busy = await thrownBy(breaking(9, RESET).service.get("i", 0));
  expect(busy).toMatchObject({ code: "INSTANCE_BUSY", cause: RESET });
  expect(await thrownBy(breaking(9, ABORTED).service.get("i", 0))).toBe(ABORTED);
});

test("an error that is the answer is not asked for again", async () => {
  const broken = breaking(9, new WaymarkError("INSTANCE_NOT_FOUND", "there is none"));
  expect(await thrownBy(broken.service.get("i", 0))).toMatchObject({ code: "INSTANCE_NOT_FOUND" });
  expect(broken.calls).toHaveLength(1);
});

describe("a start, of which the code begins at once", () => {
  /** A service whose object breaks the first start with that error, and what it was sent. */
  function starting(error?: unknown, times = 1) {
    const sent: { readonly atOnce: boolean; readonly executionId: string }[] = [];
    const object = {
      given: async () => ({
        ok: true,
        value: { workflow: "W", input: "null", tags: {}, sensitive: false },
      }),
      start: async (command: (typeof sent)[number]) => {
        sent.push(command);
        if (error !== undefined && sent.length <= times) throw error;
        return { ok: true, value: { created: true, document: "the document" } };
      },
    };
    const find = () => object as unknown as InstanceRpc;
    const registry = createRegistry([workflow("W", () => null)]);
    const service = createInstanceService(registry, find);
    const start = () =>
      service.start({ workflow: "W", id: "i", input: null, tags: {}, onConflict: "reject" });
    return { sent, service, start };
  }

  test("is sent once where it is answered", async () => {
    const { sent, start } = starting();
    expect(await start()).toMatchObject({ created: true });
    expect(sent).toMatchObject([{ atOnce: true }]);
  });

  test.each([
    ["a reset", RESET],
    ["an abort", ABORTED],
  ])(
    "is sent again after %s, for the same execution, to be stored before its code begins",
    async (_what, error) => {
      for (const verb of ["start", "restart"]) {
        const { sent, service, start } = starting(error);
        if (verb === "start") await start();
        else await service.restart("other", { reason: null, as: "i" }, undefined);
        expect(sent).toMatchObject([{ atOnce: true }, { atOnce: false }]);
        const [first, second] = sent;
        expect(first?.executionId).toMatch(/^[0-9a-f-]{36}$/);
        expect(second?.executionId).toBe(first?.executionId);
      }
    },
  );

  test("is answered INSTANCE_BUSY where that is lost as well, or the object has too much to do", async () => {
    const twice = starting(RESET, 2);
    expect(await thrownBy(twice.start())).toMatchObject({ code: "INSTANCE_BUSY" });
    expect(twice.sent).toHaveLength(2);
    const overloaded = starting(Object.assign(new Error("overloaded"), { overloaded: true }));
    expect(await thrownBy(overloaded.start())).toMatchObject({ code: "INSTANCE_BUSY" });
    expect(overloaded.sent).toHaveLength(1);
  });

  test("is not sent again where the object has refused it", async () => {
    const { sent, start } = starting(new WaymarkError("INSTANCE_EXISTS", "there is one"));
    expect(await thrownBy(start())).toMatchObject({ code: "INSTANCE_EXISTS" });
    expect(sent).toHaveLength(1);
  });
});
