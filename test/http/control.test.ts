import { describe, expect, it } from "vitest";
import { LIMITS } from "../../src/core/limits.ts";
import { problemIn, surface, surfaceWith } from "./harness.ts";

describe.each([
  ["suspend", "Suspended"],
  ["resume", "Running"],
  ["cancel", "Running"],
  ["terminate", "Terminated"],
])("%s", (verb, status) => {
  const path = `/v1/instances/a/${verb}`;

  it("is answered 202 with the instance", async () => {
    const { send, service } = await surfaceWith("a");
    const response = await send("POST", path, { body: { reason: "why", recursive: true } });
    expect(response.status).toBe(202);
    expect(await response.json()).toMatchObject({ status, links: { self: "/v1/instances/a" } });
    expect(service.onlyCall()).toEqual({
      method: verb,
      arguments: ["a", { reason: "why", recursive: true }, undefined],
    });
  });

  it("needs no body", async () => {
    const { send, service } = await surfaceWith("a");
    expect((await send("POST", path)).status).toBe(202);
    expect(service.onlyCall().arguments).toEqual(["a", { reason: null }, undefined]);
  });

  it("takes a reason up to the limit, and no other field", async () => {
    const { send } = await surfaceWith("a");
    const longest = "r".repeat(LIMITS.failureMessageLength);
    expect((await send("POST", path, { body: { reason: longest } })).status).toBe(202);
    for (const body of [
      { reason: `${longest}r` },
      { reason: 1 },
      { recursive: "yes" },
      { why: "" },
    ]) {
      await problemIn(await send("POST", path, { body }), "BODY_INVALID");
    }
  });

  it("is answered 404 where there is no instance", async () => {
    await problemIn(await surface().send("POST", path), "INSTANCE_NOT_FOUND");
  });
});

describe("a rewind", () => {
  const path = "/v1/instances/a/rewind";

  it("is answered 202 with the instance, and says where to go back to", async () => {
    const { send, service } = await surfaceWith("a");
    const response = await send("POST", path, { body: { reason: "why", to: "charge:a b" } });
    expect(response.status).toBe(202);
    expect(await response.json()).toMatchObject({ id: "a", status: "Running" });
    const { method, arguments: given } = service.onlyCall();
    expect([method, ...given]).toEqual([
      "rewind",
      "a",
      { reason: "why", to: "charge:a b" },
      undefined,
    ]);
  });

  it("with dryRun only asks what it would do", async () => {
    const { send, service } = await surfaceWith("a");
    const response = await send("POST", path, { body: { dryRun: true } });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ steps: [{ step: "charge" }] });
    expect(service.onlyCall()).toEqual({ method: "previewRewind", arguments: ["a", null] });
  });

  it("takes nothing else", async () => {
    const { send } = await surfaceWith("a");
    const long = "x".repeat("undo/".length + LIMITS.nameLength + LIMITS.stepKeyLength + 2);
    for (const body of [
      { id: "b" },
      { recursive: true },
      { to: 1 },
      { to: long },
      { dryRun: "yes" },
    ]) {
      await problemIn(await send("POST", path, { body }), "BODY_INVALID");
    }
  });
});

describe("a terminate", () => {
  const path = "/v1/instances/a/terminate";

  it("may ask that what has begun is undone first", async () => {
    const { send, service } = await surfaceWith("a");
    await send("POST", path, { body: { reason: "why", compensate: true } });
    const asked = { reason: "why", compensate: true };
    expect(service.onlyCall().arguments).toEqual(["a", asked, undefined]);
  });

  it("takes nothing but a boolean for that, and no other verb takes it", async () => {
    const { send } = await surfaceWith("a");
    await problemIn(await send("POST", path, { body: { compensate: "yes" } }), "BODY_INVALID");
    const cancel = "/v1/instances/a/cancel";
    await problemIn(await send("POST", cancel, { body: { compensate: true } }), "BODY_INVALID");
  });
});

