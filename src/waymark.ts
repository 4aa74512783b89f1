/** Puts the layers together: definitions in, a Worker's handler and Durable Object classes out. */

import packageJson from "../package.json" with { type: "json" };
import type { AnyActivity } from "./core/activity.ts";
import type { CodecOption } from "./core/codec.ts";
import { type AnyEntity, createEntityRegistry } from "./core/entity.ts";
import { type AnyWorkflow, createRegistry } from "./core/workflow.ts";
import type { TurnBudget } from "./engine/host.ts";
import { createApp } from "./http/app.ts";
import { parseAuth } from "./http/auth.ts";
import { type ActivitiesClass, activitiesClass } from "./objects/activities.ts";
import type { LogLevel } from "./objects/console-log.ts";
import { type EntityInstanceClass, entityInstanceClass } from "./objects/entity-instance.ts";
import {
  createInstanceService,
  type FindEntity,
  type FindInstance,
} from "./objects/instance-service.ts";
import { type WorkflowInstanceClass, workflowInstanceClass } from "./objects/workflow-instance.ts";

export interface WaymarkOptions {
  /** Every workflow this Worker runs; several versions of one name may stand side by side. */
  readonly workflows: readonly AnyWorkflow[];
  /** Every entity that the workflows call, or requests do. */
  readonly entities?: readonly AnyEntity[];
  /** The activities that run in the stateless entrypoint: those with `where: "worker"`. */
  readonly activities?: readonly AnyActivity[];
  /** When a turn hands over to the next; see docs/architecture.md before changing it. */
  readonly turn?: Partial<TurnBudget>;
  /**
   * What is stored of payloads: `aesGcmCodec` of `waymark/aes-gcm` encrypts them; see docs/secrets.md. Keys are
   * secrets of the Worker, so it may be a function of `env`, called when an object first needs it.
   */
  readonly codec?: CodecOption;
  /** From which importance on events are logged; `"info"` if left out. */
  readonly logLevel?: LogLevel;
}

/** What a Worker exports. */
export interface Waymark {
  /** The Worker's default export. */
  readonly handler: { fetch(request: Request, env: object, ctx: ObjectContext): Promise<Response> };
  /** The classes to be exported under these names; `Activities` only where activities are listed. */
  readonly objects: {
    readonly WorkflowInstance: WorkflowInstanceClass;
    readonly EntityInstance: EntityInstanceClass;
    readonly Activities: ActivitiesClass;
  };
}

/** The Worker's own exports, as the runtime hands them to each request. */
interface ObjectContext {
  readonly exports: {
    readonly WorkflowInstance: { getByName: FindInstance };
    readonly EntityInstance?: { getByName: FindEntity };
  };
}

/**
 * Makes a Worker of workflows.
 *
 * `wrangler.toml` must declare the class: `[exports.WorkflowInstance]` with `type = "durable-object"`
 * and `storage = "sqlite"`; where there are entities, `[exports.EntityInstance]` in the same way.
 *
 * @throws WaymarkError `DEFINITION_INVALID` where two workflows have the same name and version, or two
 *   entities the same name
 * @example
 * const waymark = createWaymark({ workflows: [migrateRecords] });
 * export default waymark.handler;
 * export const { WorkflowInstance, Activities } = waymark.objects;
 */
export function createWaymark(options: WaymarkOptions): Waymark {
  const {
    workflows,
    activities = [],
    entities: defined = [],
    turn = {},
    logLevel = "info",
    codec,
  } = options;
  const registry = createRegistry(workflows);
  const entities = createEntityRegistry(defined);
  const app = createApp<object, ObjectContext>({
    serviceFor: (_env, { exports: { WorkflowInstance, EntityInstance } }) =>
      createInstanceService(
        registry,
        (id) => WorkflowInstance.getByName(id),
        EntityInstance && ((address) => EntityInstance.getByName(address)),
      ),
    authFor: parseAuth,
    now: () => Date.now(),
    log: (event) => console.error(JSON.stringify(event)),
    version: packageJson.version,
  });
  return {
    handler: { fetch: app.fetch },
    objects: {
      WorkflowInstance: workflowInstanceClass({ registry, turn, logLevel, codec }),
      EntityInstance: entityInstanceClass({ entities, registry, turn, logLevel, codec }),
      Activities: activitiesClass(activities),
    },
  };
}
