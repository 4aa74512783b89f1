/**
 * A rewind: an execution that has ended goes on, from before what it goes back to.
 *
 * What it goes back to is taken back: the step itself, and failures recorded after it. Then the code is
 * replayed over what is left, as far as that goes. What it asks for there has not seen the outcome that was
 * taken back, and keeps its result; what it does not ask for followed from that outcome, and is undone.
 *
 * - The plan is made of a replay, and carried out in one commit, in the turn that begins the execution
 *   again (W2, W3). Until then the instance's row says that it is to be rewound; a crash makes the same plan.
 * - Numbers in the order of delivery are not given again: the mark of the rewind has the next one.
 */
import type { ParentReference } from "../core/child.ts";
import type { InstanceStatus, RewoundStep } from "../core/documents.ts";
import { decodeFailure, type Failure } from "../core/failure.ts";
import { nameOf, type StepIdentity } from "../core/names.ts";
import { decode } from "../core/payload.ts";
import type { Ask } from "../core/step.ts";
import { type StoredText, textOf } from "../core/stored-text.ts";
import type { AnyWorkflow } from "../core/workflow.ts";
import type { Child, InstanceRow, NewStepRow, StepRow } from "../store/rows.ts";
import { reopenChildren } from "./children.ts";
import type { Engine } from "./engine.ts";
import { rowCompletion } from "./export-history.ts";
import { type Replay, type ReplayedAsk, replay } from "./replay.ts";
import { shownState } from "./view.ts";

/** What an instance's row says of a rewind that is asked for and not carried out yet. */
export interface RewindRequest {
  /** The step to go back to; null for whatever the execution has ended with. */
  readonly to: StepIdentity | null;
  readonly reason: string | null;
  /** How it had ended. */
  readonly from: { readonly status: InstanceStatus; readonly error: string | null };
}

/** What a rewind does to the rows. */
export interface RewindPlan {
  /** Rows that lose their place, in the order of the code. */
  readonly undone: readonly StepRow[];
  /** What the code asks for without them. */
  readonly asked: ReadonlyMap<StepIdentity, ReplayedAsk>;
  /** Children that had not ended when the execution did, and events and starts whose answer it did not wait for. */
  readonly interrupted: readonly StepRow[];
  /** Timers, and waits with a timeout, that the code is in when it has come that far; with their rows, if any. */
  readonly waits: readonly Wait[];
  readonly mark: StepRow | undefined;
  /** The `seq` of what was recorded last. */
  readonly last: number;
}

interface Wait {
  readonly ask: Ask;
  readonly row: StepRow | undefined;
}

/** What a rewind goes back to: rows that are taken back whatever the code does, of which this is the first. */
interface Target {
  readonly first: StepRow;
  readonly seq: number;
  readonly rows: ReadonlySet<StepRow>;
}

/**
 * @throws WaymarkError `NONDETERMINISM` where the code does not fit what was recorded before the target
 */
export async function planRewind(
  engine: Engine,
  row: InstanceRow,
  workflow: AnyWorkflow,
  request: RewindRequest,
): Promise<RewindPlan> {
  const past = new Past(engine, row, workflow);
  const target = await findTarget(past, request);
  const { undone, asked, cancelled } =
    target === null ? await past.whole() : await past.without(target);
  const gone = new Set(undone);
  const stays = (step: StepRow) => !gone.has(step);
  return {
    undone: undone.sort((a, b) => (a.asked ?? 0) - (b.asked ?? 0)),
    asked,
    interrupted: past.open.filter(
      (step) => step.state === "cancelled" && stays(step) && !cancelled.has(step.step),
    ),
    waits: waitsOf(past.all.filter(stays), asked, cancelled),
    mark: past.ended.find(({ kind }) => kind === "rewind"),
    last: past.ended.at(-1)?.seq ?? 0,
  };
}

/** The steps of a plan that are done again, as people read of them. */
export const stepsOf = ({ undone }: RewindPlan): RewoundStep[] =>
  undone
    .filter(({ kind }) => kind !== "cancel")
    .map(({ step, kind, state, child }) => ({
      step,
      name: nameOf(step),
      kind,
      state: shownState(state),
      ...(child === null ? {} : { instanceId: (JSON.parse(child) as Child).id }),
    }));

