/** Replays a stored history with the code as it is now, and says whether the two fit (W6, W7). */
import { releasedBefore } from "../core/critical-section.ts";
import { isTerminal } from "../core/documents.ts";
import type { WorkflowEnd } from "../core/driver.ts";
import { decodeFailure, type Failure, toFailure } from "../core/failure.ts";
import { completionOf, isStep, type StoredHistory, type StoredStep } from "../core/history.ts";
import { unlockIdentity } from "../core/names.ts";
import { encode } from "../core/payload.ts";
import { LOCKS_AWAITED, type RecordKind } from "../core/step.ts";
import type { AnyWorkflow } from "../core/workflow.ts";
import { replay } from "./replay.ts";

/** What became of a replay. */
export interface HistoryCheck {
  /** Whether an instance with this history can go on with this code. */
  readonly fits: boolean;
  /** What does not fit, in plain words; null where it fits. */
  readonly problem: string | null;
  /**
   * Recorded steps that the code does not ask for: not any more, or only after what is `next`. They
   * do no harm: the instance goes on.
   */
  readonly unasked: readonly string[];
  /**
   * Steps whose payloads are left out of the history because they are sensitive. From the first of their results
   * on the code cannot be replayed, and nothing is said of it; `(input)` stands for the workflow's own input. Not
   * there where nothing is left out.
   */
  readonly withheld?: readonly string[];
  /** Steps the code asks for next, of which nothing is recorded; none once it has ended. */
  readonly next: readonly string[];
}

/**
 * Checks that instances with this history can go on with the workflow's present code. Keep histories
 * of real runs beside your tests, and a change that would suspend running instances fails there.
 *
 * The workflow's function runs, its activities do not: their recorded results are delivered.
 *
 * @param workflow the definition as it is now
 * @param history one exported with `GET /v1/instances/{id}/export`, or by a test
 * @example
 * const history = JSON.parse(readFileSync("test/histories/order-17.json", "utf8"));
 * expect(await checkHistory(order, history)).toMatchObject({ fits: true });
 */
export async function checkHistory(
  workflow: AnyWorkflow,
  history: StoredHistory,
): Promise<HistoryCheck> {
  const withheld = withheldOf(history);
  if (history.sensitive) return unread(workflow, history, withheld);
  const recorded = new Map(
    history.steps.filter(isStep).map((step) => [step.step, recordedOf(step)]),
  );
  const { id: instanceId, executionId, version, parent = null, startedAt, input } = history;
  const { seeds = [] } = history;
  const ended = history.steps.filter(hasEnded).sort(bySeq);
  const known = ended.slice(0, firstWithheld(ended));
  const whole = known.length === ended.length;
  const execution = {
    ...{ instanceId, executionId, version, parent, input },
    startedAt: startedAt ?? 0,
    seeds,
    history: known.map(completionOf),
    recorded: (identity: string) => recorded.get(identity),
  };
  const { driver, asked } = await replay(workflow, execution, drained);
  const cancelled = new Set(driver.takeCancelled());
  const awaited = [...asked.keys()].filter((step) => !cancelled.has(step));
  const { end, divergence } = driver;
  const last = known.at(-1)?.seq ?? 0;
  const isReached = (seq: number | null) => whole || (seq !== null && seq <= last);
  const waits = end === undefined && !driver.handlers.takesUpdates;
  const stalled = waits && !awaited.some((step) => recorded.get(step)?.seq == null);
  const problem =
    formatProblem(history) ??
    definitionProblem(workflow, history) ??
    divergence?.message ??
    (whole ? (lockProblem(driver.lock, recorded) ?? endProblem(history, end)) : null) ??
    (whole && stalled && !isTerminal(history.status) ? STALLED : null);
  return {
    fits: problem === null,
    problem,
    unasked: [...recorded.values()].flatMap(({ step, kind, seq }) =>
      isAsked(kind) && step !== LOCKS_AWAITED && !asked.has(step) && isReached(seq) ? [step] : [],
    ),
    ...(withheld.length === 0 ? {} : { withheld }),
    next: end === undefined ? awaited.filter((step) => !recorded.has(step)) : [],
  };
}

