/** What the end of an execution means for its children, and for the parent whose child it is. */
import type { ParentReference } from "../core/child.ts";
import { decodeFailure, type Failure } from "../core/failure.ts";
import { ENCODED_UNDEFINED } from "../core/payload.ts";
import type { RecordKind } from "../core/step.ts";
import type { InstanceEnd } from "../store/instance-store.ts";
import type { Child, InstanceRow } from "../store/rows.ts";
import { controlOf } from "./correspondence.ts";
import type { Engine } from "./engine.ts";
import type { Answered, ControlChild } from "./message.ts";

/** What is asked of all children, whatever was said of their parent's end. */
export interface AskedOfChildren {
  readonly verb: ControlChild["verb"];
  readonly reason: string;
  readonly force?: boolean;
  readonly compensate?: boolean | undefined;
}

/** Asks all children something, and theirs. */
export function askChildren(engine: Engine, row: InstanceRow, asked: AskedOfChildren): void {
  const { verb, reason, force = false, compensate = false } = asked;
  const children = verb === "purge" ? allChildren(engine) : livingChildren(engine);
  for (const { step, child } of children) {
    const parent = { executionId: row.executionId, step };
    const how = { recursive: true, force, compensate };
    const content = controlOf(verb, reason, parent, how);
    engine.post({ target: child.id, executionId: row.executionId, step: null, content });
  }
}

/** The execution is over: does with its children what was said of its end. */
export function closeChildren(engine: Engine, row: InstanceRow): void {
  for (const { step, child } of livingChildren(engine)) {
    if (child.parentClose === "abandon") continue;
    const parent = { executionId: row.executionId, step };
    const content = controlOf(child.parentClose, "its parent has ended", parent);
    engine.post({ target: child.id, executionId: row.executionId, step: null, content });
  }
}

/**
 * The execution goes on after all: and so do the children that were to close with it. Those whose result it
 * waits for are told by the start of their step's next try.
 */
export function reopenChildren(engine: Engine, row: InstanceRow): void {
  for (const { step, kind, child } of livingChildren(engine)) {
    if (kind !== "start" || child.parentClose === "abandon") continue;
    const parent = { executionId: row.executionId, step };
    const content = controlOf("rewind", "its parent was rewound", parent);
    engine.post({ target: child.id, executionId: row.executionId, step: null, content });
  }
}

interface KnownChild {
  readonly step: string;
  readonly kind: RecordKind;
  readonly child: Child;
  /** It has ended, or was never started. */
  readonly over: boolean;
}

function allChildren(engine: Engine): KnownChild[] {
  if (!engine.outbox.exists) return []; // it has never started one
  const all = engine.steps.children().map(({ step, kind, state, child }) => {
    const over = state === "failed" || (kind === "child" && state === "done");
    return { step, kind, child: JSON.parse(child) as Child, over };
  });
  return all.filter(({ child }) => child.foreign !== true);
}

/** The children that may not have ended, as far as this instance knows. */
const livingChildren = (engine: Engine): KnownChild[] =>
  allChildren(engine).filter(({ over }) => !over);

/** Tells the parent how its child has ended. */
export function tellParent(engine: Engine, row: InstanceRow, outcome: Answered): void {
  if (row.parent === null) return;
  const parent = JSON.parse(row.parent) as ParentReference;
  if (!parent.awaited) return;
  const content = { kind: "result", parent, outcome } as const;
  engine.post({ target: parent.id, executionId: row.executionId, step: null, content });
}

/**
 * The end of an instance as its parent is told of it. One that was ended on purpose is not tried again, and
 * neither is one whose own code says so; what an activity of it says holds for the activity.
 */
export function outcomeOf({ status, output, error }: Omit<InstanceEnd, "at">): Answered {
  if (status === "Completed") return { ok: true, result: output ?? ENCODED_UNDEFINED };
  const failure = failureOf(error);
  const { code } = failure;
  const final =
    status === "Terminated" || code === "NON_RETRYABLE" || code === "COMPENSATION_FAILED";
  return { ok: false, failure, final };
}

const failureOf = (error: string | null): Failure =>
  error === null ? { type: "Error", message: "it failed" } : decodeFailure(error);