/** Carries a plan out. The execution begins again with what is left. */
export function applyRewind(
  engine: Engine,
  row: InstanceRow,
  plan: RewindPlan,
  request: RewindRequest,
): void {
  const { steps, rewinds } = engine;
  const at = engine.host.now();
  const redone = new Map(redoneOf(plan.mark));
  const raise = ({ step }: StepRow): number => {
    const count = (redone.get(step) ?? 0) + 1;
    redone.set(step, count);
    return count;
  };
  const unanswered = new Set(
    engine.outbox
      .pending()
      .map((message) => message.executionId === row.executionId && message.step),
  );
  const given: { seq: number; name: string }[] = [];
  const reopened = new Set<StepIdentity>();
  for (const step of plan.undone) {
    const redo = HAS_ATTEMPTS.has(step.kind) ? raise(step) : 0;
    const ask = plan.asked.get(step.step);
    if (step.kind === "event" && step.state === "done") {
      given.push({ seq: step.seq ?? 0, name: nameOf(step.step) });
    } else if (staysOpen(step, ask)) {
      reopened.add(step.step);
      rewinds.reopen({ id: step.id, due: dueOf(step, at), child: childAgain(step, redo) }, at);
    } else steps.delete(step.id);
  }
  if (given.length > 0) steps.giveBack(given);
  for (const step of plan.interrupted) {
    if (step.kind === "child") {
      const child = childAgain(step, step.child === null ? 0 : raise(step));
      if (child !== null) rewinds.beginAgain(step.id, child);
    } else if (step.kind === "send" || (step.kind === "start" && step.child !== null)) {
      // It is not to be sent twice: where a child was started, it may have been purged since.
      const failure = step.failure === null ? null : textOf(step.failure);
      if (unanswered.has(step.step)) steps.setState(step.id, "sent", at);
      else steps.setArrived(step.id, { result: null, failure, at });
    }
  }
  reopenChildren(engine, row);
  for (const { ask, row } of plan.waits) {
    const left = row?.due == null ? undefined : Math.max(0, row.due - row.at);
    if (row !== undefined && left !== undefined) rewinds.setDue(row.id, at + left, at);
    else if (row === undefined && !reopened.has(ask.identity)) steps.insert(openWait(ask, at));
  }
  rewinds.forgetSecondCancel();
  const { to, reason } = request;
  const count = (plan.mark?.attempt ?? 0) + 1;
  rewinds.mark({ seq: plan.last + 1, count, to, reason, redone, at });
  engine.instance.setRewound();
}

/** How often each step of an execution was done anew, from the row of its last rewind. */
export function redoneOf(mark: StepRow | undefined): ReadonlyMap<StepIdentity, number> {
  if (mark?.result == null) return new Map();
  return decode(textOf(mark.result)) as Map<StepIdentity, number>;
}

/** The kinds of step that have attempts, and so an idempotency key or a child of each. */
const HAS_ATTEMPTS: ReadonlySet<string> = new Set(["activity", "run", "child", "start"]);

/** Whether a step's row serves its next attempt: the code asks for the very same again. */
function staysOpen({ kind, state, input }: StepRow, asked: ReplayedAsk | undefined): boolean {
  if (asked === undefined || asked.ask.request.kind !== kind) return false;
  if (!isSame(input, asked.ask.input)) return false;
  return kind === "timer" || (state === "failed" && kind !== "send" && kind !== "start");
}

const differs = ({ input }: StepRow, asked: ReplayedAsk | undefined): boolean =>
  asked !== undefined && !isSame(input, asked.ask.input);

const isSame = (recorded: StoredText | null, asked: string | null): boolean =>
  recorded === null || asked === null ? recorded === asked : textOf(recorded) === asked;

/** What is waited for again is waited for as long as the first time. */
function dueOf({ kind, input }: Pick<StepRow, "kind" | "input">, at: number): number | null {
  if ((kind !== "timer" && kind !== "event") || input === null) return null;
  const given = decode(textOf(input));
  if (given instanceof Date) return given.getTime();
  return typeof given === "number" ? at + given : null;
}

/**
 * What the code waits for with a clock, and has waited for before the end or would have. Such a clock stands
 * still while the instance has ended: else it would be over before what is done again had its chance.
 */
function waitsOf(
  left: readonly StepRow[],
  asked: ReadonlyMap<StepIdentity, ReplayedAsk>,
  cancelled: ReadonlySet<StepIdentity>,
): Wait[] {
  const rows = new Map(left.map((step) => [step.step, step]));
  return [...asked.values()].flatMap(({ ask }) => {
    const row = rows.get(ask.identity);
    const over = cancelled.has(ask.identity) || (row !== undefined && row.seq !== null);
    return over || !hasClock(ask) ? [] : [{ ask, row }];
  });
}

/** Whether it waits for a length of time, and not for a moment, or for ever. */
const hasClock = ({ request: { kind }, input }: Ask): boolean =>
  (kind === "timer" || kind === "event") && input !== null && typeof decode(input) === "number";

function openWait({ identity, ordinal, request: { kind }, input }: Ask, at: number): NewStepRow {
  const due = dueOf({ kind, input }, at);
  return {
    ...{ seq: null, step: identity, kind, state: "open", asked: ordinal, attempt: 0, due, input },
    ...{ result: null, failure: null, lastProcessedId: null, progress: null, child: null },
    ...{ startedAt: null, at },
  };
}

