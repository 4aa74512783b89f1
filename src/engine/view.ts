/** Builds the documents people read from rows and, where the instance is in memory, from there. */
import {
  type ActivityStatus,
  INITIAL_ID,
  type ProcessingStatus,
  parseActivityStatus,
} from "../core/activity-status.ts";
import type { ParentReference } from "../core/child.ts";
import {
  type HistoryItem,
  type InstanceDocument,
  isTerminal,
  type StepState,
  type WaitingFor,
} from "../core/documents.ts";
import { isUnreadable, type WaymarkError } from "../core/errors.ts";
import { decodeFailure, engineFailure, type Failure } from "../core/failure.ts";
import { isRefused } from "../core/history.ts";
import { LIMITS } from "../core/limits.ts";
import { nameOf } from "../core/names.ts";
import { decode, type Json, toJson } from "../core/payload.ts";
import { HIDDEN, hiddenFailure, shownFailure } from "../core/sensitive.ts";
import type { RecordKind } from "../core/step.ts";
import { type StoredText, textOf } from "../core/stored-text.ts";
import type { AnyWorkflow } from "../core/workflow.ts";
import type { Child, InstanceRow, RowState, StepRow, StepSummary } from "../store/rows.ts";
import type { StepStore } from "../store/step-store.ts";
import type { Execution } from "./execution.ts";
import { forkOf, isCopying } from "./fork.ts";
import type { OpenStep } from "./open-step.ts";

/**
 * The instance document. `execution` is given where the instance is in memory.
 *
 * @param steps null where nothing can be recorded yet
 */
export function instanceDocument(
  row: InstanceRow,
  steps: StepStore | null,
  workflow: AnyWorkflow | undefined,
  execution: Execution | null,
): InstanceDocument {
  const copying = isCopying(row); // its rows are no history yet
  const rests = steps === null || isTerminal(row.status) || copying;
  const open = rests ? [] : steps.open().filter(isOpen);
  const stages = workflow?.stages ?? [];
  const activity = steps === null || copying ? undefined : lastActivity(steps, stages);
  const live = execution === null ? undefined : newestLive(execution, stages);
  const reached = live !== undefined && live.ask.ordinal >= (activity?.asked ?? 0) ? live : null;
  const touched = Math.max(row.updatedAt, steps?.last()?.at ?? 0);
  const hides = row.sensitive === 1 || workflow?.options.sensitive === true;
  return {
    id: row.id,
    executionId: row.executionId,
    workflow: row.workflow,
    version: row.version,
    status: row.status,
    input: shown(row.input, hides),
    output: shown(row.output, hides),
    error: seen(row.error, hides && row.status === "Failed"), // any other is ours, or a person's
    customStatus: shown(row.customStatus, hides),
    activityStatus:
      reached?.attempt?.status ??
      (activity === undefined ? givenStatus(row, workflow) : rowStatus(activity)),
    progress:
      reached === null || reached.row?.id === activity?.id
        ? shown(activity?.progress, activity?.sensitive === 1)
        : null,
    waitingFor: showsMemory(row, execution)
      ? firstOf(execution.open, LIMITS.waitingFor).map(waitingStep)
      : open.slice(0, LIMITS.waitingFor).map(waitingRow),
    parent: parentOf(row),
    ...forkedFrom(row),
    tags: JSON.parse(row.tags),
    createdAt: iso(row.createdAt),
    startedAt: isoOrNull(row.startedAt),
    updatedAt: iso(open.reduce((latest, { at }) => Math.max(latest, at), touched)),
    completedAt: isoOrNull(row.completedAt),
  };
}

const lastActivity = (steps: StepStore, stages: readonly string[]): StepSummary | undefined =>
  stages.length === 0 ? steps.lastActivity() : steps.lastOf(stages);

function forkedFrom(row: InstanceRow): Pick<InstanceDocument, "forkedFrom"> {
  const fork = forkOf(row);
  return fork === null ? {} : { forkedFrom: fork.source };
}

function parentOf({ parent }: InstanceRow): InstanceDocument["parent"] {
  if (parent === null) return null;
  const { id, step } = JSON.parse(parent) as ParentReference;
  return { id, step };
}

/** At rest, a suspended instance shows what has a row: what it has not begun is in memory only (W1). */
function showsMemory(row: InstanceRow, execution: Execution | null): execution is Execution {
  if (execution === null || !execution.caughtUp) return false;
  return row.heldAt === null || execution.runner.running > 0;
}

function firstOf<Item>(items: Iterable<Item>, count: number): Item[] {
  const first: Item[] = [];
  for (const item of items) {
    if (first.length === count) break;
    first.push(item);
  }
  return first;
}

