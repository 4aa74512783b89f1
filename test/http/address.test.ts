import { describe, expect, it } from "vitest";
import { LIMITS } from "../../src/core/limits.ts";
import { problemIn, START, surface, surfaceWith } from "./harness.ts";

const PATHS: Record<string, string> = {
  "/health": "GET, HEAD",
  "/openapi.json": "GET, HEAD",
  "/v1/workflows": "GET, HEAD",
  [START]: "POST",
  "/v1/instances/a": "GET, HEAD, DELETE",
  "/v1/instances/a/history": "GET, HEAD",
  "/v1/instances/a/events/go": "POST",
  "/v1/instances/a/calls/total": "POST",
  "/v1/instances/a/suspend": "POST",
  "/v1/instances/a/resume": "POST",
  "/v1/instances/a/terminate": "POST",
  "/v1/instances/a/rewind": "POST",
  "/v1/instances/a/restart": "POST",
  "/v1/instances/a/fork": "POST",
};

describe("an address", () => {
  for (const [path, allowed] of Object.entries(PATHS)) {
    it(`${path} takes ${allowed} and says so to every other method`, async () => {
      const { send, service } = surface();
      for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
        if (allowed.includes(method)) continue;
        const response = await send(method, path);
        await problemIn(response, "METHOD_NOT_ALLOWED");
        expect(response.headers.get("Allow")).toBe(allowed);
      }
      expect(service.calls).toEqual([]);
    });
  }

  for (const path of [
    "/",
    "/v1",
    "/v1/",
    "/v2/workflows",
    "/v1/workflows/",
    "/v1/workflows/A",
    "/v1/instances",
    "/v1/instances/",
    "/v1/instances/a/",
    "/v1/instances/a/events",
    "/v1/instances/a/events/go/on",
    "/v1//workflows",
    "/health/",
    "/%zz",
  ]) {
    it(`${path} is none`, async () => {
      await problemIn(await surface().send("GET", path), "ROUTE_NOT_FOUND");
      await problemIn(await surface().send("POST", path), "ROUTE_NOT_FOUND");
    });
  }
});

describe("an id in an address", () => {
  for (const [written, id] of [
    ["a%3Ab", "a:b"],
    ["a:b@c+d=e", "a:b@c+d=e"],
    ["%61", "a"],
    ["a%2Bb", "a+b"],
  ] as const) {
    it(`is ${id} where it is written ${written}`, async () => {
      const { send, service } = await surfaceWith(id);
      expect((await send("GET", `/v1/instances/${written}`)).status).toBe(200);
      expect(service.onlyCall().arguments[0]).toBe(id);
    });
  }

  for (const written of [
    "%",
    "%zz",
    "%E2%82",
    "%C0%AF",
    "a%2Fb",
    "a%252Fb",
    "a%2561",
    "%00",
    "a%20b",
    "-a",
    "a%3Fb",
    "x".repeat(LIMITS.instanceIdLength + 1),
  ]) {
    it(`may not be ${written.slice(0, 20)}`, async () => {
      const { send, service } = surface();
      for (const [method, below] of [
        ["GET", ""],
        ["GET", "/history"],
        ["POST", "/events/go"],
        ["POST", "/suspend"],
        ["POST", "/resume"],
        ["POST", "/terminate"],
        ["POST", "/rewind"],
        ["POST", "/restart"],
        ["POST", "/fork"],
        ["DELETE", ""],
      ] as const) {
        const response = await send(method, `/v1/instances/${written}${below}`);
        await problemIn(response, "INSTANCE_ID_INVALID");
      }
      expect(service.calls).toEqual([]);
    });
  }
});
