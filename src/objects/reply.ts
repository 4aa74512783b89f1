/** Answers over RPC: errors go as data, because classes and codes do not survive the way. */
import { type ErrorCode, isErrorCode, WaymarkError } from "../core/errors.ts";

export type Reply<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly code: ErrorCode; readonly message: string };

/** The reply of a command that may throw. */
export async function replyOf<Value>(act: () => Value | Promise<Value>): Promise<Reply<Value>> {
  try {
    return { ok: true, value: await act() };
  } catch (error) {
    if (!(error instanceof WaymarkError)) throw error;
    return { ok: false, code: error.code, message: error.message };
  }
}

/** @throws WaymarkError where the reply is an error */
export function unwrap<Value>(reply: Reply<Value>): Value {
  if (reply.ok) return reply.value;
  throw new WaymarkError(isErrorCode(reply.code) ? reply.code : "INTERNAL", reply.message);
}
