/**
 * Errors as `application/problem+json` (RFC 9457) with Waymark's stable code. What is not Waymark's
 * own error says nothing of itself to the client and everything to the log.
 */
import { ERROR_CODES, type ErrorCode, isWaymarkError, WaymarkError } from "../core/errors.ts";
import { toFailure } from "../core/failure.ts";
import type { LogFields } from "../core/log.ts";
import { hiddenFailure } from "../core/sensitive.ts";

/** The body of an answer that is an error. */
export interface Problem {
  /** `urn:waymark:error:` and the code. */
  readonly type: string;
  /** What the code means, the same at every occurrence. */
  readonly title: string;
  readonly status: number;
  /** What went wrong this time. */
  readonly detail: string;
  readonly code: ErrorCode;
}

/** Takes one flat log event. */
export type Log = (event: LogFields) => void;

export const PROBLEM_TYPE = "application/problem+json";

/** Seconds after which a request that met a full or busy instance is worth repeating. */
const RETRY_AFTER_SECONDS = "1";

/** An error of any kind as a problem. */
export function problemOf(error: unknown): Problem {
  const code = isWaymarkError(error) ? error.code : "INTERNAL";
  const { status, title } = ERROR_CODES[code];
  const detail =
    isWaymarkError(error) && code !== "INTERNAL" ? error.message : "the Worker's log says why";
  return { type: `urn:waymark:error:${code}`, title, status, detail, code };
}

/** The answer to a request that failed, with the headers its status asks for. */
export function problemResponse(
  error: unknown,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const problem = problemOf(error);
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: { "Content-Type": PROBLEM_TYPE, ...headersFor(problem.status), ...headers },
  });
}

function headersFor(status: number): Readonly<Record<string, string>> {
  if (status === 401) return { "WWW-Authenticate": "Bearer" };
  if (status === 429 || status === 503) return { "Retry-After": RETRY_AFTER_SECONDS };
  return {};
}

/**
 * What these say is the text of the code of a handler or an entity, which may be sensitive: that is not known here.
 * It is the caller's answer; an entity logs it as well, where it is none.
 */
const QUOTING: ReadonlySet<string> = new Set(["ENTITY_FAILED", "HANDLER_FAILED"]);

/** Logs an error whose cause lies on our side; what the client did wrong is told to the client. */
export function logFailure(error: unknown, request: Request, log: Log): void {
  const { status, code } = problemOf(error);
  if (status < 500) return;
  const own = toFailure(error);
  const failure = QUOTING.has(code) ? hiddenFailure(own) : own;
  log({
    event: "http.failed",
    code,
    method: request.method,
    path: new URL(request.url).pathname,
    type: failure.type,
    message: failure.message,
    cause: failure.cause?.message,
    stack: failure.stack,
  });
}

/** The error for an address whose other methods are these. */
export function methodNotAllowed(method: string, allowed: readonly string[]): Response {
  const list = allowed.join(", ");
  const error = new WaymarkError("METHOD_NOT_ALLOWED", `${method} is not taken here, but ${list}`);
  return problemResponse(error, { Allow: list });
}
