/** What a rewind goes back to: the step that is asked for, or what the execution has ended with. */
import type { InstanceStatus } from "../core/documents.ts";
import { decodeFailure, type Failure } from "../core/failure.ts";
import { type StepIdentity, undoneBy } from "../core/names.ts";
import type { StepRow } from "../store/rows.ts";
import type { Past, Target } from "./past.ts";
import type { ReplayedAsk } from "./replay.ts";

/** What an instance's row says of a rewind that is asked for and not carried out yet. */
export interface RewindRequest {
  /** The step to go back to; null for whatever the execution has ended with. */
  readonly to: StepIdentity | null;
  readonly reason: string | null;
  /** How it had ended. */
  readonly from: { readonly status: InstanceStatus; readonly error: string | null };
}

/** Null where nothing is taken back. */
export async function findTarget(past: Past, request: RewindRequest): Promise<Target | null> {
  const { to, from } = request;
  const compensation = to === null ? null : await compensationOf(past, to);
  if (compensation !== null) return compensation;
  const target = await endTarget(past, request);
  // One that was terminated while it compensated goes on with that.
  return target === null && from.status === "Terminated" ? null : withUndone(past, target);
}

/**
 * What compensates may be done again by itself: nothing follows from an undo, and what follows from a step of
 * a function is of functions. All undos that failed are made again with the one that is named.
 */
async function compensationOf(past: Past, to: StepIdentity): Promise<Target | null> {
  const { asked } = await past.asRecorded();
  if (asked.get(to)?.compensates !== true) return null;
  const first = past.ended.find(({ step }) => step === to);
  if (first === undefined) return null;
  const undoes = undoneBy(to) !== null;
  const again = past.ended.filter(
    (step) => step === first || (undoes && isUndo(step) && step.state === "failed"),
  );
  const keeps = (step: StepRow) =>
    undoes || step.kind === "update" || (isUndo(step) && step.state === "done");
  return { step: first, seq: firstSeq(again), rows: new Set(again), keeps };
}

/** The effects of steps whose undo was made are gone: they are done again, whatever they had come to. */
function withUndone({ all, ended }: Past, target: Target | null): Target | null {
  const undos = ended.filter((step) => isUndo(step) && step.state === "done");
  const undone = new Set(undos.map(({ step }) => undoneBy(step)));
  const rows = all.filter(({ step }) => undone.has(step));
  const [first] = rows;
  if (first === undefined) return target;
  const seq = Math.min(target?.seq ?? Number.POSITIVE_INFINITY, firstSeq(rows), firstSeq(undos));
  return { step: target?.step ?? first, seq, rows: new Set([...(target?.rows ?? []), ...rows]) };
}

const isUndo = ({ step }: StepRow): boolean => undoneBy(step) !== null;

const firstSeq = (rows: readonly StepRow[]): number =>
  rows.reduce((first, { seq }) => Math.min(first, seq ?? first), Number.POSITIVE_INFINITY);

async function endTarget(past: Past, request: RewindRequest): Promise<Target | null> {
  const { to, from } = request;
  if (to === null && from.status === "Failed") return failedOf(past, from.error);
  const first = firstTakenBack(past.ended, request);
  return first === undefined ? null : takenBack(past, first);
}

/** The step that is asked for; the first one to fail, of one that has completed; the request to cancel it. */
function firstTakenBack(
  ended: readonly StepRow[],
  { to, from }: RewindRequest,
): StepRow | undefined {
  if (to !== null) return ended.find(({ step }) => step === to);
  if (from.status === "Completed") return ended.find(hasFailed);
  const cancelled = from.error !== null && decodeFailure(from.error).code === "CANCELLED";
  return cancelled ? ended.findLast(({ kind }) => kind === "cancel") : undefined;
}

/**
 * What an execution has failed of: the step that its error names, or else the last one to fail, unless
 * the code goes on without. Failures before it belong to it where nothing but failures came of them.
 */
