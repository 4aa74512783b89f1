/** Calls of a Worker to an object, which may be reset under them. */
import { WaymarkError } from "../core/errors.ts";
import { type Reply, unwrap } from "./reply.ts";

/** Tries of a read whose object went away under it. */
const READ_ATTEMPTS = 3;

export async function write<Value>(act: () => Promise<Reply<Value>>): Promise<Value> {
  try {
    return unwrap(await act());
  } catch (error) {
    throw isReset(error) ? unreachable(error) : error;
  }
}

/**
 * A start whose code may begin before it is stored: code that kills its object takes the start along. Where it is lost, it
 * is sent again, to be stored before its code begins; from then on such code is found out, as any other.
 *
 * @param send sends the start, and says whether its code begins at once. Both times it must name the same execution: the
 *   object may have stored the first one
 */
export async function start<Value>(
  send: (atOnce: boolean) => Promise<Reply<Value>>,
): Promise<Value> {
  try {
    return unwrap(await send(true));
  } catch (error) {
    if (error instanceof WaymarkError) throw error; // it is the answer
    if (isFlagged(error, "overloaded")) throw unreachable(error); // more requests make that worse
    return write(() => send(false));
  }
}

/**
 * A read has no effect, so whatever comes instead of an answer, it may be asked again. Not every lost
 * object tells that it was: one that is aborted breaks the call with a bare error, such as any bug throws.
 */
export async function read<Value>(act: () => Promise<Reply<Value>>): Promise<Value> {
  for (let attempt = 1; ; attempt++) {
    try {
      return unwrap(await act());
    } catch (error) {
      if (error instanceof WaymarkError) throw error; // it is the answer
      if (attempt === READ_ATTEMPTS) throw isReset(error) ? unreachable(error) : error;
    }
  }
}

/**
 * Whether an object is known to have gone away under a request: the platform's resets carry these flags
 * (Cloudflare's "Durable Objects: error handling").
 */
function isReset(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof WaymarkError) return false;
  return ["retryable", "overloaded", "durableObjectReset"].some((flag) => isFlagged(error, flag));
}

/** Whether the platform has set that flag on an error. */
const isFlagged = (error: unknown, flag: string): boolean =>
  error instanceof Error && Reflect.get(error, flag) === true;

function unreachable(cause: unknown): WaymarkError {
  return new WaymarkError(
    "INSTANCE_BUSY",
    "the instance's object was reset during the request, which may or may not have had its effect. " +
      "Send it again; with an Idempotency-Key that is safe",
    { cause },
  );
}
