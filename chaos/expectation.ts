/** What an instance must come to, by a plain model that shares no code with the engine. */
import type { InstanceStatus } from "../src/core/documents.ts";
import type { Client } from "./client.ts";
import type { End, Kill, LedgerRecord } from "./evidence.ts";

/** An effect that must be in the ledger. */
export interface ExpectedEffect {
  /** As the ledger names it. */
  readonly what: string;
  /** The step of the history that it belongs to, where each is of one. */
  readonly step?: string;
  /** Its receipt is the step's result. */
  readonly returned?: boolean;
  /** Effects whose steps had ended before this one began. */
  readonly after: readonly string[];
  /** What it must have been told, where that is known. */
  readonly value?: unknown;
  /** The ledger refuses it: it is asked for, and never taken. */
  readonly refused?: boolean;
  /** It may be there or not: its step was cancelled on its way. */
  readonly optional?: boolean;
}

export interface Expectation {
  readonly status: InstanceStatus;
  /** As JSON shows it; not compared where it is left out. */
  readonly output?: unknown;
  /** The code of the error that it ended with. */
  readonly error?: string;
  /** All effects that there may be. */
  readonly effects: readonly ExpectedEffect[];
  /** Steps that the history must show as done. */
  readonly steps: readonly string[];
  /** What a shape has found by itself. */
  readonly faults?: readonly string[];
}

/** What a model may look at: receipts are the ledger's to choose, so it reads them there. */
export interface Seen {
  readonly end: End;
  /** Requests of this instance, in the order in which they came. */
  readonly records: readonly LedgerRecord[];
  /** All kills of the run. */
  readonly kills: readonly Kill[];
  /** The receipt of an effect; null where there is none. */
  receipt(what: string): string | null;
  /** How another instance ended, such as a child. */
  other(id: string): End | undefined;
}

/** An instance as the run has planned it. */
export interface Planned {
  readonly id: string;
  readonly shape: string;
  readonly workflow: string;
  /** Left out where the workflow starts without one. */
  readonly input?: unknown;
  /** From its first effect to its last it always has work that is due at once. */
  readonly busy?: boolean;
  /** Its history is that of its last round. */
  readonly rounds?: boolean;
  /** What it is told while it runs, and what of the replies is wrong. */
  live?(client: Client): Promise<readonly string[]>;
  expect(seen: Seen): Expectation;
}
