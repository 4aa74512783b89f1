/** What a rewind goes back to: the step that is asked for, or what the execution has ended with. */
import type { InstanceStatus } from "../core/documents.ts";
import { decodeFailure, type Failure } from "../core/failure.ts";
import type { StepIdentity } from "../core/names.ts";
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
  const { driver, asked } = await past.replay(new Set());
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
  const others = [...asked].filter(([step, { after }]) => !failed.has(step) && after < target.seq);
  const dealtWith = new Set(others.map(([, { after }]) => after));
  const kept = others.reduce((last, [, { after }]) => Math.max(last, after), 0);
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

/** A wait that was not met in time is an outcome like others; it is gone back to where it is named. */
const hasFailed = ({ state, kind }: StepRow): boolean => state === "failed" && kind !== "event";

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
      code === "ACTIVITY_FAILED" || code === "CHILD_FAILED"
        ? ended.find(({ step, state }) => state === "failed" && step === named)
        : code === "EVENT_TIMEOUT"
          ? ended.findLast(({ state, kind }) => state === "failed" && kind === "event")
          : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The row, with the failures and the requests to cancel that were recorded after it. */
function takenBack({ ended }: Past, first: StepRow): Target {
  const seq = first.seq ?? 0;
  const isFailure = failureLike(first);
  const later = ended.filter(
    (step) => (step.seq ?? 0) >= seq && (isFailure(step) || step.kind === "cancel"),
  );
  return { step: first, seq, rows: new Set([first, ...later]) };
}
