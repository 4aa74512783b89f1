/** Waymark's library surface. */

export type { Activity, ActivityContext, ActivityOptions } from "./core/activity.ts";
export { activity } from "./core/activity.ts";
export type { ActivityStatus, ProcessingStatus } from "./core/activity-status.ts";
export { INITIAL_ID, initialStatus } from "./core/activity-status.ts";
export type {
  CallOptions,
  StepOptions,
  WaitOptions,
  WorkflowContext,
} from "./core/context.ts";
export type { HistoryItem, HistoryPage, InstanceDocument } from "./core/documents.ts";
export type { Duration } from "./core/duration.ts";
export type { ErrorCode } from "./core/errors.ts";
export { ERROR_CODES, isWaymarkError, WaymarkError } from "./core/errors.ts";
export type { Failure } from "./core/failure.ts";
export {
  ActivityFailedError,
  NonRetryableError,
  PreemptedError,
  RetryAfterError,
} from "./core/failure.ts";
export { LIMITS } from "./core/limits.ts";
export type { LogFields } from "./core/log.ts";
export type { RetryPolicy } from "./core/retry.ts";
export type { Schema } from "./core/schema.ts";
export type { Workflow, WorkflowOptions } from "./core/workflow.ts";
export { workflow } from "./core/workflow.ts";
export type { TurnBudget } from "./engine/host.ts";
export type { LogLevel } from "./objects/console-log.ts";
export type { Waymark, WaymarkOptions } from "./waymark.ts";
export { createWaymark } from "./waymark.ts";
