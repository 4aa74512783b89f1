import { describe, expect, it } from "vitest";
import { z } from "zod";
import { openApiDocument } from "../../src/http/openapi.ts";
import { isGuarded, type Route } from "../../src/http/route.ts";
import { START, type Surface, surface, surfaceWith } from "./harness.ts";

const { routes } = surface().app;
const document = openApiDocument(routes, "0.0.1-test");

/** Good requests, one for each way a route can succeed. */
const SUCCESSES: readonly (readonly [operation: string, status: number, ...Example])[] = [
  ["getHealth", 200, "GET", "/health"],
  ["getOpenApi", 200, "GET", "/openapi.json"],
  ["listWorkflows", 200, "GET", "/v1/workflows"],
  ["startInstance", 202, "POST", START, { id: "b", tags: { customer: "42" } }],
  ["startInstance", 200, "POST", START, { id: "a", onConflict: "existing" }],
  ["getInstance", 200, "GET", "/v1/instances/a"],
  ["getHistory", 200, "GET", "/v1/instances/a/history"],
  ["exportHistory", 200, "GET", "/v1/instances/a/export"],
  ["sendEvent", 202, "POST", "/v1/instances/a/events/go", { any: "JSON" }],
  ["callHandler", 200, "POST", "/v1/instances/a/calls/total", { any: "JSON" }],
  ["callHandler", 202, "POST", "/v1/instances/a/calls/slow", { any: "JSON" }],
  ["rewindInstance", 202, "POST", "/v1/instances/a/rewind", { reason: "why", to: "charge#2" }],
  ["rewindInstance", 200, "POST", "/v1/instances/a/rewind", { dryRun: true }],
  ["restartInstance", 202, "POST", "/v1/instances/a/restart", { reason: "why", id: "b" }],
  ["forkInstance", 202, "POST", "/v1/instances/a/fork", { to: "charge#2", id: "b", version: "2" }],
  ["purgeInstance", 204, "DELETE", "/v1/instances/a?force=true"],
  ["suspendInstance", 202, "POST", "/v1/instances/a/suspend", { reason: "why" }],
  ["resumeInstance", 202, "POST", "/v1/instances/a/resume", {}],
  ["cancelInstance", 202, "POST", "/v1/instances/a/cancel", { reason: "why" }],
  ["terminateInstance", 202, "POST", "/v1/instances/a/terminate", { reason: "why" }],
  ["getEntity", 200, "GET", "/v1/entities/Counter/user-1", undefined],
  ["callOperation", 200, "POST", "/v1/entities/Counter/user-1/add", 5],
  ["callOperation", 202, "POST", "/v1/entities/Counter/user-1/add?signal=true", 5],
];
type Example = readonly [method: string, path: string, body?: unknown];

/** The part of the document at a path of keys. */
function at(...keys: readonly (string | number)[]): unknown {
  return keys.reduce<unknown>((part, key) => Object(part)[key], document);
}

/** Part of the document as the schema it is, by zod's own reading of JSON Schema. */
function readSchema(part: unknown): z.ZodType {
  const bundle = { ...Object(part), $defs: at("components", "schemas") };
  const text = JSON.stringify(bundle).replaceAll("#/components/schemas/", "#/$defs/");
  return z.fromJSONSchema(JSON.parse(text));
}

const operationOf = (route: Route) => at("paths", route.path, route.method.toLowerCase());
const answerOf = (route: Route, status: number | string) =>
  at("paths", route.path, route.method.toLowerCase(), "responses", status);

function routeOf(operation: string): Route {
  const found = routes.find((route) => route.operation === operation);
  if (found === undefined) throw new Error(`no operation ${operation}`);
  return found;
}

