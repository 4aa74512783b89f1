import { describe, expect, it } from "vitest";
import { parseAuth } from "../../src/http/auth.ts";
import { problemIn, START, surface } from "./harness.ts";

const TOKENS = { WRITE_TOKENS: "write-1, write-2", READ_TOKENS: "read-1" };

const bearer = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } });

describe("the configuration", () => {
  it("takes several tokens of each scope, and ignores blanks around and between them", () => {
    expect(parseAuth({ WRITE_TOKENS: " a ,, b,", READ_TOKENS: "c" })).toEqual({
      mode: "tokens",
      writeTokens: ["a", "b"],
      readTokens: ["c"],
    });
  });

  it("is off only where AUTH is exactly none", () => {
    expect(parseAuth({ AUTH: "none" }).mode).toBe("none");
    for (const AUTH of ["None", "none ", "", "off", true, null, undefined]) {
      expect(parseAuth({ AUTH }).mode).toBe("tokens");
    }
  });

  it("has no token where the variables are missing, blank or no text", () => {
    const none = { mode: "tokens", writeTokens: [], readTokens: [] };
    expect(parseAuth({})).toEqual(none);
    expect(parseAuth({ WRITE_TOKENS: " , ", READ_TOKENS: 7 })).toEqual(none);
  });
});

describe("without a configured token", () => {
  for (const env of [{}, { WRITE_TOKENS: "", READ_TOKENS: " , " }, { AUTH: "NONE" }]) {
    it(`everything below /v1 is refused: ${JSON.stringify(env)}`, async () => {
      const { send, service } = surface(env);
      for (const token of ["", "undefined", "write-1"]) {
        const response = await send("GET", "/v1/workflows", bearer(token));
        await problemIn(response, "AUTH_NOT_CONFIGURED");
        expect(response.headers.get("WWW-Authenticate")).toBe("Bearer");
      }
      expect(service.calls).toEqual([]);
    });
  }

  it("everything is let in where AUTH is none", async () => {
    const { send } = surface({ AUTH: "none" });
    expect((await send("GET", "/v1/workflows")).status).toBe(200);
    expect((await send("POST", START)).status).toBe(202);
  });
});

describe("a page in a browser, where AUTH is none", () => {
  it("may be one of the Worker's own origin", async () => {
    const headers = { Origin: "https://waymark.test" };
    expect((await surface({ AUTH: "none" }).send("POST", START, { headers })).status).toBe(202);
  });

  for (const Origin of ["https://evil.test", "https://waymark.test.evil.test", "null"]) {
    it(`may not be of the origin ${Origin}`, async () => {
      const { send, service } = surface({ AUTH: "none" });
      await problemIn(await send("POST", START, { headers: { Origin } }), "UNAUTHENTICATED");
      expect(service.calls).toEqual([]);
    });
  }
});

describe("the scopes", () => {
  const READ = ["GET", "/v1/workflows"] as const;
  const WRITE = ["POST", START] as const;

  for (const token of ["write-1", "write-2"]) {
    it(`${token} may read and write`, async () => {
      const { send } = surface(TOKENS);
      expect((await send(...READ, bearer(token))).status).toBe(200);
      expect((await send("HEAD", "/v1/workflows", bearer(token))).status).toBe(200);
      expect((await send(...WRITE, bearer(token))).status).toBe(202);
    });
  }

  it("a read token may read, and is told that it may not write", async () => {
    const { send, service } = surface(TOKENS);
    expect((await send(...READ, bearer("read-1"))).status).toBe(200);
    expect((await send("HEAD", "/v1/workflows", bearer("read-1"))).status).toBe(200);
    service.calls.length = 0;
    for (const method of ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
      await problemIn(await send(method, START, bearer("read-1")), "SCOPE_MISSING");
    }
    expect(service.calls).toEqual([]);
  });

  it("a token of both scopes may write", async () => {
    const { send } = surface({ WRITE_TOKENS: "both", READ_TOKENS: "both" });
    expect((await send(...WRITE, bearer("both"))).status).toBe(202);
  });

  it("nobody may write where only read tokens are configured", async () => {
    const { send } = surface({ READ_TOKENS: "read-1" });
    await problemIn(await send(...WRITE, bearer("read-1")), "SCOPE_MISSING");
    await problemIn(await send(...WRITE, bearer("write-1")), "UNAUTHENTICATED");
  });
});

describe("a request that brings no good token", () => {
  const HEADERS: Record<string, string> = {
    "another token": "Bearer write-3",
    "the beginning of a token": "Bearer write-",
    "a token and more": "Bearer write-1x",
    "a token in another case": "Bearer WRITE-1",
    "two tokens": "Bearer write-1 write-2",
    "the whole list": "Bearer write-1,write-2",
    "no token after the scheme": "Bearer",
    "another scheme": "Basic d3JpdGUtMQ==",
    "the token alone": "write-1",
  };

  for (const [name, Authorization] of Object.entries(HEADERS)) {
    it(`is refused with ${name}`, async () => {
      const { send, service } = surface(TOKENS);
      const response = await send("GET", "/v1/workflows", { headers: { Authorization } });
      await problemIn(response, "UNAUTHENTICATED");
      expect(response.headers.get("WWW-Authenticate")).toBe("Bearer");
      expect(service.calls).toEqual([]);
    });
  }

  it("is refused without the header", async () => {
    await problemIn(await surface(TOKENS).send("GET", "/v1/workflows"), "UNAUTHENTICATED");
  });

  it("is let in with the scheme in any case, and blanks around the token", async () => {
    const { send } = surface(TOKENS);
    const headers = { Authorization: "bearer   write-1 " };
    expect((await send("GET", "/v1/workflows", { headers })).status).toBe(200);
  });
});

describe("what is guarded", () => {
  it("is everything below /v1, so that nobody learns which routes there are", async () => {
    const { send } = surface(TOKENS);
    for (const path of ["/v1", "/v1/", "/v1/nothing", "/v1/instances/%zz", "/v1/workflows/"]) {
      for (const method of ["GET", "POST", "DELETE"]) {
        await problemIn(await send(method, path), "UNAUTHENTICATED");
      }
    }
    await problemIn(await send("DELETE", "/v1/workflows"), "UNAUTHENTICATED");
  });

  it("is not /health, nor /openapi.json, nor what does not exist elsewhere", async () => {
    const { send } = surface({});
    expect((await send("GET", "/health")).status).toBe(200);
    expect((await send("GET", "/openapi.json")).status).toBe(200);
    await problemIn(await send("GET", "/nothing"), "ROUTE_NOT_FOUND");
  });

  it("cannot be reached around the guard by another spelling of its address", async () => {
    const { send, service } = surface(TOKENS);
    for (const path of [
      "//v1/workflows",
      "/V1/workflows",
      "/%76%31/workflows",
      "/v1%2Fworkflows",
    ]) {
      await problemIn(await send("GET", path), "ROUTE_NOT_FOUND");
    }
    await problemIn(await send("GET", "/health/../v1/workflows"), "UNAUTHENTICATED");
    expect(service.calls).toEqual([]);
  });
});