const recordedOf = ({ sensitive, ...step }: StoredStep) => ({
  ...step,
  ...(sensitive ? { sensitive: 1, withheld: true } : {}),
});

/** The first end that cannot be delivered: what it brought is left out. */
function firstWithheld(ended: readonly EndedStep[]): number {
  const first = ended.findIndex(({ sensitive }) => sensitive);
  return first === -1 ? ended.length : first;
}

const withheldOf = ({ sensitive, steps }: StoredHistory): string[] => [
  ...(sensitive ? ["(input)"] : []),
  ...steps.filter((step) => step.sensitive).map(({ step }) => step),
];

/** Without the input the code cannot even begin. */
function unread(
  workflow: AnyWorkflow,
  history: StoredHistory,
  withheld: readonly string[],
): HistoryCheck {
  const problem = formatProblem(history) ?? definitionProblem(workflow, history);
  return { fits: problem === null, problem, unasked: [], withheld, next: [] };
}

/** Whether the code asks for what is recorded under that kind; else it comes from outside. */
const isAsked = (kind: RecordKind): boolean =>
  kind !== "cancel" && kind !== "rewind" && kind !== "update";

type EndedStep = StoredStep & { readonly seq: number };

const hasEnded = (step: StoredStep): step is EndedStep => step.seq !== null;

const bySeq = (a: EndedStep, b: EndedStep): number => a.seq - b.seq;

const STALLED =
  "every step that the code has asked for has ended, and it awaits something that no step settles";

function formatProblem({ format }: { readonly format: unknown }): string | null {
  return format === 1 ? null : `the history has the format ${format}; this version reads format 1`;
}

/** An instance finds its code by name and version: under others it would not go on. */
function definitionProblem(workflow: AnyWorkflow, history: StoredHistory): string | null {
  if (workflow.name === history.workflow && workflow.version === history.version) return null;
  return (
    `the history is of "${history.workflow}" version "${history.version}", ` +
    `and the definition is "${workflow.name}" version "${workflow.version}"`
  );
}

function lockProblem(
  lock: string | null,
  recorded: ReadonlyMap<string, Pick<StoredStep, "seq">>,
): string | null {
  const released = lock !== null && recorded.get(unlockIdentity(lock))?.seq != null;
  return released ? releasedBefore(lock).message : null;
}

/** An execution that ended must end the same way on replay; one that did not may not end at all yet. */
function endProblem(history: StoredHistory, end: WorkflowEnd | undefined): string | null {
  const was = recordedEnd(history);
  if (was === null) return null;
  const is = end === undefined ? "waits for another step" : presentEnd(end, history.workflow);
  return was === is ? null : `the instance ${was}; on replay the code ${is}`;
}

function recordedEnd({ status, output, error }: StoredHistory): string | null {
  if (status === "Completed") return `completed with ${output}`;
  if (status !== "Failed" || error === null) return null;
  return failedWith(decodeFailure(error));
}

function presentEnd(end: WorkflowEnd, workflow: string): string {
  if ("next" in end) return `continued as new with ${end.next.input}`;
  if (!end.ok) return failedWith(toFailure(end.error));
  try {
    return `completed with ${encode(end.output, `the output of "${workflow}"`)}`;
  } catch (error) {
    return failedWith(toFailure(error)); // an output that cannot be stored fails the instance
  }
}

const failedWith = ({ type, message }: Failure): string => `failed with ${type}: ${message}`;

/** Resolves when every promise job that can run has run. */
function drained(): Promise<void> {
  const { setImmediate: soon } = globalThis as { setImmediate?: (job: () => void) => unknown };
  return new Promise((resolve) => {
    if (soon === undefined) setTimeout(resolve, 0);
    else soon(resolve);
  });
}
