/** Routes of entities: their state, and their operations. */
import type { ErrorCode } from "../core/errors.ts";
import {
  entitySchema,
  operationBodySchema,
  operationQuerySchema,
  operationResultSchema,
} from "./entity-schemas.ts";
import { ENTITY_KEY, ENTITY_NAME, OPERATION_NAME } from "./parameter.ts";
import { type Route, route } from "./route.ts";
import { jsonResponse } from "./shown.ts";

const PATH = "/v1/entities/{name}/{key}";
const ENTITY = { name: ENTITY_NAME, key: ENTITY_KEY };
const ERRORS: readonly ErrorCode[] = ["ENTITY_NOT_FOUND", "INSTANCE_BUSY"];

const getEntity = route({
  method: "GET",
  path: PATH,
  operation: "getEntity",
  summary: "The state of an entity",
  parameters: ENTITY,
  successes: {
    200: {
      description: "Its state, after the last operation that has succeeded",
      schema: entitySchema,
      example: {
        entity: "Counter",
        key: "user-1",
        state: 5,
        waiting: 0,
        createdAt: "2026-01-31T09:30:00.000Z",
        updatedAt: "2026-01-31T09:30:01.000Z",
      },
    },
  },
  errors: ERRORS,
  handle: async ({ scope, parameters: { name, key } }) =>
    jsonResponse(await scope.service().entities.state(name, key)),
});

const callOperation = route({
  method: "POST",
  path: `${PATH}/{operation}`,
  operation: "callOperation",
  summary: "Runs an operation of an entity; the body is its input",
  parameters: { ...ENTITY, operation: OPERATION_NAME },
  query: operationQuerySchema,
  body: operationBodySchema,
  successes: {
    200: {
      description: "It has run; the body is what it returned",
      schema: operationResultSchema,
      example: 5,
    },
    202: { description: "With `signal`: it is stored, and will run" },
  },
  errors: [
    ...ERRORS,
    "OPERATION_NOT_FOUND",
    "INPUT_INVALID",
    "PAYLOAD_UNSUPPORTED",
    "PAYLOAD_TOO_LARGE",
    "ENTITY_FULL",
    "ENTITY_FAILED",
    "ENTITY_TIMEOUT",
    "ENTITY_LOST",
    "ENTITY_BUSY",
    "RESULT_NOT_KEPT",
  ],
  handle: async ({ scope, parameters, query, body, idempotency }) => {
    const { entities } = scope.service();
    const request = { ...parameters, input: body, idempotency };
    if (query.signal === "true") {
      await entities.signal(request);
      return new Response(null, { status: 202 });
    }
    const shown = await entities.call(request);
    return "json" in shown ? jsonResponse(shown) : Response.json(shown.result);
  },
});

export const ENTITY_ROUTES: readonly Route[] = [getEntity, callOperation];
