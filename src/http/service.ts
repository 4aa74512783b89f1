/**
 * What the HTTP surface needs from the engine. The Worker's own implementation talks to Durable
 * Objects; another may run in process. Every method throws WaymarkError.
 */
import type {
  EventReceipt,
  HistoryPage,
  Idempotency,
  InstanceDocument,
  OnConflict,
  PendingUpdate,
  RewindPreview,
  StartReceipt,
} from "../core/documents.ts";
import type { StoredHistoryPage } from "../core/history.ts";
import type { Json } from "../core/payload.ts";
import type { EntityService } from "./entity-service.ts";
import type { Shown } from "./shown.ts";

export interface StartRequest {
  readonly workflow: string;
  readonly id: string;
  /** As it came: the service checks it against the workflow's schema. */
  readonly input: unknown;
  /** Milliseconds since 1970; at once if left out. */
  readonly startAt?: number;
  readonly tags: { readonly [name: string]: string };
  readonly onConflict: OnConflict;
  readonly idempotency?: Idempotency;
}

export interface WorkflowDescription {
  readonly name: string;
  /** Registered versions, the newest last; new instances take that one. */
  readonly versions: readonly string[];
  readonly stages: readonly string[];
  /** JSON Schema of the newest version's input, or null where there is none. */
  readonly inputSchema: unknown;
}

export interface RestartRequest {
  readonly reason: string | null;
  /** The id of the new execution; that of the instance itself if left out. */
  readonly as?: string;
}

export interface RewindRequest {
  readonly reason: string | null;
  /** The step to go back to; null for whatever the instance has ended with. */
  readonly to: string | null;
}

export interface ForkRequest extends RewindRequest {
  /** The id of the new instance. */
  readonly as: string;
  /** The version of the workflow that it goes on with; that of the instance where it is null. */
  readonly version: string | null;
}

export interface ControlRequest {
  readonly reason: string | null;
  /** Also of its children, and theirs. */
  readonly recursive?: boolean;
  /** For a terminate: what has begun is undone before the instance ends. */
  readonly compensate?: boolean;
}

export interface PurgeRequest {
  /** Whether an instance that has not ended is ended first. */
  readonly force: boolean;
  /** Whether its children go as well, and theirs. */
  readonly recursive: boolean;
}

/** Asks something of an instance as a whole; answers with what it is then. */
type ControlVerb = (
  id: string,
  control: ControlRequest,
  idempotency: Idempotency | undefined,
) => Promise<Shown<InstanceDocument>>;

/** The answer to a start. */
export interface ShownReceipt extends Omit<StartReceipt, "document"> {
  readonly document: Shown<InstanceDocument>;
}

/** The answer to a call of a handler: its reply, or that it is accepted and not done yet. */
export type ShownCall =
  | { readonly done: true; readonly reply: Shown<{ readonly value: Json }> }
  | { readonly done: false; readonly pending: PendingUpdate };

export interface Service {
  readonly entities: EntityService;
  workflows(): readonly WorkflowDescription[];
  start(request: StartRequest): Promise<ShownReceipt>;
  /** With `waitMillis` above 0: answers when the instance is terminal, or after that time. */
  get(id: string, waitMillis: number): Promise<Shown<InstanceDocument>>;
  history(id: string, limit: number, cursor: string | null): Promise<Shown<HistoryPage>>;
  /** The execution as it is stored, for `checkHistory`. */
  export(id: string, limit: number, cursor: string | null): Promise<Shown<StoredHistoryPage>>;
  sendEvent(
    id: string,
    event: string,
    payload: unknown,
    idempotency: Idempotency | undefined,
  ): Promise<EventReceipt>;
  /**
   * Calls a handler of the instance's code.
   *
   * @param waitMillis how long to wait for the reply of an update
   */
  call(
    id: string,
    name: string,
    input: unknown,
    waitMillis: number,
    idempotency: Idempotency | undefined,
  ): Promise<ShownCall>;
  readonly suspend: ControlVerb;
  readonly resume: ControlVerb;
  readonly cancel: ControlVerb;
  readonly terminate: ControlVerb;
  /** A new execution of what the instance was started with, in its place or under another id. */
  restart(
    id: string,
    restart: RestartRequest,
    idempotency: Idempotency | undefined,
  ): Promise<Shown<InstanceDocument>>;
  rewind(
    id: string,
    rewind: RewindRequest,
    idempotency: Idempotency | undefined,
  ): Promise<Shown<InstanceDocument>>;
  /** The steps that such a rewind would do again: nothing is written. */
  previewRewind(id: string, to: string | null): Promise<Shown<RewindPreview>>;
  /** A new instance with the history of this one, up to a step. */
  fork(
    id: string,
    fork: ForkRequest,
    idempotency: Idempotency | undefined,
  ): Promise<Shown<InstanceDocument>>;
  purge(id: string, purge: PurgeRequest): Promise<void>;
}
