/** The route by which the handlers of an instance's code are called. */
import { callReplySchema, pendingUpdateSchema } from "./document-schemas.ts";
import { PENDING_UPDATE_EXAMPLE } from "./examples.ts";
import { HANDLER_NAME, INSTANCE_ID } from "./parameter.ts";
import { callBodySchema, callQuerySchema, waitMillisOf } from "./request-schemas.ts";
import { type Route, route } from "./route.ts";

const callHandler = route({
  method: "POST",
  path: "/v1/instances/{id}/calls/{name}",
  operation: "callHandler",
  summary: "Calls a handler of the instance's code, a query or an update; the body is its input",
  parameters: { id: INSTANCE_ID, name: HANDLER_NAME },
  query: callQuerySchema,
  body: callBodySchema,
  successes: {
    200: { description: "The handler's reply", schema: callReplySchema, example: { total: 42 } },
    202: {
      description:
        "The update is accepted, and will be done once; the same request with the same Idempotency-Key " +
        "waits for its reply",
      schema: pendingUpdateSchema,
      example: PENDING_UPDATE_EXAMPLE,
    },
  },
  errors: [
    "INSTANCE_NOT_FOUND",
    "HANDLER_NOT_FOUND",
    "INSTANCE_BUSY",
    "INSTANCE_SUSPENDED",
    "UPDATE_UNFINISHED",
    "NONDETERMINISM",
    "VERSION_MISSING",
    "INSTANCE_TERMINAL",
    "INSTANCE_PURGED",
    "UPDATE_REPLY_GONE",
    "UPDATE_REFUSED",
    "INPUT_INVALID",
    "UPDATES_EXCEEDED",
    "UPDATES_FULL",
    "PAYLOAD_UNSUPPORTED",
    "PAYLOAD_TOO_LARGE",
    "HANDLER_FAILED",
    "HANDLER_READ_ONLY",
  ],
  handle: async ({ scope, parameters: { id, name }, query, body, idempotency }) => {
    const waitMillis = waitMillisOf(query);
    const answer = await scope.service().call(id, name, body, waitMillis, idempotency);
    if (!answer.done) return Response.json(answer.pending, { status: 202 });
    const { reply } = answer;
    if ("value" in reply) return Response.json(reply.value);
    return new Response(reply.json, { headers: { "Content-Type": "application/json" } });
  },
});

export const CALL_ROUTES: readonly Route[] = [callHandler];
