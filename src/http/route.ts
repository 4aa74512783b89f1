/**
 * One route, described once: from it come the check of a request, its place in the router and its
 * part of the OpenAPI document.
 */
import type { z } from "zod";
import type { Idempotency } from "../core/documents.ts";
import type { ErrorCode } from "../core/errors.ts";
import type { AuthConfig } from "./auth.ts";
import { readBody } from "./body.ts";
import { idempotencyKey, idempotencyOf } from "./idempotency.ts";
import { type Parameter, type ParameterSet, readParameters } from "./parameter.ts";
import { noQuerySchema } from "./request-schemas.ts";
import type { Service } from "./service.ts";
import { parseBody, parseQuery } from "./validation.ts";

/** Whatever lies below it needs a token. */
export const GUARDED = "/v1";

/** Whether an address or a route's path needs a token. */
export const isGuarded = (path: string): boolean =>
  path === GUARDED || path.startsWith(`${GUARDED}/`);

/** What one request is answered with. Made when asked for, so that a failure is answered too. */
export interface RequestScope {
  service(): Service;
  auth(): AuthConfig;
  /** Milliseconds since 1970. */
  now(): number;
}

/** A request that was found good. */
export interface Call<Name extends string, Query, Body> {
  readonly scope: RequestScope;
  readonly parameters: { readonly [Key in Name]: string };
  readonly query: Query;
  readonly body: Body;
  readonly idempotency: Idempotency | undefined;
}

/** One way a request may succeed. */
export interface Success {
  readonly description: string;
  /** None where the answer has no body. */
  readonly schema?: z.ZodType;
  readonly example?: unknown;
  /** Whether it has the header `Location`. */
  readonly location?: boolean;
}

interface RouteShape {
  readonly method: "GET" | "POST" | "DELETE";
  /** As OpenAPI writes it: `/v1/instances/{id}`. */
  readonly path: string;
  /** A name for generated clients. */
  readonly operation: string;
  readonly summary: string;
  readonly successes: { readonly [status: number]: Success };
  /** What the service may throw here; errors of the request itself follow from the rest. */
  readonly errors: readonly ErrorCode[];
}

interface RouteSpec<Name extends string, Query extends z.ZodType, Body extends z.ZodType>
  extends RouteShape {
  readonly parameters?: ParameterSet<Name>;
  /** None may be given where it is left out. */
  readonly query?: Query;
  /** Not read where it is left out. An empty body is `undefined` to the schema. */
  readonly body?: Body;
  handle(call: Call<Name, z.output<Query>, z.output<Body>>): Response | Promise<Response>;
}

/** A route as the router and the OpenAPI document see it. */
export interface Route extends RouteShape {
  readonly parameters: { readonly [name: string]: Parameter };
  readonly query: z.ZodType;
  readonly body: z.ZodType | undefined;
  /** @throws WaymarkError where the request is not good, and whatever the service throws */
  answer(request: Request, scope: RequestScope): Promise<Response>;
}

/** Describes a route. What has a body has an effect, and takes an idempotency key. */
export function route<
  Name extends string = never,
  Query extends z.ZodType = typeof noQuerySchema,
  Body extends z.ZodType = z.ZodUnknown,
>(spec: RouteSpec<Name, Query, Body>): Route {
  const { handle, parameters = {} as ParameterSet<Name>, body, ...shape } = spec;
  const query = spec.query ?? noQuerySchema;
  return {
    ...shape,
    parameters,
    query,
    body,
    answer: async (request, scope) => {
      const { pathname, searchParams } = new URL(request.url);
      const parsed = {
        parameters: readParameters(spec.path, pathname, parameters),
        query: parseQuery(query, searchParams) as z.output<Query>,
      };
      if (body === undefined) {
        const nothing = undefined as z.output<Body>;
        return handle({ scope, ...parsed, body: nothing, idempotency: undefined });
      }
      const key = idempotencyKey(request);
      const { text, value } = await readBody(request);
      const idempotency = key === undefined ? key : await idempotencyOf(key, request, text);
      return handle({ scope, ...parsed, body: parseBody(body, value), idempotency });
    },
  };
}
