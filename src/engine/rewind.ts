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
import { type StoredText, textOf } from "../core/stored-text.ts";
import type { AnyWorkflow } from "../core/workflow.ts";
import type { Child, InstanceRow, StepRow } from "../store/rows.ts";
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
  /** Children that had not ended when the execution did, and messages whose answer it did not wait for. */
  readonly interrupted: readonly StepRow[];
  readonly mark: StepRow | undefined;
  /** The `seq` of what was recorded last. */
  readonly last: number;
}

/** What a rewind goes back to: rows that are taken back whatever the code does, of which this is the first. */
interface Target {
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
  const { undone, asked } =
    target === null ? { undone: [], asked: new Map() } : await past.without(target);
  const gone = new Set(undone);
  return {
    undone: undone.sort((a, b) => (a.asked ?? 0) - (b.asked ?? 0)),
    asked,
    interrupted: past.open.filter((step) => step.state === "cancelled" && !gone.has(step)),
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
  for (const step of plan.undone) {
    const redo = HAS_ATTEMPTS.has(step.kind) ? raise(step) : 0;
    const ask = plan.asked.get(step.step);
    if (step.kind === "event" && step.state === "done") {
      given.push({ seq: step.seq ?? 0, name: nameOf(step.step) });
    } else if (staysOpen(step, ask)) {
      rewinds.reopen({ id: step.id, due: dueOf(step, at), child: childAgain(step, redo) }, at);
    } else steps.delete(step.id);
  }
  if (given.length > 0) steps.giveBack(given);
  for (const step of plan.interrupted) {
    if (step.kind === "child") {
      const child = childAgain(step, step.child === null ? 0 : raise(step));
      if (child !== null) rewinds.setChild(step.id, child);
    } else if (step.kind === "entity") {
      // It was sent; what it comes to is in its row, or on its way.
      const { oneWay = false } = JSON.parse(step.child ?? "{}") as Partial<Child>;
      const { result, failure } = step;
      const answered = result !== null || failure !== null;
      const arrived = answered || (oneWay && !unanswered.has(step.step));
      steps.setState(step.id, arrived ? "arrived" : "sent", at);
    } else if (step.kind === "send") {
      // It is not to be sent twice.
      const failure = step.failure === null ? null : textOf(step.failure);
      if (unanswered.has(step.step)) steps.setState(step.id, "sent", at);
      else steps.setArrived(step.id, { result: null, failure, at });
    }
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
const HAS_ATTEMPTS: ReadonlySet<string> = new Set(["activity", "run", "child", "start", "entity"]);

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
function dueOf({ kind, input }: StepRow, at: number): number | null {
  if ((kind !== "timer" && kind !== "event") || input === null) return null;
  const given = decode(textOf(input));
  if (given instanceof Date) return given.getTime();
  return typeof given === "number" ? at + given : null;
}

/** A child that failed, or was ended with its parent, goes on from where it was, too. */
function childAgain({ child }: StepRow, redo: number): Child | null {
  return child === null ? null : { ...(JSON.parse(child) as Child), redo, rewinds: true };
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

  /**
   * What follows from taking the target back. A step that comes to bear the name of another one, because
   * fewer of its name come before it, is undone with those that come after it.
   */
  async without({ seq, rows }: Target): Promise<{
    undone: StepRow[];
    asked: ReadonlyMap<StepIdentity, ReplayedAsk>;
  }> {
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
        return { undone: [...gone], asked };
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

async function findTarget(past: Past, { to, from }: RewindRequest): Promise<Target | null> {
  const { ended } = past;
  if (to !== null) return takenBack(past, ended.find(({ step }) => step === to) ?? null);
  switch (from.status) {
    case "Completed":
      return takenBack(past, ended.find(hasFailed) ?? null);
    case "Terminated": {
      const asked = from.error !== null && decodeFailure(from.error).code === "CANCELLED";
      return takenBack(past, (asked && ended.findLast(({ kind }) => kind === "cancel")) || null);
    }
    default:
      return failedOf(past, from.error);
  }
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
  if (driver.divergence !== undefined) return takenBack(past, culprit);
  const failures = ended.filter((step) => step === culprit || hasFailed(step));
  const failed = new Set(failures.map(({ step }) => step));
  let kept = 0; // the last delivery after which the code has asked for what did not fail
  for (const [step, { after }] of asked) if (!failed.has(step)) kept = Math.max(kept, after);
  return takenBack(
    past,
    failures.find((step) => step === culprit || (step.seq ?? 0) > kept) ?? null,
  );
}

/** A wait that was not met in time is an outcome like others; it is gone back to where it is named. */
const hasFailed = ({ state, kind }: StepRow): boolean => state === "failed" && kind !== "event";

/** The failed step that an error, or one of its causes, is of. */
function culpritOf(error: Failure, ended: readonly StepRow[]): StepRow | undefined {
  for (let failure: Failure | undefined = error; failure; failure = failure.cause) {
    const { code, properties: { step: named } = {} } = failure;
    const found =
      code === "ACTIVITY_FAILED" || code === "CHILD_FAILED" || code === "ENTITY_FAILED"
        ? ended.find(({ step, state }) => state === "failed" && step === named)
        : code === "EVENT_TIMEOUT"
          ? ended.findLast(({ state, kind }) => state === "failed" && kind === "event")
          : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The row, with the failures and the requests to cancel that were recorded after it. */
function takenBack({ ended }: Past, first: StepRow | null): Target | null {
  if (first === null) return null;
  const seq = first.seq ?? 0;
  const later = ended.filter(
    (step) => (step.seq ?? 0) >= seq && (hasFailed(step) || step.kind === "cancel"),
  );
  return { seq, rows: new Set([first, ...later]) };
}
