/** The row of an execution that is about to begin. */
import type { ParentReference } from "../core/child.ts";
import type { Encoded } from "../core/payload.ts";
import type { Registry } from "../core/workflow.ts";
import type { InstanceRow } from "../store/rows.ts";
import type { Host } from "./host.ts";

/** What an execution is started with: its input is checked and encoded. */
export interface NewExecution {
  readonly id: string;
  readonly workflow: string;
  readonly version: string;
  readonly input: Encoded;
  readonly tags: { readonly [name: string]: string };
  /** Milliseconds since 1970; at once if left out. */
  readonly startAt?: number | undefined;
  /** The step whose child it is. */
  readonly parent?: ParentReference | null | undefined;
  /** Whether what it is given and comes to is not shown; its workflow may say so as well. */
  readonly sensitive?: boolean | undefined;
  /** Random if left out. */
  readonly executionId?: string;
}

export function newInstance(
  command: NewExecution,
  host: Pick<Host, "now" | "randomId">,
  registry: Pick<Registry, "find">,
): InstanceRow {
  const now = host.now();
  const workflow = registry.find(command.workflow, command.version);
  const sensitive = command.sensitive || workflow?.options.sensitive;
  return {
    id: command.id,
    executionId: command.executionId ?? host.randomId(),
    workflow: command.workflow,
    version: command.version,
    status: "Pending",
    input: command.input,
    output: null,
    error: null,
    tags: JSON.stringify(command.tags),
    parent: command.parent ? JSON.stringify(command.parent) : null,
    due: Math.max(now, command.startAt ?? now),
    suspensions: 0,
    heldAt: null,
    customStatus: null,
    createdAt: now,
    startedAt: null,
    updatedAt: now,
    completedAt: null,
    round: 1,
    rewind: null,
    rewinds: 0,
    fork: null,
    sensitive: sensitive ? 1 : 0,
  };
}
