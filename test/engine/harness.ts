/** What the engine's tests share: one instance in process, started with defaults. */
import type { InstanceDocument } from "../../src/core/documents.ts";
import { encode } from "../../src/core/payload.ts";
import type { AnyWorkflow } from "../../src/core/workflow.ts";
import type { StartCommand } from "../../src/engine/commands.ts";
import type { Faults } from "../../src/testing/faults.ts";
import { InProcessObject, type InProcessOptions } from "../../src/testing/in-process-object.ts";

export const ID = "instance-1";

/** Where a crash strikes: before or after the nth commit of the object, from 1. */
export interface CrashPoint {
  readonly commit: number;
  readonly when: "before" | "after";
}

/** A plan of faults that loses the object at these commits. */
export const crashesAt = (...points: readonly CrashPoint[]): Faults => ({
  crash: (_object, moment) =>
    moment.kind === "commit" &&
    points.some(({ commit, when }) => commit === moment.commit && when === moment.when),
});

/**
 * Runs a scenario again and again, each time with another crash: before and after each commit but the first,
 * which starts the instance, until there is no such commit any more.
 *
 * @returns how many commits were tried
 */
export async function atEachCommit(
  scenario: (point: CrashPoint) => Promise<Pick<InProcessObject, "commits">>,
): Promise<number> {
  for (let commit = 2; ; commit++) {
    for (const when of ["before", "after"] as const) {
      const { commits } = await scenario({ commit, when });
      if (commits < commit) return commit - 2;
    }
  }
}

export function startCommand(
  workflow: AnyWorkflow,
  input?: unknown,
  options: Partial<StartCommand> = {},
): StartCommand {
  return {
    id: ID,
    workflow: workflow.name,
    version: workflow.version,
    input: encode(input, "the input"),
    tags: {},
    onConflict: "reject",
    ...options,
  };
}

/** An object in which an instance of the workflow was just started; nothing has run. */
export function started(
  workflow: AnyWorkflow,
  input?: unknown,
  options: Partial<InProcessOptions> = {},
): InProcessObject {
  const object = new InProcessObject({ workflows: [workflow], ...options });
  object.commands.start(startCommand(workflow, input));
  object.commit();
  return object;
}

/** Starts an instance, runs it as far as it goes, and reads it. */
export async function ran(
  workflow: AnyWorkflow,
  input?: unknown,
  options: Partial<InProcessOptions> = {},
): Promise<{ object: InProcessObject; document: InstanceDocument }> {
  const object = started(workflow, input, options);
  await object.run();
  return { object, document: object.commands.get(ID) };
}
