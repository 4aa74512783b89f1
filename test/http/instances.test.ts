import { describe, expect, it } from "vitest";
import { LIMITS } from "../../src/core/limits.ts";
import { problemIn, surface, surfaceWith } from "./harness.ts";

describe("reading an instance", () => {
  it("answers its document with links", async () => {
    const { send, service } = await surfaceWith("a");
    const response = await send("GET", "/v1/instances/a");
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      id: "a",
      status: "Pending",
      links: { self: "/v1/instances/a", history: "/v1/instances/a/history" },
    });
    expect(service.onlyCall().arguments).toEqual(["a", 0]);
  });

  it("answers HEAD with the same headers and no body", async () => {
    const { send } = await surfaceWith("a");
    const response = await send("HEAD", "/v1/instances/a");
    expect(response.status).toBe(200);
    expect(response.headers.get("Content-Type")).toBe("application/json");
    expect(await response.text()).toBe("");
    const missing = await send("HEAD", "/v1/instances/b");
    expect(missing.status).toBe(404);
    expect(await missing.text()).toBe("");
  });

  it("waits as many seconds as it is asked to", async () => {
    const { send, service } = await surfaceWith("a");
    for (const wait of ["0", "30", "60", "0.25"]) await send("GET", `/v1/instances/a?wait=${wait}`);
    const waits = service.calls.map((call) => call.arguments[1]);
    expect(waits).toEqual([0, 30_000, LIMITS.waitSeconds * 1_000, 250]);
  });

  for (const query of [
    "wait=61",
    "wait=60.001",
    "wait=-1",
    "wait=",
    "wait",
    "wait=abc",
    "wait=1e1",
    "wait=0x10",
    "wait=%2030",
    "wait=NaN",
    "wait=Infinity",
    "wait=1&wait=2",
    "wiat=30",
    "limit=1",
    "__proto__=1",
  ]) {
    it(`may not be asked with ?${query}`, async () => {
      const { send, service } = await surfaceWith("a");
      await problemIn(await send("GET", `/v1/instances/a?${query}`), "QUERY_INVALID");
      expect(service.calls).toEqual([]);
    });
  }

  it("answers 404 where there is none", async () => {
    const { send } = surface();
    for (const path of ["/v1/instances/a", "/v1/instances/a/history", "/v1/instances/a/export"]) {
      await problemIn(await send("GET", path), "INSTANCE_NOT_FOUND");
    }
  });
});

describe("a history", () => {
  it("answers a page of a hundred from the start where nothing else is asked", async () => {
    const { send, service } = await surfaceWith("a");
    const response = await send("GET", "/v1/instances/a/history");
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ items: [], cursor: null });
    expect(service.onlyCall().arguments).toEqual(["a", 100, null]);
  });

  it("takes a limit and the cursor of the page before", async () => {
    const { send, service } = await surfaceWith("a");
    await send(
      "GET",
      "/v1/instances/a/history?limit=1&cursor=6f1c1f9e-2d1b-4f57-9c43-0a8f6f5f0c11:42",
    );
    await send("GET", `/v1/instances/a/history?limit=${LIMITS.historyPage}`);
    expect(service.calls.map((call) => call.arguments)).toEqual([
      ["a", 1, "6f1c1f9e-2d1b-4f57-9c43-0a8f6f5f0c11:42"],
      ["a", LIMITS.historyPage, null],
    ]);
  });

  for (const query of [
    "limit=0",
    `limit=${LIMITS.historyPage + 1}`,
    "limit=1.5",
    "limit=-1",
    "limit=",
    "limit=ten",
    "cursor=",
    "cursor=abc",
    "cursor=42",
    "cursor=:42",
    "cursor=a:-1",
    "cursor=a:1&cursor=a:2",
    "page=2",
  ]) {
    it(`may not be asked with ?${query}`, async () => {
      const { send, service } = await surfaceWith("a");
      await problemIn(await send("GET", `/v1/instances/a/history?${query}`), "QUERY_INVALID");
      expect(service.calls).toEqual([]);
    });
  }
});

describe("an export", () => {
  it("is as large a page as there is, where nothing else is asked", async () => {
    const { send, service } = await surfaceWith("a");
    const response = await send("GET", "/v1/instances/a/export");
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ format: 1, id: "a", steps: [], cursor: null });
    expect(service.onlyCall().arguments).toEqual(["a", LIMITS.historyPage, null]);
  });

  it("takes a limit and the cursor of the page before", async () => {
    const { send, service } = await surfaceWith("a");
    await send(
      "GET",
      "/v1/instances/a/export?limit=7&cursor=6f1c1f9e-2d1b-4f57-9c43-0a8f6f5f0c11:42",
    );
    expect(service.onlyCall().arguments).toEqual([
      "a",
      7,
      "6f1c1f9e-2d1b-4f57-9c43-0a8f6f5f0c11:42",
    ]);
  });
});

describe("an event", () => {
  it("is answered 202 with its receipt", async () => {
    const { send, service } = await surfaceWith("a");
    const response = await send("POST", "/v1/instances/a/events/approval", { body: { ok: true } });
    expect(response.status).toBe(202);
    expect(await response.json()).toEqual({
      instanceId: "a",
      executionId: "execution-1",
      event: "approval",
      eventId: 1,
    });
    expect(service.onlyCall().arguments).toEqual(["a", "approval", { ok: true }, undefined]);
  });

  it("may carry any JSON, or nothing", async () => {
    const { send, service } = await surfaceWith("a");
    for (const body of ["null", "7", '"text"', "[1]", "false", undefined, ""]) {
      await send("POST", "/v1/instances/a/events/go", { body });
    }
    const payloads = service.calls.map((call) => call.arguments[2]);
    expect(payloads).toEqual([null, 7, "text", [1], false, undefined, undefined]);
  });

  it("has a name that is decoded and checked", async () => {
    const { send, service } = await surfaceWith("a");
    await send("POST", "/v1/instances/a/events/four%20eyes");
    expect(service.onlyCall().arguments[1]).toBe("four eyes");
    for (const name of ["%2F", "a%23b", "%zz", "-", "n".repeat(LIMITS.nameLength + 1)]) {
      const response = await send("POST", `/v1/instances/a/events/${name}`);
      await problemIn(response, "NAME_INVALID");
    }
    expect(service.calls).toHaveLength(1);
  });
});
