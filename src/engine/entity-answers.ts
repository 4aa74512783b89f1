/**
 * What requests with an idempotency key are answered: which operation a key stands for while that waits, and what
 * it came to from then on (W8).
 */
import type { Idempotency } from "../core/documents.ts";
import { decodeFailure, encodeFailure } from "../core/failure.ts";
import type { OperationRow } from "../store/entity-store.ts";
import type { KeyStore } from "../store/key-store.ts";
import type { Answered } from "./message.ts";

/** A longer result is not kept with its idempotency key: a repeated request is told so. */
const KEPT_RESULT_LENGTH = 65_536;

/** What a key stands for. */
export type KeptOutcome =
  | { readonly pending: number }
  | { readonly answered: Answered }
  | "not kept";

export function keptOutcome(
  keys: KeyStore,
  idempotency: Idempotency,
  now: number,
): KeptOutcome | undefined {
  const kept = keys.find(idempotency, now);
  if (kept === undefined) return undefined;
  const { pending, result, failure } = JSON.parse(kept) as Stored;
  if (pending !== undefined) return { pending };
  if (result !== undefined) return { answered: { ok: true, result } };
  if (failure === undefined) return "not kept";
  return { answered: { ok: false, failure: decodeFailure(failure), final: true } };
}

interface Stored {
  readonly pending?: number;
  readonly result?: string;
  readonly failure?: string;
}

export function keepPending(
  keys: KeyStore,
  idempotency: Idempotency,
  id: number,
  now: number,
): void {
  keys.keep(idempotency, JSON.stringify({ pending: id }), now);
}

/** The operation of a request has ended: its key stands for what it came to. */
export function keepOutcome(
  keys: KeyStore,
  { idempotency }: OperationRow,
  answered: Answered,
  now: number,
): void {
  if (idempotency === null) return;
  const stored: Stored = answered.ok
    ? answered.result.length <= KEPT_RESULT_LENGTH
      ? { result: answered.result }
      : {}
    : { failure: encodeFailure(answered.failure) };
  keys.keep(JSON.parse(idempotency) as Idempotency, JSON.stringify(stored), now);
}
