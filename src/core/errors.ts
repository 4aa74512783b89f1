/**
 * The one error class, and the table of its codes. Errors are told apart by `code`, never by their
 * message, and a code keeps its meaning for ever: clients rely on it.
 */

interface CodeEntry {
  /** The HTTP status a client sees when this error answers its request. */
  readonly status: number;
  /** Whether the same request or attempt may succeed later, unchanged. */
  readonly retryable: boolean;
  /** One line for the person who meets it: the title in problem+json. */
  readonly title: string;
}

const entry = (status: number, title: string, retryable = false): CodeEntry => ({
  status,
  title,
  retryable,
});

/** Every code, its HTTP status, and what it means. */
export const ERROR_CODES = {
  // The request
  BODY_INVALID: entry(400, "The request body is not what this route takes"),
  BODY_TOO_LARGE: entry(413, "The request body is too large"),
  QUERY_INVALID: entry(400, "A query parameter is not valid"),
  INSTANCE_ID_INVALID: entry(400, "The instance id is not valid"),
  NAME_INVALID: entry(400, "The name is not valid"),
  TAGS_INVALID: entry(400, "The tags are not valid"),
  IDEMPOTENCY_KEY_INVALID: entry(400, "The Idempotency-Key is not valid"),
  IDEMPOTENCY_KEY_REUSED: entry(422, "The Idempotency-Key was used with another request"),
  IDEMPOTENCY_KEYS_FULL: entry(429, "The instance keeps too many idempotency keys", true),
  INPUT_INVALID: entry(422, "The input does not fit the workflow's schema"),
  UNAUTHENTICATED: entry(401, "A valid bearer token is needed"),
  AUTH_NOT_CONFIGURED: entry(401, "No token is configured, so every request is refused"),
  SCOPE_MISSING: entry(403, "The token may not do this"),
  ROUTE_NOT_FOUND: entry(404, "There is nothing at this address"),
  METHOD_NOT_ALLOWED: entry(405, "The address does not take this method"),
  // The instance
  WORKFLOW_NOT_FOUND: entry(404, "No workflow of this name is registered"),
  INSTANCE_NOT_FOUND: entry(404, "There is no instance with this id"),
  INSTANCE_EXISTS: entry(409, "An instance with this id exists"),
  INSTANCE_TERMINAL: entry(410, "The instance has ended"),
  INSTANCE_NOT_TERMINAL: entry(409, "The instance has not ended"),
  INSTANCE_PURGED: entry(410, "The request was carried out, and its instance is purged since"),
  REWIND_TARGET_UNKNOWN: entry(422, "There is nothing to rewind the instance to"),
  FORK_SOURCE_CHANGED: entry(409, "The instance to be forked is gone, or has changed meanwhile"),
  CURSOR_OUTDATED: entry(410, "The cursor is of an execution that is there no more"),
  EVENT_BUFFER_FULL: entry(429, "The instance keeps too many unread events", true),
  INSTANCE_SUSPENDED: entry(409, "The instance is suspended, and takes no updates"),
  INSTANCE_BUSY: entry(503, "The instance could not be reached", true),
  // Calls of handlers
  HANDLER_NOT_FOUND: entry(404, "The workflow has no handler of this name"),
  HANDLER_FAILED: entry(500, "The handler failed"),
  HANDLER_READ_ONLY: entry(500, "A read-only handler may not act"),
  UPDATE_REFUSED: entry(422, "The update was refused by its validator"),
  UPDATES_FULL: entry(429, "The instance has too many updates that are not done", true),
  UPDATES_EXCEEDED: entry(422, "The execution has had too many updates"),
  UPDATE_UNFINISHED: entry(409, "The execution ended before the update was done"),
  UPDATE_REPLY_GONE: entry(410, "The update was carried out, and its reply is not kept any more"),
  // Values
  PAYLOAD_UNSUPPORTED: entry(422, "A value cannot be stored"),
  PAYLOAD_TOO_LARGE: entry(413, "A value is too large to store"),
  PAYLOAD_CORRUPT: entry(500, "A stored value cannot be read"),
  KEY_MISSING: entry(503, "The key of a stored value is not configured", true),
  DURATION_INVALID: entry(422, "The duration is not valid"),
  // Workflow code
  DEFINITION_INVALID: entry(500, "A workflow or activity is not defined as it must be"),
  STAGE_ORDER: entry(422, "The activity does not follow the status's stage"),
  STAGE_STATUS_INVALID: entry(422, "The value is not an ActivityStatus"),
  STEP_KEY_REUSED: entry(422, "Two steps of one name have the same key"),
  STEPS_EXCEEDED: entry(422, "The execution has too many steps"),
  HISTORY_TOO_LARGE: entry(422, "The execution's history is too large"),
  NONDETERMINISM: entry(409, "The workflow's code no longer fits its history"),
  VERSION_MISSING: entry(409, "The instance's workflow version is not registered"),
  WORKFLOW_STALLED: entry(409, "The workflow awaits something that is not a step"),
  OBJECT_LOST: entry(409, "The instance's object was lost time and again"),
  CANCELLED: entry(409, "The step was cancelled by the workflow's code"),
  SUSPENDED_BY_REQUEST: entry(409, "The instance is suspended until it is resumed"),
  EVENT_INVALID: entry(422, "The event does not fit the schema of the wait for it"),
  EVENT_TIMEOUT: entry(408, "The event did not arrive in time"),
  FETCH_REFUSED: entry(422, "The request cannot be made, or leads where none may be made"),
  FETCH_TIMEOUT: entry(504, "What a request began did not end in time", true),
  CHILD_FAILED: entry(500, "A child workflow did not complete"),
  CHILD_TIMEOUT: entry(500, "A child workflow took longer than its timeout", true),
  CHILD_REPLACED: entry(500, "Another execution took the place of a child workflow"),
  COMPENSATION_FAILED: entry(500, "The workflow failed, and not all of its steps could be undone"),
  // Entities
  ENTITY_NOT_FOUND: entry(404, "No entity of this name is registered, or it has no state"),
  OPERATION_NOT_FOUND: entry(404, "The entity has no operation of this name"),
  ENTITY_FAILED: entry(500, "An operation of an entity failed; its state is as it was"),
  ENTITY_TIMEOUT: entry(500, "An operation of an entity did not end in time"),
  ENTITY_LOST: entry(500, "An operation took its entity's object with it, time and again"),
  ENTITY_FULL: entry(429, "Too many operations wait for the entity", true),
  ENTITY_BUSY: entry(503, "The operation has not ended yet", true),
  MESSAGES_EXCEEDED: entry(422, "An operation sends too many messages"),
  LOCK_NESTED: entry(500, "A lock was asked for within a critical section"),
  LOCK_CHILD: entry(500, "A child workflow was started within a critical section"),
  LOCK_ENTITY_FOREIGN: entry(
    500,
    "An entity was called within a critical section that has not locked it",
  ),
  LOCK_ENTITY_OPEN: entry(
    500,
    "An entity is called already, which a critical section allows once at a time",
  ),
  LOCK_TOO_LARGE: entry(422, "A lock takes too many entities"),
  LOCK_TIMEOUT: entry(408, "A lock was not granted in time"),
  LOCK_NOT_HELD: entry(409, "The lock is not held by the execution that it was granted to"),
  LOCKS_HELD: entry(409, "The instance's locks are not all released yet", true),
  RESULT_NOT_KEPT: entry(410, "The operation was carried out, and its result is not kept"),
  // Attempts
  ACTIVITY_FAILED: entry(500, "An activity failed for good"),
  ATTEMPT_TIMEOUT: entry(500, "An attempt took longer than its timeout", true),
  ATTEMPT_LOST: entry(500, "The isolate died during an attempt", true),
  ATTEMPT_STOPPED: entry(500, "The attempt is over; its instance has moved on", true),
  PREEMPTED: entry(500, "The attempt was stopped at a checkpoint, to go on in the next turn", true),
  NON_RETRYABLE: entry(500, "The activity asked not to be retried"),
  RETRY_AFTER: entry(500, "The activity asked to be retried later", true),
  INTERNAL: entry(500, "Waymark failed; this is a bug", true),
} as const satisfies Record<string, CodeEntry>;

/** A stable error code. */
export type ErrorCode = keyof typeof ERROR_CODES;

/**
 * The error Waymark throws.
 *
 * @example
 * try { await ctx.waitForEvent("approval", { timeout: "2 days" }); }
 * catch (error) { if (isWaymarkError(error, "EVENT_TIMEOUT")) return "nobody answered"; throw error; }
 */
export class WaymarkError extends Error {
  override readonly name: string = "WaymarkError";
  readonly code: ErrorCode;
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.retryable = ERROR_CODES[code].retryable;
  }
}

/** Whether `error` is Waymark's, and of that code where one is given. */
export function isWaymarkError(error: unknown, code?: ErrorCode): error is WaymarkError {
  return error instanceof WaymarkError && (code === undefined || error.code === code);
}

/** Whether a stored text could not be read, or none can be written: of no fault of the code that asked for it. */
export const isUnreadable = (error: unknown): error is WaymarkError =>
  isWaymarkError(error, "KEY_MISSING") || isWaymarkError(error, "PAYLOAD_CORRUPT");

/** Whether `code` is one of ours. */
export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === "string" && Object.hasOwn(ERROR_CODES, code);
}
