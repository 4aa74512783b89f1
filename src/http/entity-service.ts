/** What the HTTP surface needs of entities. Every method throws WaymarkError. */
import type { Idempotency } from "../core/documents.ts";
import type { EntityDocument } from "../core/entity-document.ts";
import type { Json } from "../core/payload.ts";
import type { Shown } from "./shown.ts";

/** An operation of an entity, as a request asks for it. */
export interface OperationRequest {
  readonly name: string;
  readonly key: string;
  readonly operation: string;
  /** As it came: the entity checks it against the operation's schema. */
  readonly input: unknown;
  readonly idempotency: Idempotency | undefined;
}

/** What an operation returned. */
export interface OperationResult {
  readonly result: Json;
}

export interface EntityService {
  state(name: string, key: string): Promise<Shown<EntityDocument>>;
  /** Answers when the operation has ended. The JSON of a large result is of the result alone. */
  call(request: OperationRequest): Promise<Shown<OperationResult>>;
  /** Answers when the operation is stored. */
  signal(request: OperationRequest): Promise<void>;
}