/** A child that failed, or was ended with its parent, goes on from where it was, too. */
function childAgain({ child }: StepRow, redo: number): Child | null {
  return child === null ? null : { ...(JSON.parse(child) as Child), redo, rewinds: true };
}

/** What is undone, and what the code asks for, and has cancelled, without it. */
interface Left {
  readonly undone: StepRow[];
  readonly asked: ReadonlyMap<StepIdentity, ReplayedAsk>;
  readonly cancelled: ReadonlySet<StepIdentity>;
}

/** What is recorded of an execution, and what its code makes of parts of it. */
class Past {
  /** In the order of delivery. */
  readonly ended: readonly StepRow[];
  readonly open: readonly StepRow[];
  readonly all: readonly StepRow[];
  readonly #engine: Engine;
  readonly #row: InstanceRow;
  readonly #workflow: AnyWorkflow;

  constructor(engine: Engine, row: InstanceRow, workflow: AnyWorkflow) {
    this.#engine = engine;
    this.#row = row;
    this.#workflow = workflow;
    this.ended = engine.steps.ended();
    this.open = engine.steps
      .unended()
      .filter(({ state, kind }) => state !== "buffered" && kind !== "cancel");
    this.all = [...this.ended, ...this.open];
  }

  /** What the code does where these rows are not there, and the row at which it no longer fits. */
  async replay(
    gone: ReadonlySet<StepRow>,
  ): Promise<Replay & { readonly misfit: StepRow | undefined }> {
    const { id: instanceId, executionId, version, input, startedAt, createdAt } = this.#row;
    const parent =
      this.#row.parent === null ? null : (JSON.parse(this.#row.parent) as ParentReference);
    const left = (step: StepRow) => !gone.has(step);
    const rows = new Map(this.all.filter(left).map((step) => [step.step, step]));
    let compared: StepRow | undefined;
    const execution = {
      ...{ instanceId, executionId, version, parent, input: textOf(input) },
      startedAt: startedAt ?? createdAt,
      history: this.ended.filter(left).map(rowCompletion),
      recorded: (identity: StepIdentity) => {
        compared = rows.get(identity);
        return compared;
      },
    };
    const replayed = await replay(this.#workflow, execution, () => this.#engine.pause());
    const misfit = replayed.driver.divergence === undefined ? undefined : compared;
    return { ...replayed, misfit };
  }

  /** Where nothing is taken back. */
  async whole(): Promise<Left> {
    const { driver, asked } = await this.replay(new Set());
    if (driver.divergence !== undefined) throw driver.divergence;
    return { undone: [], asked, cancelled: new Set(driver.takeCancelled()) };
  }

  /**
   * What follows from taking the target back. A step that comes to bear the name of another one, because
   * fewer of its name come before it, is undone with those that come after it.
   */
  async without({ seq, rows }: Target): Promise<Left> {
    const gone = new Set(rows);
    for (;;) {
      const { driver, asked, misfit } = await this.replay(gone);
      if (driver.divergence === undefined) {
        const left = this.all.filter((step) => !gone.has(step) && mayFollow(step, seq));
        // A key stands for any input, but what came of another one is not what came of this.
        const changed = left.filter((step) => differs(step, asked.get(step.step)));
        for (const step of changed) gone.add(step);
        if (changed.length > 0) continue;
        for (const step of left) if (!asked.has(step.step)) gone.add(step);
        return { undone: [...gone], asked, cancelled: new Set(driver.takeCancelled()) };
      }
      if (misfit === undefined || !mayFollow(misfit, seq)) throw driver.divergence;
      for (const step of this.all) {
        if (step === misfit || isLaterNamesake(step, misfit)) gone.add(step);
      }
    }
  }
}

/** Whether a step may have seen what is taken back: it had not ended before. */
const mayFollow = ({ seq, kind, state }: StepRow, taken: number): boolean =>
  (seq === null || seq >= taken) && kind !== "rewind" && kind !== "cancel" && state !== "orphaned";

/** Whether a step without a key comes after another one of its name. */
function isLaterNamesake(step: StepRow, other: StepRow): boolean {
  const name = nameOf(other.step);
  const counted = ({ step: identity }: StepRow) =>
    identity === name || identity.startsWith(`${name}#`);
  return counted(other) && counted(step) && (step.asked ?? 0) >= (other.asked ?? 0);
}

async function findTarget(past: Past, request: RewindRequest): Promise<Target | null> {
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
  const isFailure = failureLike(target.first);
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
  return { first, seq, rows: new Set([first, ...later]) };
}
