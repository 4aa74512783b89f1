/** Routes by which a person controls an instance as a whole. */
import type { ErrorCode } from "../core/errors.ts";
import { checkInstanceId } from "../core/names.ts";
import { instanceSchema, rewindPreviewSchema } from "./document-schemas.ts";
import { FORK_EXAMPLE, INSTANCE_EXAMPLE, REWIND_EXAMPLE } from "./examples.ts";
import { derivedInstanceId } from "./idempotency.ts";
import { instancePath } from "./links.ts";
import { INSTANCE_ID } from "./parameter.ts";
import {
  controlBodySchema,
  forkBodySchema,
  purgeQuerySchema,
  restartBodySchema,
  rewindBodySchema,
  terminateBodySchema,
} from "./request-schemas.ts";
import { type Route, route } from "./route.ts";
import { documentResponse, jsonResponse } from "./shown.ts";

const FOUND_ERRORS: readonly ErrorCode[] = ["INSTANCE_NOT_FOUND", "INSTANCE_BUSY"];

interface Verb {
  readonly verb: "suspend" | "resume" | "cancel" | "terminate";
  readonly summary: string;
  /** What is so when it is answered. */
  readonly description: string;
  readonly takes?: typeof terminateBodySchema;
}

const controlRoute = ({ verb, summary, description, takes }: Verb): Route =>
  route({
    method: "POST",
    path: `/v1/instances/{id}/${verb}`,
    operation: `${verb}Instance`,
    summary,
    parameters: { id: INSTANCE_ID },
    body: takes ?? controlBodySchema,
    successes: { 202: { description, schema: instanceSchema, example: INSTANCE_EXAMPLE } },
    errors: [...FOUND_ERRORS, "INSTANCE_TERMINAL", "INSTANCE_PURGED"],
    handle: async ({ scope, parameters, body, idempotency }) => {
      const { reason = null, recursive = false } = body;
      const compensate = "compensate" in body && body.compensate === true;
      const also = { ...(recursive ? { recursive } : {}), ...(compensate ? { compensate } : {}) };
      const asked = { reason, ...also };
      const document = await scope.service()[verb](parameters.id, asked, idempotency);
      return documentResponse(document, { status: 202 });
    },
  });

const restart = route({
  method: "POST",
  path: "/v1/instances/{id}/restart",
  operation: "restartInstance",
  summary: "Runs an instance's workflow anew, in its newest version, with the same input",
  parameters: { id: INSTANCE_ID },
  body: restartBodySchema,
  successes: {
    202: {
      description: "It is started anew",
      schema: instanceSchema,
      example: INSTANCE_EXAMPLE,
      location: true,
    },
  },
  errors: [
    ...FOUND_ERRORS,
    "INSTANCE_ID_INVALID",
    "INSTANCE_EXISTS",
    "INSTANCE_PURGED",
    "WORKFLOW_NOT_FOUND",
  ],
  handle: async ({ scope, parameters, body, idempotency }) => {
    const { reason = null, id } = body;
    if (id !== undefined) checkInstanceId(id);
    const asked = { reason, ...(id === undefined ? {} : { as: id }) };
    const document = await scope.service().restart(parameters.id, asked, idempotency);
    const headers = { Location: instancePath(id ?? parameters.id) };
    return documentResponse(document, { status: 202, headers });
  },
});

const rewind = route({
  method: "POST",
  path: "/v1/instances/{id}/rewind",
  operation: "rewindInstance",
  summary: "Lets an instance that has ended go on, from its failed steps or from before any step",
  parameters: { id: INSTANCE_ID },
  body: rewindBodySchema,
  successes: {
    202: { description: "It goes on", schema: instanceSchema, example: INSTANCE_EXAMPLE },
    200: {
      description: "What it would do again: the answer where `dryRun` is true",
      schema: rewindPreviewSchema,
      example: REWIND_EXAMPLE,
    },
  },
  errors: [
    ...FOUND_ERRORS,
    "INSTANCE_NOT_TERMINAL",
    "INSTANCE_PURGED",
    "REWIND_TARGET_UNKNOWN",
    "VERSION_MISSING",
    "NONDETERMINISM",
  ],
  handle: async ({ scope, parameters: { id }, body, idempotency }) => {
    const { reason = null, to = null, dryRun = false } = body;
    if (dryRun) return jsonResponse(await scope.service().previewRewind(id, to));
    const document = await scope.service().rewind(id, { reason, to }, idempotency);
    return documentResponse(document, { status: 202 });
  },
});

const fork = route({
  method: "POST",
  path: "/v1/instances/{id}/fork",
  operation: "forkInstance",
  summary:
    "Makes a new instance with the history of this one up to a step, and lets it go on from there",
  parameters: { id: INSTANCE_ID },
  body: forkBodySchema,
  successes: {
    202: {
      description: "It is made; it copies the history, and goes on",
      schema: instanceSchema,
      example: FORK_EXAMPLE,
      location: true,
    },
  },
  errors: [
    ...FOUND_ERRORS,
    "INSTANCE_ID_INVALID",
    "INSTANCE_EXISTS",
    "INSTANCE_PURGED",
    "REWIND_TARGET_UNKNOWN",
    "VERSION_MISSING",
  ],
  handle: async ({ scope, parameters: { id }, body, idempotency }) => {
    const { reason = null, to = null, version = null } = body;
    const as = body.id ?? (await forkIdFor(id, idempotency?.key));
    checkInstanceId(as);
    const document = await scope.service().fork(id, { reason, to, as, version }, idempotency);
    return documentResponse(document, { status: 202, headers: { Location: instancePath(as) } });
  },
});

/** A retry must find the fork of the first try, and only its key tells which it is. No workflow's name has a slash. */
async function forkIdFor(id: string, key: string | undefined): Promise<string> {
  return key === undefined ? crypto.randomUUID() : derivedInstanceId(`fork/${id}`, key);
}

const purge = route({
  method: "DELETE",
  path: "/v1/instances/{id}",
  operation: "purgeInstance",
  summary: "Removes an instance that has ended, with all that is stored of it",
  parameters: { id: INSTANCE_ID },
  query: purgeQuerySchema,
  successes: { 204: { description: "It is gone" } },
  errors: [...FOUND_ERRORS, "INSTANCE_NOT_TERMINAL"],
  handle: async ({ scope, parameters, query }) => {
    const [force, recursive] = [query.force === "true", query.recursive === "true"];
    await scope.service().purge(parameters.id, { force, recursive });
    return new Response(null, { status: 204 });
  },
});

export const CONTROL_ROUTES: readonly Route[] = [
  controlRoute({
    verb: "suspend",
    summary: "Suspends an instance: what runs is let go on, and nothing new starts",
    description: "It is suspended, and stays so until it is resumed",
  }),
  controlRoute({
    verb: "resume",
    summary: "Resumes a suspended instance, whoever suspended it",
    description: "It goes on at once",
  }),
  controlRoute({
    verb: "cancel",
    summary: "Asks an instance's code to end, and lets it clean up",
    description: "It is asked, and ends as its code has it; one that has not begun has ended",
  }),
  controlRoute({
    verb: "terminate",
    summary: "Ends an instance for good",
    description: "It has ended; with `compensate`, it ends once what it has begun is undone",
    takes: terminateBodySchema,
  }),
  rewind,
  restart,
  fork,
  purge,
];
