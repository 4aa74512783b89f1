/**
 * What a message of another instance does to this one (W8): it is applied once, in one commit with the note
 * that it was. One for a past execution, or for a step that has ended, is answered and has no effect.
 */
import type { ParentReference } from "../core/child.ts";
import { isTerminal } from "../core/documents.ts";
import { WaymarkError } from "../core/errors.ts";
import { textOf } from "../core/stored-text.ts";
import type { InstanceRow } from "../store/rows.ts";
import { askChildren, outcomeOf, tellParent } from "./children.ts";
import { cancelInstance, rewindInstance, terminateInstance } from "./control.ts";
import type { Engine } from "./engine.ts";
import { acceptEvent } from "./events.ts";
import {
  type ControlChild,
  type Message,
  type MessageAnswer,
  refused,
  type StartChild,
} from "./message.ts";
import { newInstance } from "./new-instance.ts";
import { presentRow } from "./present.ts";

export function receive(engine: Engine, message: Message): MessageAnswer {
  const { from, number } = message;
  if (engine.inbox.has(from, number)) return { ok: true };
  try {
    apply(engine, message);
  } catch (error) {
    if (error instanceof WaymarkError) return refused(error);
    throw error;
  }
  engine.inbox.note(from, number, engine.host.now());
  return { ok: true };
}

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
    case "operation":
      throw new WaymarkError("OPERATION_NOT_FOUND", "an instance is no entity");
  }
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
  if (!isSameStep(parent, start.parent)) throw taken(existing, start.parent);
  if (parent.attempt === start.parent.attempt) {
    // It was started for this try before: its step was opened again since, and may have missed the result.
    if (isTerminal(existing.status)) tellParent(engine, existing, outcomeOf(endOf(existing)));
  } else if (isTerminal(existing.status) && !start.rewinds) {
    engine.steps.deleteAll();
    begin(engine, id, start);
  } else adopt(engine, existing, start);
}

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
  if (row.status === "Completed") tellParent(engine, row, outcomeOf(endOf(row)));
  else rewindInstance(engine, row, { to: null, reason: "its parent was rewound" });
}

function begin(engine: Engine, id: string, start: StartChild): void {
  const row = newInstance({ ...start, id }, engine.host);
  engine.instance.write(row);
  engine.begin(row);
}

const endOf = ({ status, output, error }: InstanceRow) => ({
  status: status as "Completed" | "Failed" | "Terminated",
  output: output === null ? null : textOf(output),
  error,
});

function taken({ id, workflow, status }: InstanceRow, { step }: ParentReference): WaymarkError {
  return new WaymarkError(
    "INSTANCE_EXISTS",
    `there is an instance "${id}" of ${workflow}, ${status}, which is no child of the step "${step}". ` +
      "Choose another id, or leave it out",
  );
}

function control(engine: Engine, { verb, reason, recursive, force, parent }: ControlChild): void {
  const row = engine.instance.read();
  if (row === undefined || !isSameStep(parentOf(row), parent)) return;
  const ended = isTerminal(row.status);
  switch (verb) {
    case "cancel":
      if (recursive) askChildren(engine, row, { verb, reason });
      if (!ended) cancelInstance(engine, row, reason);
      return;
    case "terminate":
      if (recursive) askChildren(engine, row, { verb, reason });
      if (!ended) terminateInstance(engine, row, reason);
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
