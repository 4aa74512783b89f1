/** The `Idempotency-Key` header, and what follows from it. */
import type { Idempotency } from "../core/documents.ts";
import { WaymarkError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { sha256Hex } from "./digest.ts";

export const IDEMPOTENCY_HEADER = "Idempotency-Key";

/**
 * The request's idempotency key, if it has one.
 *
 * @throws WaymarkError `IDEMPOTENCY_KEY_INVALID`
 */
export function idempotencyKey(request: Request): string | undefined {
  const key = request.headers.get(IDEMPOTENCY_HEADER);
  if (key === null) return undefined;
  if (/^[\x20-\x7e]+$/.test(key) && key.length <= LIMITS.idempotencyKeyLength) return key;
  throw new WaymarkError(
    "IDEMPOTENCY_KEY_INVALID",
    `an ${IDEMPOTENCY_HEADER} has 1 to ${LIMITS.idempotencyKeyLength} printable ASCII characters`,
  );
}

/** A key with the fingerprint of its request: the same key on another request is an error. */
export async function idempotencyOf(
  key: string,
  request: Request,
  bodyText: string,
): Promise<Idempotency> {
  // Decoded, as it may be written in several ways. Its parameters are checked by now: neither they
  // nor a method hold a line feed, so no two requests come to the same text.
  const path = decodeURIComponent(new URL(request.url).pathname);
  const fingerprint = await sha256Hex(`${request.method}\n${path}\n${bodyText}`);
  return { key, fingerprint };
}

/** The instance id of a start that brings a key but no id: the same for each of its retries. */
export async function derivedInstanceId(workflow: string, key: string): Promise<string> {
  const digest = await sha256Hex(`${workflow}\n${key}`);
  return `idem-${digest.slice(0, 32)}`;
}
