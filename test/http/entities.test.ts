import { describe, expect, it } from "vitest";
import { problemIn, surface } from "./harness.ts";

const COUNTER = "/v1/entities/Counter/user-1";

describe("the state of an entity", () => {
  it("is answered with who it is of", async () => {
    const response = await surface().send("GET", COUNTER);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      entity: "Counter",
      key: "user-1",
      state: { total: 5 },
    });
  });

  it("is 404 where there is none", async () => {
    const response = await surface().send("GET", "/v1/entities/Counter/nothing");
    await problemIn(response, "ENTITY_NOT_FOUND");
  });

  it("has any printable key, percent-encoded", async () => {
    const response = await surface().send("GET", "/v1/entities/Counter/a%2Fb%20%C3%A9%3F");
    expect(await response.json()).toMatchObject({ key: "a/b é?" });
  });

  it("has no key that no entity can have", async () => {
    const { send } = surface();
    for (const key of ["%0a", "%ff", "a".repeat(257)]) {
      await problemIn(await send("GET", `/v1/entities/Counter/${key}`), "NAME_INVALID");
    }
    await problemIn(await send("GET", "/v1/entities/%20/a"), "NAME_INVALID");
  });

  it("is not written to, and an operation not read", async () => {
    const { send } = surface();
    await problemIn(await send("POST", COUNTER, { body: 5 }), "METHOD_NOT_ALLOWED");
    await problemIn(await send("GET", `${COUNTER}/add`), "METHOD_NOT_ALLOWED");
  });
});

describe("an operation", () => {
  it("is answered 200 with what it returned, and nothing around it", async () => {
    const { send, service } = surface();
    const headers = { "Idempotency-Key": "once" };
    const response = await send("POST", `${COUNTER}/add`, { body: { n: 5 }, headers });
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ n: 5 });
    expect(service.entities.requests).toMatchObject([
      {
        name: "Counter",
        key: "user-1",
        operation: "add",
        input: { n: 5 },
        idempotency: { key: "once", fingerprint: expect.any(String) },
        signal: false,
      },
    ]);
  });

  it("is null where it returned nothing, and takes no body", async () => {
    const { send, service } = surface();
    const response = await send("POST", `${COUNTER}/add`);
    expect([response.status, await response.text()]).toEqual([200, "null"]);
    expect(service.entities.requests).toMatchObject([{ input: undefined }]);
  });

  it("passes a large result on as it comes", async () => {
    const response = await surface().send("POST", `${COUNTER}/add`, { body: '"much"' });
    expect(response.headers.get("Content-Type")).toBe("application/json");
    expect(await response.json()).toEqual(["much"]);
  });

  it("is 202 without a body where it is a signal", async () => {
    const { send, service } = surface();
    const response = await send("POST", `${COUNTER}/add?signal=true`, { body: 5 });
    expect([response.status, await response.text()]).toEqual([202, ""]);
    expect(service.entities.requests).toMatchObject([{ input: 5, signal: true }]);
    await problemIn(await send("POST", `${COUNTER}/add?signal=perhaps`), "QUERY_INVALID");
  });

  it("is 404 where there is none of that name", async () => {
    const response = await surface().send("POST", `${COUNTER}/subtract`, { body: 5 });
    await problemIn(response, "OPERATION_NOT_FOUND");
  });

  it("needs a token that may write; the state one that may read", async () => {
    const { send, service } = surface({ WRITE_TOKENS: "write", READ_TOKENS: "read" });
    const headers = { Authorization: "Bearer read" };
    await problemIn(await send("POST", `${COUNTER}/add`, { body: 5, headers }), "SCOPE_MISSING");
    await problemIn(await send("GET", COUNTER), "UNAUTHENTICATED");
    expect((await send("GET", COUNTER, { headers })).status).toBe(200);
    expect(service.entities.requests).toEqual([]);
  });
});