describe("a restart", () => {
  const path = "/v1/instances/a/restart";

  it("is answered 202 with the instance and its address", async () => {
    const { send, service } = await surfaceWith("a");
    const response = await send("POST", path, { body: { reason: "why" } });
    expect(response.status).toBe(202);
    expect(response.headers.get("Location")).toBe("/v1/instances/a");
    expect(await response.json()).toMatchObject({ id: "a", status: "Pending" });
    expect(service.onlyCall().arguments).toEqual(["a", { reason: "why" }, undefined]);
  });

  it("may run under another id", async () => {
    const { send, service } = await surfaceWith("a");
    const response = await send("POST", path, { body: { id: "b" } });
    expect(response.headers.get("Location")).toBe("/v1/instances/b");
    expect(service.onlyCall().arguments).toEqual(["a", { reason: null, as: "b" }, undefined]);
    await problemIn(await send("POST", path, { body: { id: "no/id" } }), "INSTANCE_ID_INVALID");
  });

  it("takes no other field", async () => {
    const { send } = await surfaceWith("a");
    for (const body of [{ dryRun: true }, { recursive: true }, { id: 1 }]) {
      await problemIn(await send("POST", path, { body }), "BODY_INVALID");
    }
  });
});

describe("a fork", () => {
  const path = "/v1/instances/a/fork";

  it("is answered 202 with the new instance and its address", async () => {
    const { send, service } = await surfaceWith("a");
    const body = { reason: "why", to: "charge#2", id: "b", version: "2" };
    const response = await send("POST", path, { body });
    expect(response.status).toBe(202);
    expect(response.headers.get("Location")).toBe("/v1/instances/b");
    expect(await response.json()).toMatchObject({ id: "b", forkedFrom: { id: "a" } });
    const asked = { reason: "why", to: "charge#2", as: "b", version: "2" };
    expect(service.onlyCall().arguments).toEqual(["a", asked, undefined]);
  });

  it("has an id of its own where none is given: the same for each request with a key", async () => {
    const ids = async (key: string | undefined) => {
      const { send } = await surfaceWith("a");
      const headers = key === undefined ? {} : { "Idempotency-Key": key };
      const response = await send("POST", path, { body: {}, headers });
      return response.headers.get("Location");
    };
    expect(await ids("k")).toBe(await ids("k"));
    expect(await ids("k")).not.toBe(await ids("other"));
    expect(await ids(undefined)).not.toBe(await ids(undefined));
  });

  it("takes no other field, and no id that there cannot be", async () => {
    const { send, service } = await surfaceWith("a");
    for (const body of [{ dryRun: true }, { id: 1 }, { recursive: true }, { version: 2 }]) {
      await problemIn(await send("POST", path, { body }), "BODY_INVALID");
    }
    await problemIn(await send("POST", path, { body: { id: "no/id" } }), "INSTANCE_ID_INVALID");
    expect(service.calls).toEqual([]);
  });

  it("needs the write scope", async () => {
    const { send, service } = surface({ READ_TOKENS: "reader" });
    const headers = { Authorization: "Bearer reader" };
    await problemIn(await send("POST", path, { headers }), "SCOPE_MISSING");
    expect(service.calls).toEqual([]);
  });
});

describe("a purge", () => {
  const path = "/v1/instances/a";

  it("is answered 204 with nothing, and takes no body", async () => {
    const { send, service } = await surfaceWith("a");
    const response = await send("DELETE", path);
    expect(response.status).toBe(204);
    expect(await response.text()).toBe("");
    expect(service.onlyCall()).toEqual({
      method: "purge",
      arguments: ["a", { force: false, recursive: false }],
    });
  });

  it("may be asked to end the instance first", async () => {
    for (const [query, force, recursive] of [
      ["force=true", true, false],
      ["force=false", false, false],
      ["force=true&recursive=true", true, true],
    ] as const) {
      const { send, service } = await surfaceWith("a");
      expect((await send("DELETE", `${path}?${query}`)).status).toBe(204);
      expect(service.onlyCall().arguments).toEqual(["a", { force, recursive }]);
    }
    for (const query of ["force", "force=1", "force=yes", "forced=true"]) {
      const { send, service } = await surfaceWith("a");
      await problemIn(await send("DELETE", `${path}?${query}`), "QUERY_INVALID");
      expect(service.calls).toEqual([]);
    }
  });

  it("needs the write scope", async () => {
    const { send, service } = surface({ READ_TOKENS: "reader" });
    const headers = { Authorization: "Bearer reader" };
    await problemIn(await send("DELETE", path, { headers }), "SCOPE_MISSING");
    expect(service.calls).toEqual([]);
  });
});
