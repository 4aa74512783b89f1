/**
 * What workflows, activities and their tests import. It runs wherever JavaScript does, so that the same
 * definitions work in a Worker and in a test on Node; what needs the Workers runtime is in index.ts.
 */

export type { Activity, ActivityContext, ActivityOptions } from "./core/activity.ts";
export { activity } from "./core/activity.ts";
export type { ActivityStatus, ProcessingStatus } from "./core/activity-status.ts";
export { INITIAL_ID, initialStatus } from "./core/activity-status.ts";
export type {
  ChildOptions,
  Parent,
  ParentClose,
  StartedChild,
  StartOptions,
} from "./core/child.ts";
export type { CodecOption, PayloadCodec, PayloadPlace } from "./core/codec.ts";
export type {
  Compensation,
  UndoActivity,
  Undoable,
  UndoneStep,
} from "./core/compensation.ts";
export type {
  CallOptions,
  ContinueOptions,
  StepOptions,
  WaitOptions,
  WorkflowContext,
} from "./core/context.ts";
export type { HistoryItem, HistoryPage, InstanceDocument } from "./core/documents.ts";
export type { Duration } from "./core/duration.ts";
export type {
  Entity,
  EntityCallOptions,
  EntityContext,
  EntityDefinition,
  EntityReference,
  EntitySignalOptions,
  Lockable,
} from "./core/entity.ts";
export { entity } from "./core/entity.ts";
export type { EntityDocument } from "./core/entity-document.ts";
export type { ErrorCode } from "./core/errors.ts";
export { ERROR_CODES, isWaymarkError, WaymarkError } from "./core/errors.ts";
export type { FailedCompensation, Failure } from "./core/failure.ts";
export {
  ActivityFailedError,
  CancelledError,
  ChildFailedError,
  CompensationFailedError,
  EntityFailedError,
  NonRetryableError,
  PreemptedError,
  RetryAfterError,
} from "./core/failure.ts";
export type { FetchMethod, FetchOptions, PollOptions } from "./core/fetch-options.ts";
export type { HandleMethod, QueryOptions, UpdateOptions } from "./core/handlers.ts";
export type { StoredHistory, StoredStep } from "./core/history.ts";
export type { HttpResponse } from "./core/http-request.ts";
export { LIMITS } from "./core/limits.ts";
export type { Lock, LockMethod, LockOptions } from "./core/lock-asks.ts";
export type { LogFields } from "./core/log.ts";
export type { MapEntry, MapFunction, MapMethod, MapOptions, MapStep } from "./core/map.ts";
export type { Branches, RaceOptions, RaceResult } from "./core/race.ts";
export type { Retry, RetryContext, RetryHandler, RetryPolicy } from "./core/retry.ts";
export type { Schema } from "./core/schema.ts";
export type { Workflow, WorkflowOptions } from "./core/workflow.ts";
export { workflow } from "./core/workflow.ts";
export type { HistoryCheck } from "./engine/check-history.ts";
export { checkHistory } from "./engine/check-history.ts";
export type { TurnBudget } from "./engine/host.ts";
