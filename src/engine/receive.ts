/**
 * What a message of another instance does to this one (W8): it is applied once, or refused for good, in one
 * commit with the note of it. One for a past execution, or for a step that has ended, is answered and has no effect.
 */
import type { ParentReference } from "../core/child.ts";
import { isTerminal } from "../core/documents.ts";
import { WaymarkError } from "../core/errors.ts";
import { decodeFailure, encodeFailure, engineFailure } from "../core/failure.ts";
import { ENCODED_UNDEFINED } from "../core/payload.ts";
import { textOf } from "../core/stored-text.ts";
import type { Noted } from "../store/inbox-store.ts";
import type { InstanceRow } from "../store/rows.ts";
import { askChildren, outcomeOf, tellParent } from "./children.ts";
import { cancelInstance, rewindInstance, terminateInstance } from "./control.ts";
import { redoOf } from "./correspondence.ts";
import type { Engine } from "./engine.ts";
import { acceptEvent } from "./events.ts";
import { grantedAgain, holdsLock } from "./held-locks.ts";
import {
  type ControlChild,
  type LockMessage,
  type Message,
  type MessageAnswer,
  refused,
  type StartChild,
} from "./message.ts";
import { newInstance } from "./new-instance.ts";
import { presentRow } from "./present.ts";

export function receive(engine: Engine, message: Message): MessageAnswer {
  const { from, number } = message;
  const noted = engine.inbox.find(from, number);
  if (noted !== undefined) return answerOf(noted);
  let refusal: string | null = null;
  try {
    engine.keys.checkWritable();
    apply(engine, message);
  } catch (error) {
    if (!(error instanceof WaymarkError)) throw error;
    if (error.retryable) return refused(error);
    refusal = encodeFailure(engineFailure(error));
  }
  if (keepsNotes(engine)) engine.inbox.note(from, number, { refusal }, engine.host.now());
  return answerOf({ refusal });
}

/** A refusal stands, whatever has changed since: its sender was told, or will be. */
const answerOf = ({ refusal }: Noted): MessageAnswer =>
  refusal === null
    ? { ok: true }
    : { ok: false, failure: decodeFailure(refusal), retryable: false };

/**
 * Where no instance is, and none was lately, a message had no effect. A note of it would stay for ever: nothing
 * wakes such an object.
 */
const keepsNotes = ({ instance, tombstone }: Engine): boolean =>
  instance.exists || tombstone.read() !== undefined;

function apply(engine: Engine, { to, content }: Message): void {
  switch (content.kind) {
    case "start":
      startChild(engine, to, content);
      return;
    case "event":
      acceptEvent(engine, presentRow(engine, to), content);
      return;
    case "result":
      engine.conclude(content.parent, content.outcome);
      return;
    case "control":
      control(engine, content);
      return;
    case "grant":
    case "probe":
      answerEntity(engine, content);
      return;
    case "operation":
    case "lock":
    case "unlock":
      throw new WaymarkError("OPERATION_NOT_FOUND", "an instance is no entity");
  }
}

/**
 * An entity says that its lock is granted, or asks whether it is held: where it is not, the refusal releases it.
 *
 * @throws WaymarkError `LOCK_NOT_HELD`
 */
function answerEntity(engine: Engine, { kind, caller, entity = "" }: LockMessage): void {
  const held = holdsLock(engine, caller);
  // What it has sent before its release is on the way, too, and belongs to the section.
  const releases = !held && engine.outbox.unlocking(caller.executionId).includes(entity);
  if (releases) return;
  if (!held) {
    throw new WaymarkError(
      "LOCK_NOT_HELD",
      `the instance "${caller.id}" does not hold the lock "${caller.step}" of that execution`,
    );
  }
  if (kind === "probe" || grantedAgain(engine, caller, entity)) return;
  engine.conclude(caller, { ok: true, result: ENCODED_UNDEFINED });
}

