/** A step the code has asked for and that has not ended, as the engine holds it in memory. */
import type { Ask } from "../core/step.ts";
import type { Child } from "../store/rows.ts";
import type { Attempt } from "./attempt.ts";

/** An attempt that was stopped, and until when the next one waits for it to settle. */
export interface LeavingAttempt {
  readonly attempt: Attempt;
  readonly until: number;
}

/** What is stored of a step that is open. */
export interface OpenRow {
  readonly id: number;
  readonly lastProcessedId: string | null;
}

export interface OpenStep {
  readonly ask: Ask;
  /** Its payloads are not shown: the code says so, or did when its row was written. */
  sensitive: boolean;
  /** Its row, where it has one: it outlived a turn, has a checkpoint, or is to be retried. */
  row: OpenRow | null;
  /** Attempts that have failed. */
  failed: number;
  /** A timer's end, a wait's timeout, the next attempt; in milliseconds since 1970. */
  due: number | null;
  /** The running attempt: its token. */
  attempt: Attempt | null;
  leaving: LeavingAttempt | null;
  /** For one that another instance answers: its message is sent, or its child runs. */
  sent: boolean;
  /** Its child, once it was started. */
  child: Child | null;
  startedAt: number | null;
  /** Its next attempt is marked first: the one before may have killed the object (W3). */
  suspect: boolean;
  /** Its last attempt was lost with the object: of such steps one runs at a time. */
  alone: boolean;
  /** The code is to have what it comes to in the burst in which it asked for it: see core/short-cut.ts. */
  inline: boolean;
}

/** Whether its attempts run in the stateless entrypoint: they cannot take the object with them. */
export const runsOutside = ({ ask: { request } }: OpenStep): boolean =>
  "activity" in request && request.activity.options.where === "worker";

export function openStep(ask: Ask): OpenStep {
  const due = ask.request.kind === "timer" || ask.request.kind === "event" ? ask.request.due : null;
  return {
    ask,
    sensitive: ask.sensitive === true,
    row: null,
    failed: 0,
    due,
    attempt: null,
    leaving: null,
    sent: false,
    child: null,
    startedAt: null,
    suspect: false,
    alone: false,
    inline: false,
  };
}
