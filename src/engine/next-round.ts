/**
 * What `continueAsNew` means for the rows: the next execution takes the place of the present one, and
 * inherits the events that its code has not got.
 *
 * W2, W3: it is one commit, with the alarm where the turn ends there. A crash before it leads to the
 * present execution again, which asks for the same; a crash after it to the next one.
 */
import { nameOf } from "../core/names.ts";
import { uuidFrom } from "../core/random.ts";
import type { Completion, Continuation } from "../core/step.ts";
import type { Registry } from "../core/workflow.ts";
import type { NextExecution } from "../store/instance-store.ts";
import type { InstanceRow } from "../store/rows.ts";

/**
 * The id of the execution that continues this one. It follows from the one before: however often a crash
 * repeats the end of a round, the next one is the same.
 */
export const executionIdAfter = (executionId: string): string =>
  uuidFrom(`${executionId}/continued`);

/**
 * The row of the next execution.
 *
 * @param begins whether its code runs in this turn; else a turn is owed, which it starts with
 */
export function nextExecution(
  row: InstanceRow,
  { input, version }: Continuation,
  registry: Registry,
  { now, begins }: { readonly now: number; readonly begins: boolean },
): NextExecution {
  const newest = version === "latest" ? registry.latest(row.workflow)?.version : undefined;
  const next = newest ?? row.version;
  return {
    executionId: executionIdAfter(row.executionId),
    version: next,
    sensitive: registry.find(row.workflow, next)?.options.sensitive ? 1 : 0,
    input,
    due: begins ? null : now,
    startedAt: begins ? now : null,
    updatedAt: now,
  };
}

/** The places of updates that are recorded, and of which the code never heard. */
export const unheardUpdates = (undelivered: readonly Completion[]): number[] =>
  undelivered.filter(({ kind }) => kind === "update").map(({ seq }) => seq);

/** Events and requests to cancel that are recorded, and of which the code never heard: they are not consumed. */
export function unheard(undelivered: readonly Completion[]): { seq: number; name: string }[] {
  return undelivered
    .filter(({ kind, outcome }) => (kind === "event" || kind === "cancel") && outcome.ok)
    .map(({ seq, step }) => ({ seq, name: nameOf(step) }));
}
