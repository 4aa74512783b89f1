/**
 * A rewind: an execution that has ended goes on, from before what it goes back to.
 *
 * What it goes back to is taken back: the step itself, and failures recorded after it. Then the code is
 * replayed over what is left, as far as that goes. What it asks for there has not seen the outcome that was
 * taken back, and keeps its result; what it does not ask for followed from that outcome, and is undone.
 *
 * - A step whose undo was made is taken back as well, for its effect is gone. What compensated is not asked
 *   for any more, and goes. A rewind to an undo itself keeps all else, and goes on to compensate.
 * - The plan is made of a replay, and carried out in one commit, in the turn that begins the execution
 *   again (W2, W3). Until then the instance's row says that it is to be rewound; a crash makes the same plan.
 * - Numbers in the order of delivery are not given again: the mark of the rewind has the next one.
 */
import type { RewoundStep } from "../core/documents.ts";
import { nameOf, type StepIdentity, undoneBy } from "../core/names.ts";
import { decode } from "../core/payload.ts";
import type { Ask } from "../core/step.ts";
import { textOf } from "../core/stored-text.ts";
import type { AnyWorkflow } from "../core/workflow.ts";
import type { Child, InstanceRow, NewStepRow, StepRow } from "../store/rows.ts";
import { reopenChildren } from "./children.ts";
import type { Engine } from "./engine.ts";
import { lockAgain } from "./held-locks.ts";
import { isSame, Past } from "./past.ts";
import type { ReplayedAsk } from "./replay.ts";
import { findTarget, type RewindRequest } from "./rewind-target.ts";
import { shownState } from "./view.ts";

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
  /** Updates that keep their place, and whose reply had followed from what is taken back. */
  readonly unanswered: readonly StepRow[];
  /** The lock in whose section the code is when it has come that far: the end has released it. */
  readonly held: StepRow | undefined;
  /** The `seq` of what was recorded last. */
  readonly last: number;
}

interface Wait {
  readonly ask: Ask;
  readonly row: StepRow | undefined;
}

/**
 * @throws WaymarkError `NONDETERMINISM` where the code does not fit what was recorded before the target
 */
export async function planRewind(
  engine: Engine,
  row: InstanceRow,
  workflow: AnyWorkflow,
  request: RewindRequest,
  pause = () => engine.pause(),
): Promise<RewindPlan> {
  const past = new Past(engine.steps, row, workflow, pause);
  const target = await findTarget(past, request);
  const left = target === null ? await past.whole() : await past.without(target);
  const { asked, cancelled, unanswered, held } = left;
  const gone = new Set([...left.undone, ...strayUndos(past)]);
  const undone = [...gone];
  const stays = (step: StepRow) => !gone.has(step);
  return {
    undone: undone.sort((a, b) => (a.asked ?? 0) - (b.asked ?? 0)),
    asked,
    interrupted: past.open.filter(
      (step) => step.state === "cancelled" && stays(step) && !cancelled.has(step.step),
    ),
    waits: waitsOf(past.all.filter(stays), asked, cancelled),
    unanswered,
    held: past.ended.find(({ step }) => step === held),
    mark: past.ended.find(({ kind }) => kind === "rewind"),
    last: past.ended.at(-1)?.seq ?? 0,
  };
}

/** Undos of steps that had not ended when their execution was forked: the fork has never begun those. */
function strayUndos({ all, ended }: Past): StepRow[] {
  const known = new Set(all.map(({ step }) => step));
  return ended.filter(({ step }) => {
    const undone = undoneBy(step);
    return undone !== null && !known.has(undone);
  });
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
    if (step.kind === "update") continue;
    if (step.kind === "event" && step.state === "done") {
      given.push({ seq: step.seq ?? 0, name: nameOf(step.step) });
    } else if (staysOpen(step, ask)) {
      reopened.add(step.step);
      // An entity is no more than where a call goes: the row has it again once that is sent.
      const child = step.kind === "entity" ? null : childAgain(step, redo);
      rewinds.reopen({ id: step.id, due: dueOf(step, at), child }, at);
    } else steps.delete(step.id);
  }
  if (given.length > 0) steps.giveBack(given);
  giveUpdatesBack(engine, plan.undone);
  for (const { id } of plan.unanswered) steps.updates.reopen(id);
  for (const step of plan.interrupted) {
    if (step.kind === "child") {
      const child = childAgain(step, step.child === null ? 0 : raise(step));
      if (child !== null) rewinds.beginAgain(step.id, child);
    } else if (step.kind === "lock") {
      raise(step); // it is asked for anew
      steps.delete(step.id);
    } else if (step.kind === "entity" && step.child !== null) {
      // It was sent; what it comes to is in its row, or on its way.
      const { oneWay = false } = JSON.parse(step.child) as Child;
      const { result, failure } = step;
      const answered = result !== null || failure !== null;
      const arrived = answered || (oneWay && !unanswered.has(step.step));
      steps.setState(step.id, arrived ? "arrived" : "sent", at);
    } else if (step.kind === "send" || (step.kind === "start" && step.child !== null)) {
      // It is not to be sent twice: where a child was started, it may have been purged since.
      const failure = step.failure === null ? null : textOf(step.failure);
      if (unanswered.has(step.step)) steps.setState(step.id, "sent", at);
      else steps.setArrived(step.id, { result: null, failure, at });
    }
  }
  reopenChildren(engine, row);
  steps.locks.forgetAwaited();
  if (plan.held !== undefined) lockAgain(engine, row, plan.held, raise(plan.held));
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

/** Updates come again after the steps that they came after; each is told of those since the one before it. */
function giveUpdatesBack({ steps }: Engine, undone: readonly StepRow[]): void {
  let after: StepIdentity[] = [];
  const ended = undone.filter(({ seq }) => seq !== null);
  for (const { kind, step, seq } of ended.sort((a, b) => (a.seq ?? 0) - (b.seq ?? 0))) {
    if (kind === "update") {
      steps.updates.giveBack([seq ?? 0], after);
      after = [];
    } else if (kind !== "cancel") after.push(step);
  }
}

/** How often each step of an execution was done anew, from the row of its last rewind. */
export function redoneOf(mark: StepRow | undefined): ReadonlyMap<StepIdentity, number> {
  if (mark?.result == null) return new Map();
  return decode(textOf(mark.result)) as Map<StepIdentity, number>;
}

/** The kinds of step that have attempts, and so an idempotency key or a child of each. */
const HAS_ATTEMPTS: ReadonlySet<string> = new Set([
  "activity",
  "run",
  "child",
  "start",
  "entity",
  "lock",
]);

/** Whether a step's row serves its next attempt: the code asks for the very same again. */
function staysOpen({ kind, state, input }: StepRow, asked: ReplayedAsk | undefined): boolean {
  if (asked === undefined || asked.ask.request.kind !== kind || kind === "lock") return false;
  if (!isSame(input, asked.ask.input)) return false;
  return kind === "timer" || (state === "failed" && kind !== "send" && kind !== "start");
}

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
  const before = child === null ? null : (JSON.parse(child) as Child);
  // That of the execution that this one was forked from is left alone: the next try has one of its own.
  return before === null || before.foreign ? null : { ...before, redo, rewinds: true };
}
