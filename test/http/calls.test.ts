import { describe, expect, it } from "vitest";
import { LIMITS } from "../../src/core/limits.ts";
import { problemIn, surfaceWith } from "./harness.ts";

const path = "/v1/instances/a/calls/add";
const DEFAULT_WAIT = LIMITS.callWaitSeconds * 1_000;

describe("a call", () => {
  it("is answered with the handler's reply alone", async () => {
    const { send, service } = await surfaceWith("a");
    const response = await send("POST", path, { body: { item: "tea" } });
    expect([response.status, await response.json()]).toEqual([200, { total: 42 }]);
    expect(service.onlyCall()).toEqual({
      method: "call",
      arguments: ["a", "add", { item: "tea" }, DEFAULT_WAIT, undefined],
    });
  });

  it("is answered with the bytes of a large reply", async () => {
    const { send } = await surfaceWith("a");
    const response = await send("POST", "/v1/instances/a/calls/large");
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(await response.json()).toBe("large");
  });

  it("that takes longer than the wait is answered 202 with what it is called", async () => {
    const { send, service } = await surfaceWith("a");
    const response = await send("POST", "/v1/instances/a/calls/slow?wait=0.5", { body: 1 });
    expect(response.status).toBe(202);
    expect(await response.json()).toMatchObject({ call: "slow", step: "slow()#1" });
    expect(service.onlyCall().arguments).toEqual(["a", "slow", 1, 500, undefined]);
  });

  it("waits for a minute at most", async () => {
    const { send } = await surfaceWith("a");
    for (const wait of ["61", "-1", "x", ""]) {
      await problemIn(await send("POST", `${path}?wait=${wait}`), "QUERY_INVALID");
    }
    expect((await send("POST", `${path}?wait=60`)).status).toBe(200);
  });

  it("takes names that a handler may have, decoded", async () => {
    const { send, service } = await surfaceWith("a");
    await send("POST", "/v1/instances/a/calls/add%20one");
    expect(service.onlyCall().arguments[1]).toBe("add one");
    for (const name of ["a%2Fb", "%20", "a()", `${"n".repeat(LIMITS.nameLength + 1)}`]) {
      const response = await send("POST", `/v1/instances/a/calls/${name}`);
      await problemIn(response, "NAME_INVALID");
    }
  });
});
