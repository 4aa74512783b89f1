/** Workflow definitions: registered async functions, with their stages, version and input schema. */

import type { Activity } from "./activity.ts";
import { type ActivityStatus, initialStatus } from "./activity-status.ts";
import type { WorkflowContext } from "./context.ts";
import { WaymarkError } from "./errors.ts";
import { checkName } from "./names.ts";
import { parseWith, type Schema } from "./schema.ts";
import type { SensitiveOption } from "./sensitive.ts";

/** An activity that works on an ActivityStatus: one stage of a resilient workflow. */
export type StageActivity = Activity<ActivityStatus, ActivityStatus>;

/**
 * `sensitive` hides the input, the output, the custom status, what it fails with, and events and updates that no
 * step or handler has said otherwise of. Its steps are hidden where they say so themselves.
 */
export interface WorkflowOptions<Input> extends SensitiveOption {
  /** Instances keep the version they started with. `"1"` if left out. */
  readonly version?: string;
  /** Checks the input of a start request, and may convert it. Any Standard Schema library's. */
  readonly input?: Schema<Input>;
  /**
   * The chain of activities that pass an ActivityStatus along, in order. They follow the stage rule,
   * and an instance started without input gets the first stage's initial status.
   */
  readonly stages?: readonly StageActivity[];
}

/** What a workflow's function looks like. */
export type WorkflowFunction<Input, Output> = (
  ctx: WorkflowContext<Input>,
  input: Input,
) => Output | Promise<Output>;

/** A defined workflow. Make one with {@link workflow}. */
export interface Workflow<Input = unknown, Output = unknown> {
  readonly kind: "workflow";
  readonly name: string;
  readonly version: string;
  readonly options: WorkflowOptions<Input>;
  /** The names of the declared stages. */
  readonly stages: readonly string[];
  readonly run: WorkflowFunction<Input, Output>;
}

/** A workflow of any types, as registries hold it. */
// biome-ignore lint/suspicious/noExplicitAny: a function's input is contravariant; only `any` takes all
export type AnyWorkflow = Workflow<any, any>;

/**
 * Defines a workflow: an ordinary async function that calls activities through `ctx`.
 *
 * Its code runs again from the start whenever the instance comes back to memory, with every finished
 * step's result returned from storage. So it must do the same with the same results: no I/O, no
 * clock, no randomness but through `ctx`.
 *
 * @param name unique in the Worker; instances find their code by it
 * @throws WaymarkError `NAME_INVALID`, `DEFINITION_INVALID`
 * @example
 * const greet = workflow("Greet", async (ctx, name: string) => {
 *   const text = await ctx.call(compose, name);
 *   await ctx.sleep("1 day");
 *   await ctx.call(send, text);
 * });
 */
export function workflow<Input = undefined, Output = unknown>(
  name: string,
  options: WorkflowOptions<Input>,
  run: WorkflowFunction<Input, Output>,
): Workflow<Input, Output>;
export function workflow<Input = undefined, Output = unknown>(
  name: string,
  run: WorkflowFunction<Input, Output>,
): Workflow<Input, Output>;
export function workflow<Input, Output>(
  name: string,
  second: WorkflowOptions<Input> | WorkflowFunction<Input, Output>,
  third?: WorkflowFunction<Input, Output>,
): Workflow<Input, Output> {
  const [options, run] =
    typeof second === "function"
      ? [{}, second]
      : [second, third as WorkflowFunction<Input, Output>];
  checkName(name, "a workflow");
  const version = options.version ?? "1";
  checkName(version, "a workflow's version");
  const stages = (options.stages ?? []).map((stage) => stage.name);
  if (new Set(stages).size !== stages.length) {
    throw new WaymarkError("DEFINITION_INVALID", `workflow "${name}" names a stage twice`);
  }
  return { kind: "workflow", name, version, options, stages, run };
}

/**
 * The input of a start as the workflow gets it: through its schema, and for a staged workflow that is
 * started without one the first stage's initial status.
 *
 * @param at milliseconds since 1970, the `lastUpdated` of that status
 * @throws WaymarkError `INPUT_INVALID`
 */
export async function startInput(
  workflow: AnyWorkflow,
  input: unknown,
  at: number,
): Promise<unknown> {
  const [stage] = workflow.stages;
  const left = input === undefined || input === null;
  const given = stage !== undefined && left ? initialStatus(stage, at) : input;
  const { input: schema } = workflow.options;
  return schema === undefined ? given : parseWith(schema, given, workflow.options.sensitive);
}

/** The workflows of one Worker, by name and version. */
export interface Registry {
  /** The newest version of a name: the one registered last. */
  latest(name: string): AnyWorkflow | undefined;
  find(name: string, version: string): AnyWorkflow | undefined;
  /** Every version of every name, in the order of registration. */
  readonly workflows: readonly AnyWorkflow[];
}

/**
 * The registry of these workflows.
 *
 * @throws WaymarkError `DEFINITION_INVALID` where two have the same name and version
 */
export function createRegistry(workflows: readonly AnyWorkflow[]): Registry {
  const latest = new Map<string, AnyWorkflow>();
  const byVersion = new Map<string, AnyWorkflow>();
  for (const definition of workflows) {
    const id = `${definition.name}@${definition.version}`;
    if (byVersion.has(id)) {
      throw new WaymarkError(
        "DEFINITION_INVALID",
        `workflow "${definition.name}" version "${definition.version}" is registered twice`,
      );
    }
    byVersion.set(id, definition);
    latest.set(definition.name, definition);
  }
  return {
    workflows,
    latest: (name) => latest.get(name),
    find: (name, version) => byVersion.get(`${name}@${version}`),
  };
}