async function failedOf(past: Past, error: string | null): Promise<Target | null> {
  const { ended } = past;
  const { driver, asked } = await past.asRecorded();
  const failsAgain = driver.divergence !== undefined || driver.end?.ok === false;
  const culprit =
    (error === null ? undefined : culpritOf(decodeFailure(error), ended)) ??
    (failsAgain ? ended.findLast(hasFailed) : undefined);
  if (culprit === undefined) return null;
  const target = takenBack(past, culprit);
  return driver.divergence === undefined ? withThoseBeside(past, target, asked) : target;
}

/**
 * The target with those that failed before it and of which nothing came but the end: nothing was asked for
 * at once, and without them the code asks for all that it asked for. That is tried with all of them, and with
 * those since anything was asked for last; else it stays as it is.
 */
async function withThoseBeside(
  past: Past,
  target: Target,
  asked: ReadonlyMap<StepIdentity, ReplayedAsk>,
): Promise<Target> {
  const isFailure = failureLike(target.step);
  const failures = past.ended.filter(isFailure);
  const failed = new Set(failures.map(({ step }) => step));
  const others = [...asked].filter(
    ([step, { ask, compensates }]) => !failed.has(step) && !compensates && ask.after < target.seq,
  );
  const dealtWith = new Set(others.map(([, { ask }]) => ask.after));
  const kept = others.reduce((last, [, { ask }]) => Math.max(last, ask.after), 0);
  for (const since of new Set([0, kept])) {
    const beside = failures.filter(({ seq }) => {
      const at = seq ?? 0;
      return at > since && at < target.seq && !dealtWith.has(at);
    });
    if (beside.length === 0) break;
    const rows = new Set([...beside, ...target.rows]);
    const { driver, asked: still } = await past.replay(rows);
    const goesOn = driver.divergence === undefined && others.every(([step]) => still.has(step));
    if (goesOn) return { ...target, seq: beside[0]?.seq ?? target.seq, rows };
  }
  return target;
}

/**
 * A wait that was not met in time is an outcome like others; it is gone back to where it is named. An undo that
 * failed is not what the execution has failed of.
 */
const hasFailed = (step: StepRow): boolean =>
  step.state === "failed" && step.kind !== "event" && step.kind !== "update" && !isUndo(step);

/** Whether a step has failed as that one has: beside a wait that timed out, others did. */
const failureLike =
  ({ kind, state }: StepRow) =>
  (step: StepRow): boolean =>
    hasFailed(step) || (kind === "event" && state === "failed" && step.state === "failed");

/** The failed step that an error, or one of its causes, is of. */
function culpritOf(error: Failure, ended: readonly StepRow[]): StepRow | undefined {
  for (let failure: Failure | undefined = error; failure; failure = failure.cause) {
    const { code, properties: { step: named } = {} } = failure;
    const found =
      code === "ACTIVITY_FAILED" || code === "CHILD_FAILED" || code === "ENTITY_FAILED"
        ? ended.find(({ step, state }) => state === "failed" && step === named)
        : code === "EVENT_TIMEOUT"
          ? ended.findLast(({ state, kind }) => state === "failed" && kind === "event")
          : code === "LOCK_TIMEOUT"
            ? ended.findLast(({ state, kind }) => state === "failed" && kind === "lock")
            : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The row, with the failures and the requests to cancel that were recorded after it. */
function takenBack({ ended }: Past, first: StepRow): Target {
  const seq = first.seq ?? 0;
  const later = ended.filter((step) => (step.seq ?? 0) >= seq && step.kind !== "rewind");
  // All that came after an update may have seen what it did: the code's variables tell of no order.
  if (first.kind === "update") return { step: first, seq, rows: new Set(later) };
  const isFailure = failureLike(first);
  const rows = later.filter((step) => isFailure(step) || step.kind === "cancel");
  return { step: first, seq, rows: new Set([first, ...rows]) };
}
