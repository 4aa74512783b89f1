import { describe, expect, it } from "vitest";
import { WaymarkError } from "../../src/core/errors.ts";
import { LIMITS } from "../../src/core/limits.ts";
import type { StartRequest } from "../../src/http/service.ts";
import { problemIn, START, surface } from "./harness.ts";
import { NOW } from "./recording-service.ts";

async function startWith(body: unknown): Promise<StartRequest> {
  const { send, service } = surface();
  const response = await send("POST", START, { body });
  expect(response.status).toBe(202);
  return service.onlyCall().arguments[0] as StartRequest;
}

/** The detail of the refusal, of which the service must hear nothing. */
async function refusalOf(body: unknown, code: Parameters<typeof problemIn>[1], path = START) {
  const { send, service } = surface();
  const { detail } = await problemIn(await send("POST", path, { body }), code);
  expect(service.calls).toEqual([]);
  return detail;
}

describe("the workflows", () => {
  it("are listed", async () => {
    const response = await surface().send("GET", "/v1/workflows");
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ items: surface().service.workflows() });
  });
});

describe("a start", () => {
  it("answers 202 with the instance and where it is", async () => {
    const { send } = surface();
    const response = await send("POST", START, { body: { id: "a:b@c", tags: { customer: "42" } } });
    expect(response.status).toBe(202);
    const self = "/v1/instances/a%3Ab%40c";
    expect(response.headers.get("Location")).toBe(self);
    expect(await response.json()).toMatchObject({
      id: "a:b@c",
      workflow: "MigrateRecords",
      tags: { customer: "42" },
      links: { self, history: `${self}/history` },
    });
    expect((await send("GET", self)).status).toBe(200);
  });

  it("answers 200 with the instance there is where that was asked for", async () => {
    const { send } = surface();
    await send("POST", START, { body: { id: "a" } });
    const again = { id: "a", onConflict: "existing" };
    const response = await send("POST", START, { body: again });
    expect(response.status).toBe(200);
    expect(response.headers.get("Location")).toBe("/v1/instances/a");
    expect(await response.json()).toMatchObject({ id: "a", links: { self: "/v1/instances/a" } });
  });

  it("answers 409 where the id is taken", async () => {
    const { send } = surface();
    await send("POST", START, { body: { id: "a" } });
    await problemIn(await send("POST", START, { body: { id: "a" } }), "INSTANCE_EXISTS");
  });

  it("answers 404 for a workflow nobody registered", async () => {
    const response = await surface().send("POST", "/v1/workflows/Other/instances");
    await problemIn(response, "WORKFLOW_NOT_FOUND");
  });

  it("waits for the end as many seconds as it is asked to, and answers with what it is then", async () => {
    const { send, service } = surface();
    const response = await send("POST", `${START}?wait=0.25`, { body: { id: "a" } });
    expect(service.calls.map(({ method }) => method)).toEqual(["start", "get"]);
    expect(service.calls[1]?.arguments).toEqual(["a", 250]);
    expect(response.status).toBe(202);
    expect(response.headers.get("Location")).toBe("/v1/instances/a");
    service.become("a", { status: "Completed", output: 42 });
    const existing = { id: "a", onConflict: "existing" };
    const again = await send("POST", `${START}?wait=60`, { body: existing });
    expect(again.status).toBe(200);
    expect(await again.json()).toMatchObject({
      status: "Completed",
      output: 42,
      links: { self: "/v1/instances/a" },
    });
  });

  it("lets go of a large document of an instance that was there, where another is answered", async () => {
    const { send, service } = surface();
    await send("POST", START, { body: { id: "a" } });
    let cancelled = 0;
    const json = new ReadableStream<Uint8Array>({ cancel: () => void cancelled++ });
    service.start = async () => ({ created: false, document: { json } });
    const response = await send("POST", `${START}?wait=1`, { body: { id: "a" } });
    expect(await response.json()).toMatchObject({ id: "a" });
    expect(cancelled).toBe(1);
  });

  it("does not wait where it was refused, nor where it is asked to wait 0 seconds", async () => {
    const { send, service } = surface();
    await send("POST", `${START}?wait=0`, { body: { id: "a" } });
    await problemIn(
      await send("POST", `${START}?wait=9`, { body: { id: "a" } }),
      "INSTANCE_EXISTS",
    );
    expect(service.calls.map(({ method }) => method)).toEqual(["start", "start"]);
  });

  it("is answered as it was started where the wait for its end fails", async () => {
    for (const code of ["INSTANCE_NOT_FOUND", "INSTANCE_BUSY"] as const) {
      const { send, service } = surface();
      service.failWith(new WaymarkError(code, "it is not there"), "get");
      const response = await send("POST", `${START}?wait=9`, { body: { id: "a" } });
      expect(response.status).toBe(202);
      expect(await response.json()).toMatchObject({ id: "a", status: "Pending" });
    }
    const { send, service } = surface();
    service.failWith(new TypeError("a bug"), "get");
    await problemIn(await send("POST", `${START}?wait=9`, { body: { id: "a" } }), "INTERNAL");
  });

  for (const query of ["wait=61", "wait=-1", "wait=soon", "onConflict=existing"]) {
    it(`may not be asked for with ?${query}`, async () => {
      const { send, service } = surface();
      await problemIn(await send("POST", `${START}?${query}`), "QUERY_INVALID");
      expect(service.calls).toEqual([]);
    });
  }

  it("needs no body, and has its defaults then", async () => {
    for (const body of [undefined, "", {}]) {
      expect(await startWith(body)).toEqual({
        workflow: "MigrateRecords",
        id: expect.any(String),
        input: undefined,
        tags: {},
        onConflict: "reject",
      });
    }
  });

  it("hands on what the body says", async () => {
    const input = { list: [1, null, { deep: "é" }] };
    const body = { id: "a", input, tags: { "": "x" }, onConflict: "replace" };
    expect(await startWith({ ...body, tags: { k: "" } })).toEqual({
      workflow: "MigrateRecords",
      id: "a",
      input,
      tags: { k: "" },
      onConflict: "replace",
    });
    expect((await startWith({ input: null })).input).toBeNull();
  });

  it("decodes the workflow's name, and refuses one that cannot be", async () => {
    const { send, service } = surface();
    await send("POST", "/v1/workflows/Migrate%20Records/instances");
    expect(service.onlyCall().arguments[0]).toMatchObject({ workflow: "Migrate Records" });
    for (const name of ["%2Fetc", "a%2Fb", "%00", "-a", "%zz", "%E2%82", "n".repeat(129)]) {
      await refusalOf({}, "NAME_INVALID", `/v1/workflows/${name}/instances`);
    }
  });
});

