/** Routes of one instance: reading it, sending it events. */
import type { ErrorCode } from "../core/errors.ts";
import {
  eventReceiptSchema,
  historySchema,
  instanceSchema,
  storedHistorySchema,
} from "./document-schemas.ts";
import { EVENT_EXAMPLE, EXPORT_EXAMPLE, HISTORY_EXAMPLE, INSTANCE_EXAMPLE } from "./examples.ts";
import { EVENT_NAME, INSTANCE_ID } from "./parameter.ts";
import {
  eventBodySchema,
  exportQuerySchema,
  historyQuerySchema,
  instanceQuerySchema,
  waitMillisOf,
} from "./request-schemas.ts";
import { type Route, route } from "./route.ts";
import { documentResponse, jsonResponse } from "./shown.ts";

const READ_ERRORS: readonly ErrorCode[] = ["INSTANCE_NOT_FOUND", "INSTANCE_BUSY"];
const WRITE_ERRORS: readonly ErrorCode[] = [...READ_ERRORS, "INSTANCE_TERMINAL", "INSTANCE_PURGED"];

const getInstance = route({
  method: "GET",
  path: "/v1/instances/{id}",
  operation: "getInstance",
  summary: "An instance; with `wait`, as soon as it has ended",
  parameters: { id: INSTANCE_ID },
  query: instanceQuerySchema,
  successes: {
    200: {
      description: "The instance as it is",
      schema: instanceSchema,
      example: INSTANCE_EXAMPLE,
    },
  },
  errors: READ_ERRORS,
  handle: async ({ scope, parameters, query }) => {
    const waitMillis = waitMillisOf(query);
    return documentResponse(await scope.service().get(parameters.id, waitMillis));
  },
});

const getHistory = route({
  method: "GET",
  path: "/v1/instances/{id}/history",
  operation: "getHistory",
  summary: "The steps of an instance's execution, in order",
  parameters: { id: INSTANCE_ID },
  query: historyQuerySchema,
  successes: {
    200: { description: "A page of the history", schema: historySchema, example: HISTORY_EXAMPLE },
  },
  errors: [...READ_ERRORS, "CURSOR_OUTDATED"],
  handle: async ({ scope, parameters, query }) => {
    const { limit, cursor = null } = query;
    return jsonResponse(await scope.service().history(parameters.id, limit, cursor));
  },
});

const exportHistory = route({
  method: "GET",
  path: "/v1/instances/{id}/export",
  operation: "exportHistory",
  summary: "An execution as it is stored, to be kept and checked against later code",
  parameters: { id: INSTANCE_ID },
  query: exportQuerySchema,
  successes: {
    200: {
      description: "A page of its steps; each page repeats what is said of the execution",
      schema: storedHistorySchema,
      example: EXPORT_EXAMPLE,
    },
  },
  errors: [...READ_ERRORS, "CURSOR_OUTDATED"],
  handle: async ({ scope, parameters, query }) => {
    const { limit, cursor = null } = query;
    return jsonResponse(await scope.service().export(parameters.id, limit, cursor));
  },
});

const sendEvent = route({
  method: "POST",
  path: "/v1/instances/{id}/events/{name}",
  operation: "sendEvent",
  summary: "Sends an event to an instance; the body is its payload",
  parameters: { id: INSTANCE_ID, name: EVENT_NAME },
  body: eventBodySchema,
  successes: {
    202: { description: "The event is kept", schema: eventReceiptSchema, example: EVENT_EXAMPLE },
  },
  errors: [...WRITE_ERRORS, "EVENT_BUFFER_FULL", "PAYLOAD_UNSUPPORTED", "PAYLOAD_TOO_LARGE"],
  handle: async ({ scope, parameters, body, idempotency }) => {
    const { id, name } = parameters;
    const receipt = await scope.service().sendEvent(id, name, body, idempotency);
    return Response.json(receipt, { status: 202 });
  },
});

export const INSTANCE_ROUTES: readonly Route[] = [
  getInstance,
  getHistory,
  exportHistory,
  sendEvent,
];
