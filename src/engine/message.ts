/**
 * What instances send one another (W8). A message is numbered within the execution that sends it, is sent
 * again until it is answered, and is applied once.
 */
import type { ParentReference } from "../core/child.ts";
import { WaymarkError } from "../core/errors.ts";
import { engineFailure, type Failure, toFailure } from "../core/failure.ts";
import { decode, type Encoded, encode } from "../core/payload.ts";
import { type Registry, startInput } from "../core/workflow.ts";

/** Starts a child. */
export interface StartChild {
  readonly kind: "start";
  readonly workflow: string;
  readonly version: string;
  readonly input: Encoded;
  readonly tags: { readonly [name: string]: string };
  readonly startAt: number | undefined;
  /** The id of the child's execution: a repeated start is the same one. */
  readonly executionId: string;
  readonly parent: ParentReference;
  /** Whether one that was started for the step before is to go on, and not to be started anew. */
  readonly rewinds?: boolean;
  /** What it is given and comes to is not shown. */
  readonly sensitive?: boolean;
}

/** Tells a parent how its child ended. */
export interface ChildResult {
  readonly kind: "result";
  readonly parent: ParentReference;
  readonly outcome: Answered;
}

/** Asks something of a child. One that belongs to another step by now does not heed it. */
export interface ControlChild {
  readonly kind: "control";
  readonly verb: "cancel" | "terminate" | "purge" | "rewind";
  readonly reason: string;
  readonly recursive: boolean;
  /** For a purge: whether one that has not ended is ended first. */
  readonly force: boolean;
  /** For a terminate: what has begun is undone first. */
  readonly compensate?: boolean;
  readonly parent: Pick<ParentReference, "executionId" | "step">;
}

export interface SentEvent {
  readonly kind: "event";
  readonly event: string;
  readonly payload: Encoded;
  /** Its payload is not shown. */
  readonly sensitive?: boolean;
}

/** Runs an operation of an entity: the message's target. */
export interface SentOperation {
  readonly kind: "operation";
  readonly operation: string;
  readonly input: Encoded;
  /** When it is to run, in milliseconds since 1970; null for at once. */
  readonly at: number | null;
  /** The step that sent it; null where an entity did. */
  readonly caller: ParentReference | null;
}

/**
 * What passes between an execution and an entity about a lock: `lock` asks for it, `unlock` gives it back or takes the
 * request back; `grant` is the entity's answer, and with `probe` it asks whether it is still held.
 */
export interface LockMessage {
  readonly kind: "lock" | "unlock" | "grant" | "probe";
  /** The try of the step that locks. */
  readonly caller: ParentReference;
  /** The entity, where it is the sender. */
  readonly entity?: string;
}

export type MessageContent =
  | StartChild
  | ChildResult
  | ControlChild
  | SentEvent
  | SentOperation
  | LockMessage;

/** What of a message may be large; null where nothing. */
export function payloadOf(content: MessageContent): Encoded | null {
  switch (content.kind) {
    case "start":
    case "operation":
      return content.input;
    case "event":
      return content.payload;
    case "result":
      return content.outcome.ok ? content.outcome.result : null;
    case "control":
    case "lock":
    case "unlock":
    case "grant":
    case "probe":
      return null;
  }
}

/** The message with this in the place of what may be large. */
export function withPayload(content: MessageContent, payload: Encoded): MessageContent {
  switch (content.kind) {
    case "start":
    case "operation":
      return { ...content, input: payload };
    case "event":
      return { ...content, payload };
    case "result":
      return content.outcome.ok ? { ...content, outcome: { ok: true, result: payload } } : content;
    case "control":
    case "lock":
    case "unlock":
    case "grant":
    case "probe":
      return content;
  }
}

/** The step that a message is of, where it has tries that must be told apart. */
export function callerOf(content: MessageContent): ParentReference | null {
  if (content.kind === "start") return content.parent;
  return content.kind === "operation" || content.kind === "lock" ? content.caller : null;
}

export interface Message {
  /** The id of the instance it goes to. */
  readonly to: string;
  /** The execution that sends it. */
  readonly from: string;
  readonly number: number;
  readonly content: MessageContent;
}

/** What became of a step that waits for another instance. */
export type Answered =
  | { readonly ok: true; readonly result: Encoded }
  /** `final`: another try cannot help. */
  | { readonly ok: false; readonly failure: Failure; readonly final: boolean };

/** Whether a message was applied; if not, whether it may be when it is sent again. */
export type MessageAnswer =
  | { readonly ok: true }
  | { readonly ok: false; readonly failure: Failure; readonly retryable: boolean };

/** A message that was not applied, as its sender is told. */
export function refused(error: unknown): MessageAnswer {
  if (!(error instanceof WaymarkError)) {
    return { ok: false, failure: toFailure(error), retryable: false };
  }
  return { ok: false, failure: engineFailure(error), retryable: error.retryable };
}

/**
 * A message as it leaves. A child's input goes through its workflow's schema here, which may wait.
 *
 * @throws WaymarkError `WORKFLOW_NOT_FOUND`, `INPUT_INVALID`, and what the schema throws
 */
export async function prepared(
  content: MessageContent,
  registry: Registry,
  at: number,
): Promise<MessageContent> {
  if (content.kind !== "start") return content;
  const { workflow: name, version } = content;
  const workflow = registry.find(name, version);
  if (workflow === undefined) {
    throw new WaymarkError(
      "WORKFLOW_NOT_FOUND",
      `no workflow "${name}" version "${version}" is registered: list it in createWaymark`,
    );
  }
  const input = await startInput(workflow, decode(content.input), at);
  return { ...content, input: encode(input, `the input of "${name}"`) };
}