function newestLive(execution: Execution, stages: readonly string[]): OpenStep | undefined {
  let newest: OpenStep | undefined;
  for (const step of execution.runner.live) {
    if (step.ask.request.kind !== "activity") continue;
    if (stages.length > 0 && !stages.includes(nameOf(step.ask.identity))) continue;
    if (newest === undefined || step.ask.ordinal > newest.ask.ordinal) newest = step;
  }
  return newest;
}

/** Before the first stage has begun, a staged workflow shows the status it was started from. */
function givenStatus(row: InstanceRow, workflow: AnyWorkflow | undefined): ActivityStatus | null {
  if (workflow === undefined || workflow.stages.length === 0) return null;
  try {
    const status = parseActivityStatus(decode(textOf(row.input)));
    return workflow.stages.includes(status.processingStage) ? status : null;
  } catch {
    return null; // not a status: the first call will say so
  }
}

const PROCESSING: Record<StepState, ProcessingStatus> = {
  open: "InProgress",
  running: "InProgress",
  orphaned: "InProgress",
  cancelled: "InProgress",
  buffered: "New",
  done: "Complete",
  failed: "Failed",
};

function rowStatus(row: StepSummary): ActivityStatus {
  return {
    lastProcessedId: row.lastProcessedId ?? INITIAL_ID,
    processingStatus: PROCESSING[shownState(row.state)],
    processingStage: nameOf(row.step),
    lastUpdated: iso(row.at),
  };
}

/** What people read of a row's state. */
export const shownState = (state: RowState): StepState =>
  state === "sent" || state === "arrived" ? "running" : state;

const isOpen = ({ state, kind }: StepSummary): boolean => kind !== "update" && isOpenState(state);

const isOpenState = (state: RowState): boolean =>
  shownState(state) === "open" || shownState(state) === "running";

function waitingRow(row: StepSummary): WaitingFor {
  const attempts = isAttempted(row.kind);
  const goesOn = row.due === null || row.state === "sent"; // the due of a child is its timeout
  const next = goesOn ? row.attempt : row.attempt + 1;
  return {
    kind: row.kind,
    name: nameOf(row.step),
    step: row.step,
    ...(attempts ? { attempt: Math.max(1, next) } : {}),
    ...instanceOf(row.child),
    ...(row.due === null ? {} : { due: iso(row.due) }),
  };
}

const isAttempted = (kind: RecordKind): boolean =>
  kind === "activity" || kind === "run" || kind === "child";

const instanceOf = (child: string | null): { readonly instanceId?: string } =>
  child === null ? {} : { instanceId: (JSON.parse(child) as Child).id };

function waitingStep(step: OpenStep): WaitingFor {
  const { identity, request } = step.ask;
  const attempts = isAttempted(request.kind);
  return {
    kind: request.kind,
    name: nameOf(identity),
    step: identity,
    ...(attempts ? { attempt: step.failed + 1 } : {}),
    ...(step.child === null ? {} : { instanceId: step.child.id }),
    ...(step.due === null ? {} : { due: iso(step.due) }),
  };
}

/** One row of a history. */
export function historyItem(row: StepRow): HistoryItem {
  const placed = row.seq !== null && row.state !== "open"; // an update has its place before its reply
  const hides = row.sensitive === 1;
  const ended = placed || row.state === "cancelled" || isRefused(row);
  return {
    seq: row.seq,
    step: row.step,
    name: nameOf(row.step),
    kind: row.kind,
    state: shownState(row.state),
    attempts: row.attempt,
    ...instanceOf(row.child),
    startedAt: isoOrNull(row.startedAt),
    completedAt: ended ? iso(row.at) : null,
    due: row.state === "cancelled" ? null : isoOrNull(row.due),
    input: shown(row.input, hides),
    result: shown(row.result, hides),
    error: seen(row.failure, hides),
    activityStatus: row.kind === "activity" ? rowStatus(row) : null,
    progress: shown(row.progress, hides),
  };
}

/** What cannot be read says so in its place. */
function shown(text: StoredText | null | undefined, hides: boolean): Json {
  if (text === null || text === undefined) return null;
  if (hides) return HIDDEN;
  return readable<Json>(
    () => toJson(decode(textOf(text))),
    ({ code }) => ({ $unreadable: code }),
  );
}

/** A failure as people see it. */
function seen(stored: StoredText | null, hides = false): Failure | null {
  if (stored === null) return null;
  const failure = readable(() => decodeFailure(textOf(stored)), engineFailure);
  return hides ? hiddenFailure(failure) : shownFailure(failure);
}

function readable<Value>(read: () => Value, otherwise: (error: WaymarkError) => Value): Value {
  try {
    return read();
  } catch (error) {
    if (isUnreadable(error)) return otherwise(error);
    throw error;
  }
}

const iso = (at: number): string => new Date(at).toISOString();
const isoOrNull = (at: number | null): string | null => (at === null ? null : iso(at));