describe("the document", () => {
  it("is answered without a token, and is plain JSON", async () => {
    const { send }: Surface = surface({});
    const response = await send("GET", "/openapi.json");
    expect(response.headers.get("Content-Type")).toBe("application/json");
    expect(await response.json()).toEqual(document);
    expect(await (await send("GET", "/openapi.json?again")).json()).toEqual(document);
  });

  it("says what it is", () => {
    expect(document).toMatchObject({
      openapi: expect.stringMatching(/^3\.1\.\d$/),
      info: { title: "Waymark", version: "0.0.1-test" },
    });
  });

  it("has every route of the app, and no other", () => {
    const described = Object.entries(document.paths).flatMap(([path, ways]) =>
      Object.keys(ways).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const served = routes.map(({ method, path }) => `${method} ${path}`);
    expect(described.toSorted()).toEqual(served.toSorted());
  });

  it("refers only to what it has", () => {
    const references = JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g);
    const pointers = Array.from(references, ([, pointer = ""]) => pointer);
    expect(pointers.length).toBeGreaterThan(0);
    for (const pointer of pointers) expect(at(...pointer.split("/")), pointer).toBeDefined();
  });

  it("names every operation once", () => {
    const names = routes.map((route) => route.operation);
    expect(new Set(names).size).toBe(names.length);
  });

  it("describes every parameter of every path", () => {
    for (const route of routes) {
      const inPath = Array.from(route.path.matchAll(/\{(\w+)\}/g), ([, name]) => name);
      const { parameters } = Object(operationOf(route));
      const described = parameters.filter((parameter: { in: string }) => parameter.in === "path");
      expect(described.map((parameter: { name: string }) => parameter.name)).toEqual(inPath);
      expect(Object.keys(route.parameters)).toEqual(inPath);
    }
  });

  it("asks for a token exactly where one is needed", () => {
    for (const route of routes) {
      const { security, responses } = Object(operationOf(route));
      expect(security).toEqual(isGuarded(route.path) ? [{ bearer: [] }] : []);
      expect(Object.keys(responses).includes("401")).toBe(isGuarded(route.path));
      expect(Object.keys(responses).includes("403")).toBe(route.method !== "GET");
    }
    expect(at("components", "securitySchemes", "bearer")).toEqual({
      type: "http",
      scheme: "bearer",
    });
  });

  it("describes every error as a problem, with an example that is one", () => {
    for (const route of routes) {
      const statuses = Object.keys(Object(operationOf(route)).responses);
      for (const status of statuses.filter((one) => Number(one) >= 400)) {
        const { schema, example } = Object(answerOf(route, status)).content[
          "application/problem+json"
        ];
        expect(readSchema(schema).parse(example)).toMatchObject({ status: Number(status) });
      }
      expect(statuses).toContain("500");
    }
  });

  it("describes queries by the bounds that hold", () => {
    const parameters = at("paths", "/v1/instances/{id}", "get", "parameters");
    expect(parameters).toContainEqual({
      name: "wait",
      in: "query",
      required: false,
      description: expect.any(String),
      schema: { type: "number", minimum: 0, maximum: 60, default: 0 },
    });
  });

  it("describes the body of a start by the schema that checks it", () => {
    const { schema } = Object(
      at("paths", "/v1/workflows/{name}/instances", "post", "requestBody", "content"),
    )["application/json"];
    const described = readSchema(schema);
    const good = { id: "a", input: [1], startAt: "2026-01-31T09:30:00Z", tags: { a: "b" } };
    expect(described.safeParse(good).success).toBe(true);
    for (const bad of [{ other: 1 }, { id: 7 }, { onConflict: "no" }, { tags: { a: 1 } }, []]) {
      expect(described.safeParse(bad).success, JSON.stringify(bad)).toBe(false);
    }
  });
});

describe("every way to succeed", () => {
  it("has a request in this test", () => {
    const described = routes.flatMap(({ operation, successes }) =>
      Object.keys(successes).map((status) => `${operation} ${status}`),
    );
    const requested = SUCCESSES.map(([operation, status]) => `${operation} ${status}`);
    expect(requested.toSorted()).toEqual(described.toSorted());
  });

  for (const [operation, status, method, path, body] of SUCCESSES) {
    const route = routeOf(operation);
    const success = route.successes[status];
    const content = () => Object(answerOf(route, status)).content["application/json"];

    it(`${operation} ${status} answers what the document says, and no more`, async () => {
      const { send } = await surfaceWith("a");
      const response = await send(method, path, { body });
      expect(response.status).toBe(status);
      expect(response.headers.has("Location")).toBe(success?.location ?? false);
      if (success?.schema === undefined) return expect(await response.text()).toBe("");
      const answer = await response.json();
      expect(readSchema(content().schema).parse(answer)).toEqual(answer);
      expect(success.schema.parse(answer)).toEqual(answer);
    });

    if (success?.schema === undefined) continue;
    it(`${operation} ${status} has an example that fits its schema, whole`, () => {
      const { schema, example } = content();
      if (operation === "getOpenApi") return expect(example).toBeUndefined();
      expect(readSchema(schema).parse(example)).toEqual(example);
      expect(success.schema?.parse(example)).toEqual(example);
    });
  }
});
