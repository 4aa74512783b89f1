/** Routes of workflows: which there are, and starting one. */
import type { InstanceDocument } from "../core/documents.ts";
import { WaymarkError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { checkInstanceId } from "../core/names.ts";
import { instanceSchema, workflowListSchema } from "./document-schemas.ts";
import { INSTANCE_EXAMPLE, WORKFLOWS_EXAMPLE } from "./examples.ts";
import { derivedInstanceId } from "./idempotency.ts";
import { instancePath } from "./links.ts";
import { WORKFLOW_NAME } from "./parameter.ts";
import { instanceQuerySchema, startBodySchema, waitMillisOf } from "./request-schemas.ts";
import { type Route, route } from "./route.ts";
import type { Service } from "./service.ts";
import { documentResponse, type Shown } from "./shown.ts";

const listWorkflows = route({
  method: "GET",
  path: "/v1/workflows",
  operation: "listWorkflows",
  summary: "The registered workflows",
  successes: {
    200: {
      description: "Every workflow",
      schema: workflowListSchema,
      example: WORKFLOWS_EXAMPLE,
    },
  },
  errors: [],
  handle: ({ scope }) => Response.json({ items: scope.service().workflows() }),
});

const startInstance = route({
  method: "POST",
  path: "/v1/workflows/{name}/instances",
  operation: "startInstance",
  summary: "Starts an instance of a workflow; with `wait`, is answered as soon as it has ended",
  parameters: { name: WORKFLOW_NAME },
  query: instanceQuerySchema,
  body: startBodySchema,
  successes: {
    202: {
      description: "It was started; with `wait` it may have ended, as its `status` says",
      schema: instanceSchema,
      example: INSTANCE_EXAMPLE,
      location: true,
    },
    200: {
      description: "It was there already, and `onConflict` asked for the existing one",
      schema: instanceSchema,
      example: INSTANCE_EXAMPLE,
      location: true,
    },
  },
  errors: [
    "INSTANCE_ID_INVALID",
    "TAGS_INVALID",
    "WORKFLOW_NOT_FOUND",
    "INSTANCE_EXISTS",
    "INSTANCE_PURGED",
    "INPUT_INVALID",
    "PAYLOAD_UNSUPPORTED",
    "PAYLOAD_TOO_LARGE",
    "INSTANCE_BUSY",
  ],
  handle: async ({ scope, parameters, query, body, idempotency }) => {
    const { input, tags, onConflict, startAt } = body;
    const workflow = parameters.name;
    const id = body.id ?? (await instanceIdFor(workflow, idempotency?.key));
    checkInstanceId(id);
    const service = scope.service();
    const { created, document } = await service.start({
      workflow,
      id,
      input,
      tags,
      onConflict,
      ...(startAt === undefined ? {} : { startAt: checkStartAt(startAt, scope.now()) }),
      ...(idempotency === undefined ? {} : { idempotency }),
    });
    const waitMillis = waitMillisOf(query);
    const shown = waitMillis === 0 ? document : await ended(service, id, waitMillis, document);
    const headers = { Location: instancePath(id) };
    return documentResponse(shown, { status: created ? 202 : 200, headers });
  },
});

/**
 * The instance when it has ended, or as it is after that time. It is started, whatever becomes of the wait: where it was
 * purged meanwhile, or cannot be reached, the answer is what its start was answered with.
 */
async function ended(
  service: Service,
  id: string,
  waitMillis: number,
  started: Shown<InstanceDocument>,
): Promise<Shown<InstanceDocument>> {
  try {
    const shown = await service.get(id, waitMillis);
    if ("json" in started) await started.json.cancel().catch(() => {}); // nobody reads it
    return shown;
  } catch (error) {
    if (error instanceof WaymarkError) return started;
    throw error;
  }
}

/** A retry of a start must find the object of the first try, and only its key tells which it is. */
async function instanceIdFor(workflow: string, key: string | undefined): Promise<string> {
  return key === undefined ? crypto.randomUUID() : derivedInstanceId(workflow, key);
}

function checkStartAt(startAt: number, now: number): number {
  if (startAt <= now + LIMITS.timerMillis) return startAt;
  const latest = new Date(now + LIMITS.timerMillis).toISOString();
  throw new WaymarkError("BODY_INVALID", `"startAt": may not be later than ${latest}`);
}

export const WORKFLOW_ROUTES: readonly Route[] = [listWorkflows, startInstance];
