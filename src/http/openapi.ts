/** The OpenAPI 3.1 document of a set of routes, made from the schemas that check their requests. */
import { z } from "zod";
import { ERROR_CODES, type ErrorCode, WaymarkError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { DOCUMENT_SCHEMAS, problemSchema } from "./document-schemas.ts";
import { IDEMPOTENCY_HEADER } from "./idempotency.ts";
import { PROBLEM_TYPE, problemOf } from "./problem.ts";
import { anyQuerySchema } from "./request-schemas.ts";
import { isGuarded, type Route, type Success } from "./route.ts";

/** Part of a JSON document. */
interface JsonObject {
  readonly [key: string]: unknown;
}

export interface OpenApiDocument extends JsonObject {
  readonly openapi: string;
  readonly paths: { readonly [path: string]: JsonObject };
}

/** The document of these routes. */
export function openApiDocument(routes: readonly Route[], version: string): OpenApiDocument {
  const byPath = Map.groupBy(routes, (route) => route.path);
  const operations = Array.from(byPath, ([path, ways]) => [
    path,
    Object.fromEntries(ways.map((route) => [route.method.toLowerCase(), operationOf(route)])),
  ]);
  return {
    openapi: "3.1.1",
    info: {
      title: "Waymark",
      version,
      description: "Durable workflows on Cloudflare Durable Objects.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "/" }],
    paths: Object.fromEntries(operations),
    components: {
      schemas: namedSchemas(),
      securitySchemes: { bearer: { type: "http", scheme: "bearer" } },
    },
  };
}

function operationOf(route: Route): JsonObject {
  const body = route.body && {
    required: false,
    content: { "application/json": { schema: schemaOf(route.body) } },
  };
  const successes = Object.entries(route.successes).map(([status, success]) => [
    status,
    successOf(success),
  ]);
  return {
    operationId: route.operation,
    summary: route.summary,
    security: isGuarded(route.path) ? [{ bearer: [] }] : [],
    parameters: [...pathParameters(route), ...queryParameters(route), ...headerParameters(route)],
    ...(body === undefined ? {} : { requestBody: body }),
    responses: { ...Object.fromEntries(successes), ...failuresOf(route) },
  };
}

function pathParameters(route: Route): JsonObject[] {
  return Object.entries(route.parameters).map(([name, { description, maxLength }]) => ({
    name,
    in: "path",
    required: true,
    description,
    schema: { type: "string", minLength: 1, maxLength },
  }));
}

function queryParameters(route: Route): JsonObject[] {
  // As outputs: a query is all text, and what a parameter means is the number the text is read as.
  const { properties = {} } = z.toJSONSchema(route.query, { io: "output" });
  return Object.entries(properties).map(([name, property]) => {
    const { description, ...schema } = Object(property);
    return { name, in: "query", required: false, description, schema };
  });
}

function headerParameters(route: Route): JsonObject[] {
  if (route.body === undefined) return [];
  const description = "Makes a retry safe: the same key and body get the first answer again";
  const schema = { type: "string", minLength: 1, maxLength: LIMITS.idempotencyKeyLength };
  return [{ name: IDEMPOTENCY_HEADER, in: "header", required: false, description, schema }];
}

function successOf({ description, schema, example, location }: Success): JsonObject {
  const header = { description: "The address of the instance", schema: { type: "string" } };
  if (schema === undefined) return { description };
  return {
    description,
    ...(location === true ? { headers: { Location: header } } : {}),
    content: {
      "application/json": {
        schema: referenceTo(schema),
        ...(example === undefined ? {} : { example }),
      },
    },
  };
}

/** The errors of a route, by status: the service's, and those that follow from its shape. */
function failuresOf(route: Route): JsonObject {
  const byStatus = Map.groupBy(new Set(errorsOf(route)), (code) => ERROR_CODES[code].status);
  const failures = Array.from(byStatus, ([status, codes]) => {
    const lines = codes.map((code) => `${code}: ${ERROR_CODES[code].title}`);
    const [first = "INTERNAL"] = codes;
    const example = problemOf(new WaymarkError(first, ERROR_CODES[first].title));
    const content = { [PROBLEM_TYPE]: { schema: referenceTo(problemSchema), example } };
    return [status, { description: lines.join("; "), content }];
  });
  return Object.fromEntries(failures);
}

function errorsOf(route: Route): ErrorCode[] {
  const codes = Object.values(route.parameters).map((parameter) => parameter.invalid);
  if (route.query !== anyQuerySchema) codes.push("QUERY_INVALID");
  if (route.body !== undefined) {
    codes.push("BODY_INVALID", "BODY_TOO_LARGE", "IDEMPOTENCY_KEY_INVALID");
    codes.push("IDEMPOTENCY_KEY_REUSED", "IDEMPOTENCY_KEYS_FULL");
  }
  if (isGuarded(route.path)) codes.push("UNAUTHENTICATED", "AUTH_NOT_CONFIGURED");
  if (isGuarded(route.path) && route.method !== "GET") codes.push("SCOPE_MISSING");
  return [...codes, ...route.errors, "INTERNAL"];
}

const locationOf = (id: string) => `#/components/schemas/${id}`;

function referenceTo(schema: z.ZodType): JsonObject {
  const id = DOCUMENT_SCHEMAS.get(schema)?.id;
  return id === undefined ? schemaOf(schema) : { $ref: locationOf(id) };
}

function schemaOf(schema: z.ZodType): JsonObject {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io: "input", override: shorten });
  return rest;
}

/** As inputs: an answer may have more fields one day, and clients should not refuse them. */
function namedSchemas(): JsonObject {
  const { schemas } = z.toJSONSchema(DOCUMENT_SCHEMAS, {
    io: "input",
    uri: locationOf,
    override: shorten,
  });
  const entries = Object.entries(schemas).map(([id, { $schema, $id, ...schema }]) => [id, schema]);
  return Object.fromEntries(entries);
}

/** Leaves out what says nothing: the pattern of a format, and the bounds of all whole numbers. */
function shorten({ jsonSchema }: { jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  if (jsonSchema.format === "date-time") delete jsonSchema.pattern;
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
}
