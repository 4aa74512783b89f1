import { describe, expect, it } from "vitest";
import { ERROR_CODES, type ErrorCode, WaymarkError } from "../../src/core/errors.ts";
import { createApp } from "../../src/http/app.ts";
import { parseAuth } from "../../src/http/auth.ts";
import { OPEN, problemIn, surface, surfaceWith } from "./harness.ts";

describe("an error of the service", () => {
  for (const code of Object.keys(ERROR_CODES) as ErrorCode[]) {
    const { status } = ERROR_CODES[code];
    it(`${code} is answered ${status}`, async () => {
      const { send, service, logged } = await surfaceWith("a");
      service.failWith(new WaymarkError(code, "what happened"));
      const response = await send("GET", "/v1/instances/a");
      const { detail } = await problemIn(response, code);
      expect(detail).toBe(code === "INTERNAL" ? "the Worker's log says why" : "what happened");
      const again = status === 429 || status === 503 ? "1" : null;
      expect(response.headers.get("Retry-After")).toBe(again);
      expect(logged).toHaveLength(status >= 500 ? 1 : 0);
    });
  }
});

describe("an error nobody expected", () => {
  it("tells the client nothing and the log everything", async () => {
    const { send, service, logged } = await surfaceWith("a");
    const cause = new Error("SQLITE_FULL");
    service.failWith(new Error("secret insides", { cause }));
    const response = await send("POST", "/v1/instances/a/terminate");
    const problem = await problemIn(response, "INTERNAL");
    expect(JSON.stringify(problem)).not.toContain("secret");
    expect(logged).toEqual([
      {
        event: "http.failed",
        code: "INTERNAL",
        method: "POST",
        path: "/v1/instances/a/terminate",
        type: "Error",
        message: "secret insides",
        cause: "SQLITE_FULL",
        stack: expect.stringContaining("secret insides"),
      },
    ]);
  });

  for (const code of ["ENTITY_FAILED", "HANDLER_FAILED"] as const) {
    it(`tells the client, and not the log, what the user's code says: ${code}`, async () => {
      const { send, service, logged } = await surfaceWith("a");
      service.failWith(new WaymarkError(code, "told s3cret"));
      const response = await send("GET", "/v1/workflows");
      expect(JSON.stringify(await problemIn(response, code))).toContain("told s3cret");
      expect(logged).toEqual([expect.objectContaining({ code, message: "[sensitive]" })]);
      expect(JSON.stringify(logged)).not.toContain("s3cret");
    });
  }

  for (const thrown of [
    "a text",
    undefined,
    null,
    Object.create(null),
    { code: "INSTANCE_NOT_FOUND" },
  ]) {
    it(`is answered whatever was thrown: ${JSON.stringify(thrown)}`, async () => {
      const { send, service, logged } = await surfaceWith("a");
      service.failWith(thrown);
      const response = await send("GET", "/v1/workflows");
      await problemIn(response, "INTERNAL");
      expect(response.headers.get("Cache-Control")).toBe("no-store");
      expect(logged).toHaveLength(1);
    });
  }

  it("is answered where the service or the configuration cannot be had", async () => {
    const failing = () => {
      throw new Error("no binding");
    };
    const options = { serviceFor: failing, now: () => 0, log: () => {}, version: "1" };
    const request = () => new Request("https://waymark.test/v1/workflows");
    const withoutService = createApp({ ...options, authFor: parseAuth });
    await problemIn(await withoutService.fetch(request(), OPEN, undefined), "INTERNAL");
    const withoutAuth = createApp({ ...options, authFor: failing });
    await problemIn(await withoutAuth.fetch(request(), OPEN, undefined), "INTERNAL");
  });
});

describe("the headers of every answer", () => {
  it("keep what lies below /v1 out of caches, and types from being guessed", async () => {
    const { send } = await surfaceWith("a");
    for (const path of ["/v1/workflows", "/v1/instances/a", "/v1/instances/b", "/v1/nothing"]) {
      const { headers } = await send("GET", path);
      expect(headers.get("Cache-Control")).toBe("no-store");
      expect(headers.get("X-Content-Type-Options")).toBe("nosniff");
    }
    for (const path of ["/health", "/openapi.json", "/nothing"]) {
      const { headers } = await send("GET", path);
      expect(headers.get("Cache-Control")).toBeNull();
      expect(headers.get("X-Content-Type-Options")).toBe("nosniff");
    }
    const refused = await surface({}).send("GET", "/v1/workflows");
    expect(refused.headers.get("Cache-Control")).toBe("no-store");
  });
});

describe("health", () => {
  it("and the OpenAPI document are answered also where a parameter is repeated", async () => {
    for (const path of ["/health?probe=1&probe=2", "/openapi.json?v=1&v=2"]) {
      expect((await surface({}).send("GET", path)).status).toBe(200);
    }
  });

  it("answers ok with the version, whatever the query", async () => {
    const response = await surface({}).send("GET", "/health?probe=1");
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ status: "ok", version: "0.0.1-test" });
  });
});