/** @throws WaymarkError `INSTANCE_EXISTS` where the id is another's */
function startChild(engine: Engine, id: string, start: StartChild): void {
  const existing = engine.instance.read();
  if (existing === undefined) {
    engine.tombstone.clear();
    begin(engine, id, start);
    return;
  }
  const parent = parentOf(existing);
  if (isOfPastExecution(parent, start.parent) && isTerminal(existing.status)) {
    engine.forsake(existing, null);
    begin(engine, id, start);
  } else if (!isSameStep(parent, start.parent)) throw taken(existing, start.parent);
  else if (parent.attempt === start.parent.attempt) {
    // It was started for this try before: its step was opened again since, and may have missed the result.
    if (isTerminal(existing.status))
      tellParent(engine, existing, outcomeOf(endOf(engine, existing)));
  } else if (!start.rewinds && (isTerminal(existing.status) || isUndone(parent, start.parent))) {
    engine.forsake(existing, null);
    begin(engine, id, start);
  } else adopt(engine, existing, start);
}

/** Whether it was started by an earlier execution of that parent, which was restarted or has gone on as new. */
const isOfPastExecution = (before: ParentReference | null, { id, executionId }: ParentReference) =>
  before?.id === id && before.executionId !== executionId;

/** Whether a rewind has undone the step that it was started for: what it makes of its input counts no more. */
const isUndone = (before: ParentReference, { attempt }: ParentReference): boolean =>
  redoOf(before.attempt) !== redoOf(attempt);

/** Another try of its parent's step waits for it; where that is a rewind, it goes on from where it failed. */
function adopt(
  engine: Engine,
  existing: InstanceRow,
  { parent, rewinds = false }: StartChild,
): void {
  const row = { ...existing, parent: JSON.stringify(parent) };
  engine.instance.setParent(row.parent);
  engine.become(row);
  if (!rewinds || !isTerminal(row.status)) return;
  if (row.status === "Completed") tellParent(engine, row, outcomeOf(endOf(engine, row)));
  else rewindInstance(engine, row, { to: null, reason: "its parent was rewound" });
}

function begin(engine: Engine, id: string, start: StartChild): void {
  const row = newInstance({ ...start, id }, engine.host, engine.registry);
  engine.instance.write(row);
  engine.begin(row);
}

const endOf = (engine: Engine, { status, output }: InstanceRow) => ({
  status: status as "Completed" | "Failed" | "Terminated",
  output: output === null ? null : textOf(output),
  error: engine.instance.error(),
});

function taken({ id, workflow, status }: InstanceRow, { step }: ParentReference): WaymarkError {
  return new WaymarkError(
    "INSTANCE_EXISTS",
    `there is an instance "${id}" of ${workflow}, ${status}, which is no child of the step "${step}". ` +
      "Choose another id, or leave it out",
  );
}

function control(engine: Engine, asked: ControlChild): void {
  const { verb, reason, recursive, force, compensate, parent } = asked;
  const row = engine.instance.read();
  if (row === undefined || !isSameStep(parentOf(row), parent)) return;
  const ended = isTerminal(row.status);
  switch (verb) {
    case "cancel":
      if (recursive) askChildren(engine, row, { verb, reason });
      if (!ended) cancelInstance(engine, row, reason);
      return;
    case "terminate":
      if (recursive) askChildren(engine, row, { verb, reason, compensate });
      if (!ended) terminateInstance(engine, row, reason, compensate);
      return;
    case "rewind":
      if (row.status === "Terminated") rewindInstance(engine, row, { to: null, reason });
      return;
    case "purge":
      if (!ended && !force) return;
      if (recursive) askChildren(engine, row, { verb, reason, force });
      if (!ended) terminateInstance(engine, row, reason);
      engine.purge(presentRow(engine, row.id));
  }
}

function parentOf({ parent }: InstanceRow): ParentReference | null {
  return parent === null ? null : (JSON.parse(parent) as ParentReference);
}

function isSameStep(
  parent: ParentReference | null,
  { executionId, step }: Pick<ParentReference, "executionId" | "step">,
): parent is ParentReference {
  return parent !== null && parent.executionId === executionId && parent.step === step;
}
