/** `waymark/testing`: runs workflows in process, on a clock of their own, through any crash. Needs Node. */

export type { StoredHistory, StoredStep } from "../core/history.ts";
export type { HistoryCheck } from "../engine/check-history.ts";
export { checkHistory } from "../engine/check-history.ts";
export type { ClusterOptions, TestStartOptions } from "./cluster.ts";
export { Cluster } from "./cluster.ts";
export type { Effect } from "./effects.ts";
export type {
  Exploration,
  ExploredFailure,
  ExploreOptions,
  PlannedCall,
  PlannedEvent,
  Scene,
} from "./explore.ts";
export { explore } from "./explore.ts";
export type { FakeFetch } from "./fake-fetch.ts";
export type { CrashMoment, Faults, MessageFate } from "./faults.ts";
export type { EffectOptions, Mock, MockContext, MockFunction } from "./mock.ts";
export { mock } from "./mock.ts";
export type { Message } from "./network.ts";
export type { TestEntity } from "./test-entity.ts";
export type { TestInstance } from "./test-instance.ts";
export type { Happening, TraceEvent } from "./trace.ts";
export { tellTrace } from "./trace.ts";
export { VirtualClock } from "./virtual-clock.ts";
