/** Routes about the surface itself: whether it answers, and what it takes. Open to everyone. */
import { anyObjectSchema, healthSchema } from "./document-schemas.ts";
import { openApiDocument } from "./openapi.ts";
import { anyQuerySchema } from "./request-schemas.ts";
import { type Route, route } from "./route.ts";

/** @param routes all routes of the app, these included; asked for when a document is wanted */
export function surfaceRoutes(version: string, routes: () => readonly Route[]): readonly Route[] {
  let document: string | undefined; // made once: it is large, and the same for as long as we run

  const getHealth = route({
    method: "GET",
    path: "/health",
    operation: "getHealth",
    summary: "Whether the Worker answers",
    query: anyQuerySchema,
    successes: {
      200: { description: "It does", schema: healthSchema, example: { status: "ok", version } },
    },
    errors: [],
    handle: () => Response.json({ status: "ok", version }),
  });

  const getOpenApi = route({
    method: "GET",
    path: "/openapi.json",
    operation: "getOpenApi",
    summary: "This document",
    query: anyQuerySchema,
    successes: { 200: { description: "OpenAPI 3.1", schema: anyObjectSchema } },
    errors: [],
    handle: () => {
      document ??= JSON.stringify(openApiDocument(routes(), version));
      return new Response(document, { headers: { "Content-Type": "application/json" } });
    },
  });

  return [getHealth, getOpenApi];
}
