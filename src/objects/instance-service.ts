/** The service behind the HTTP surface: finds the object of an instance and talks to it. */
import { entitiesMissing } from "../core/entity.ts";
import { WaymarkError } from "../core/errors.ts";
import { encode } from "../core/payload.ts";
import { jsonSchemaOf } from "../core/schema.ts";
import { type Registry, startInput } from "../core/workflow.ts";
import type { Service, WorkflowDescription } from "../http/service.ts";
import type { EntityRpc } from "./entity-instance.ts";
import { createEntityService } from "./entity-service.ts";
import { read, start, write } from "./object-call.ts";
import { pack } from "./packed-text.ts";
import type { InstanceRpc } from "./workflow-instance.ts";

/** Finds the object of an instance. Stubs break when an object is reset: one for each request. */
export type FindInstance = (id: string) => InstanceRpc;

/** Finds the object of an entity, by its address. */
export type FindEntity = (address: string) => EntityRpc;

export function createInstanceService(
  registry: Registry,
  find: FindInstance,
  findEntity: FindEntity = () => {
    throw entitiesMissing();
  },
): Service {
  return {
    entities: createEntityService(findEntity),
    workflows: () => describeWorkflows(registry),
    start: async (request) => {
      const workflow = registry.latest(request.workflow);
      if (workflow === undefined) throw unknownWorkflow(request.workflow, registry);
      const { id, tags, onConflict, startAt, idempotency } = request;
      const input = encode(await startInput(workflow, request.input, Date.now()), "the input");
      const { name, version } = workflow;
      const command = {
        id,
        workflow: name,
        version,
        input: pack(input),
        tags,
        onConflict,
        startAt,
        idempotency,
        executionId: crypto.randomUUID(),
      };
      return start((atOnce) => find(id).start({ ...command, atOnce }));
    },
    get: (id, waitMillis) => {
      const until = Date.now() + waitMillis;
      return read(() => find(id).get(id, Math.max(0, until - Date.now())));
    },
    history: (id, limit, cursor) => read(() => find(id).history(id, cursor, limit)),
    export: (id, limit, cursor) => read(() => find(id).export(id, cursor, limit)),
    sendEvent: async (id, event, value, idempotency) => {
      const payload = pack(encode(value, `the event "${event}"`));
      return write(() => find(id).sendEvent(id, { event, payload, idempotency }));
    },
    call: (id, name, value, waitMillis, idempotency) => {
      const payload = pack(encode(value, `the input of "${name}"`));
      const until = Date.now() + waitMillis;
      const act = () =>
        find(id).call(id, { name, payload, idempotency }, Math.max(0, until - Date.now()));
      // With its key, an update that the object had accepted before it was lost is the same one.
      return idempotency === undefined ? write(act) : read(act);
    },
    suspend: (id, asked, idempotency) =>
      write(() => find(id).suspend(id, { ...asked, idempotency })),
    resume: (id, asked, idempotency) => write(() => find(id).resume(id, { ...asked, idempotency })),
    cancel: (id, asked, idempotency) => write(() => find(id).cancel(id, { ...asked, idempotency })),
    terminate: (id, asked, idempotency) =>
      write(() => find(id).terminate(id, { ...asked, idempotency })),
    rewind: (id, asked, idempotency) => write(() => find(id).rewind(id, { ...asked, idempotency })),
    previewRewind: (id, to) => read(() => find(id).previewRewind(id, to)),
    restart: async (id, { reason, as = id }, idempotency) => {
      if (as === id) return write(() => find(id).restart(id, { reason, idempotency }));
      const { workflow, input, tags, sensitive } = await read(() =>
        find(id).given(id, idempotency),
      );
      const latest = registry.latest(workflow);
      if (latest === undefined) throw unknownWorkflow(workflow, registry);
      const { version } = latest;
      const given = {
        id: as,
        workflow,
        version,
        input,
        tags,
        sensitive,
        onConflict: "reject",
        idempotency,
        executionId: crypto.randomUUID(),
      } as const;
      return (await start((atOnce) => find(as).start({ ...given, atOnce }))).document;
    },
    fork: async (id, { reason, as, to, version }, idempotency) => {
      const { input, ...point } = await read(() =>
        find(id).forkPoint(id, { as, to, version, idempotency }),
      );
      const command = { id: as, version: point.version, input, source: id, point, reason };
      return write(() => find(as).fork({ ...command, idempotency }));
    },
    purge: (id, asked) => write(() => find(id).purge(id, asked)),
  };
}

function unknownWorkflow(name: string, registry: Registry): WaymarkError {
  const names = [...new Set(registry.workflows.map((workflow) => workflow.name))];
  return new WaymarkError(
    "WORKFLOW_NOT_FOUND",
    `no workflow "${name}" is registered; there are: ${names.join(", ") || "none"}`,
  );
}

function describeWorkflows(registry: Registry): WorkflowDescription[] {
  const byName = Map.groupBy(registry.workflows, (workflow) => workflow.name);
  return Array.from(byName, ([name, versions]) => {
    const latest = versions.at(-1);
    return {
      name,
      versions: versions.map((workflow) => workflow.version),
      stages: latest?.stages ?? [],
      inputSchema: jsonSchemaOf(latest?.options.input),
    };
  });
}
