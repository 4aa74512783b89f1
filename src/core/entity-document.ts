/** What people and clients read about an entity: plain JSON. */
import type { Json } from "./payload.ts";

/** The state of one entity. Times are ISO 8601 with milliseconds. */
export interface EntityDocument {
  readonly entity: string;
  readonly key: string;
  readonly state: Json;
  /** Operations that wait for their turn, the scheduled ones among them. */
  readonly waiting: number;
  /** The instance whose critical section it is in; left out where none is. */
  readonly lockedBy?: string;
  /** When it got a state, which it had not before. */
  readonly createdAt: string;
  readonly updatedAt: string;
}