describe("a start's body", () => {
  it("may not have a field nobody knows, and the error names it", async () => {
    expect(await refusalOf({ inputs: 1 }, "BODY_INVALID")).toBe('unknown field "inputs"');
    await refusalOf('{"__proto__": {}}', "BODY_INVALID");
  });

  it("must be an object", async () => {
    for (const body of ["[]", "null", '"text"', "7"]) await refusalOf(body, "BODY_INVALID");
  });

  it("may not have a field of another type, and the error names it", async () => {
    for (const [field, value] of [
      ["id", 7],
      ["id", null],
      ["startAt", 1_769_851_800_000],
      ["onConflict", "ignore"],
    ] as const) {
      expect(await refusalOf({ [field]: value }, "BODY_INVALID")).toContain(`"${field}"`);
    }
  });

  it("may not have an id no instance can have", async () => {
    for (const id of ["", "a b", "a/b", "-a", "é", "a".repeat(LIMITS.instanceIdLength + 1)]) {
      await refusalOf({ id }, "INSTANCE_ID_INVALID");
    }
    const longest = "a".repeat(LIMITS.instanceIdLength);
    expect((await startWith({ id: longest })).id).toBe(longest);
  });

  it("gets an error of bounded size, however large its faults", async () => {
    const body = Object.fromEntries(
      Array.from({ length: 999 }, (_, n) => [`${"x".repeat(99)}${n}`, n]),
    );
    expect((await refusalOf(body, "BODY_INVALID")).length).toBeLessThan(1_500);
  });
});

describe("startAt", () => {
  it("is a time in ISO 8601 with its zone", async () => {
    expect((await startWith({ startAt: "2026-02-01T00:00:00Z" })).startAt).toBe(1_769_904_000_000);
    const zoned = await startWith({ startAt: "2026-02-01T02:00:00.250+02:00" });
    expect(zoned.startAt).toBe(1_769_904_000_250);
  });

  it("may be past", async () => {
    expect((await startWith({ startAt: "1999-12-31T23:59:59Z" })).startAt).toBe(946_684_799_000);
  });

  it("may not be anything else", async () => {
    for (const startAt of [
      "",
      "tomorrow",
      "2026-02-01",
      "2026-02-01T00:00:00",
      "2026-02-30T00:00:00Z",
    ]) {
      expect(await refusalOf({ startAt }, "BODY_INVALID")).toContain("ISO 8601");
    }
  });

  it("may be as far ahead as a timer, and no further", async () => {
    const at = (ahead: number) => new Date(NOW + ahead).toISOString();
    const farthest = await startWith({ startAt: at(LIMITS.timerMillis) });
    expect(farthest.startAt).toBe(NOW + LIMITS.timerMillis);
    const detail = await refusalOf({ startAt: at(LIMITS.timerMillis + 1) }, "BODY_INVALID");
    expect(detail).toContain("startAt");
  });
});

describe("tags", () => {
  const many = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`tag-${index}`, "x"]));

  it("may be as many and as long as the limits say", async () => {
    const tags = {
      ...many(LIMITS.tags - 1),
      ["n".repeat(LIMITS.tagNameLength)]: "v".repeat(LIMITS.tagValueLength),
    };
    expect((await startWith({ tags })).tags).toEqual(tags);
  });

  for (const [name, tags] of [
    ["one too many", many(LIMITS.tags + 1)],
    ["a name too long", { ["n".repeat(LIMITS.tagNameLength + 1)]: "v" }],
    ["a name without a character", { "": "v" }],
    ["a value too long", { n: "v".repeat(LIMITS.tagValueLength + 1) }],
    ["a value that is no text", { n: 1 }],
    ["a control character", { n: "a\u0000b" }],
    ["half a character", { n: "\ud800" }],
    ["a list", ["a"]],
    ["a text", "a"],
    ["null", null],
    ["the name __proto__", JSON.parse('{"__proto__": "v"}')],
  ] as const) {
    it(`may not be or have ${name}`, async () => {
      await refusalOf({ tags }, "TAGS_INVALID");
    });
  }

  it("do not hide that the rest of the body is wrong too", async () => {
    const detail = await refusalOf({ tags: { n: 1 }, other: 1 }, "BODY_INVALID");
    expect(detail).toContain('"tags.n"');
    expect(detail).toContain('"other"');
  });
});
