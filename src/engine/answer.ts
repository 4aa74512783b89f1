/** The answer to a step that came while its execution could not take it: its row keeps it (W1). */
import { decodeFailure, encodeFailure } from "../core/failure.ts";
import type { StepIdentity } from "../core/names.ts";
import { ENCODED_UNDEFINED, type Encoded, encode } from "../core/payload.ts";
import { textOf } from "../core/stored-text.ts";
import type { Child, StepRow } from "../store/rows.ts";
import type { StepStore } from "../store/step-store.ts";
import { attemptName } from "./correspondence.ts";
import type { Answered } from "./message.ts";

/** In place of the result of a failure that another try cannot help. */
const FINAL: Encoded = encode("final", "a mark");

type Waiting = Pick<StepRow, "id" | "state" | "attempt" | "child">;
type Arrived = Pick<StepRow, "state" | "result" | "failure">;

/**
 * Keeps it, where the row still waits for it.
 *
 * @param attempt the try it belongs to; null where the step has but one
 * @returns what the row says then
 */
export function keepAnswer(
  steps: StepStore,
  row: Waiting,
  attempt: string | null,
  answered: Answered,
  at: number,
): Arrived | null {
  if (row.state !== "sent") return null;
  const { redo = 0 } = row.child === null ? {} : (JSON.parse(row.child) as Partial<Child>);
  if (attempt !== null && attempt !== attemptName(redo, row.attempt)) return null;
  const result = answered.ok ? answered.result : answered.final ? FINAL : null;
  const failure = answered.ok ? null : encodeFailure(answered.failure);
  steps.setArrived(row.id, { result, failure, at });
  return { state: "arrived", result, failure };
}

/**
 * Keeps what an entity has answered though nobody waits any more: a rewind, or changed code, does not call it
 * again. Null where there is nothing to keep it in.
 */
export function keepLateAnswer(
  steps: StepStore,
  step: StepIdentity,
  attempt: string,
  answered: Answered,
): Pick<Arrived, "result" | "failure"> | null {
  const [redo = 0, number = 0] = attempt.split(".").map(Number);
  const result = answered.ok ? answered.result : null;
  const failure = answered.ok ? null : encodeFailure(answered.failure);
  const kept = steps.keepLate(step, { redo, attempt: number }, { result, failure });
  return kept ? { result, failure } : null;
}

/** The answer that a row has kept. */
export function storedAnswer({ result, failure }: Pick<StepRow, "result" | "failure">): Answered {
  const text = result === null ? null : textOf(result);
  if (failure === null) return { ok: true, result: text ?? ENCODED_UNDEFINED };
  return { ok: false, failure: decodeFailure(textOf(failure)), final: text === FINAL };
}
