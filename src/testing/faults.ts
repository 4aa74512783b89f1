/**
 * What may go wrong in a simulation, and when. A plan is asked at each moment at which a fault could
 * strike; whatever it leaves out never goes wrong.
 */

/** A moment at which an object may be lost. */
export type CrashMoment =
  /** A commit: before it, what was written since the last one is lost as well. */
  | { readonly kind: "commit"; readonly when: "before" | "after"; readonly commit: number }
  /** An attempt begins, or has ended and its outcome is not yet recorded. */
  | {
      readonly kind: "attempt";
      readonly when: "before" | "after";
      readonly step: string;
      readonly attempt: number;
    }
  /** An effect of a mocked activity has just happened. */
  | { readonly kind: "effect"; readonly what: string }
  /** A binding has answered a call, such as `DB.batch`. */
  | { readonly kind: "call"; readonly call: string }
  /** The object waits: for its storage, or to let others in. */
  | { readonly kind: "await" };

/** What becomes of a message on its way. Times are milliseconds. */
export interface MessageFate {
  /** It never arrives; its sender sends it again. */
  readonly lost?: boolean;
  /** It arrives, and the answer does not; its sender sends it again. */
  readonly unanswered?: boolean;
  /** It arrives twice. */
  readonly doubled?: boolean;
  readonly delayMillis?: number;
}

/** A plan of faults. Objects are named by their instance's id. */
export interface Faults {
  /** Whether the object is lost here: its memory, and what it has not committed. */
  crash?(object: string, moment: CrashMoment): boolean;
  /**
   * Whether the whole process was lost: its alarms then run again at once and count no retry. Else
   * they count one and wait 2 s, doubling; left out, they count one and do not wait.
   */
  processLost?(object: string): boolean;
  /** How much later than its moment an alarm fires, in milliseconds. */
  alarmDelay?(object: string): number;
  /** Whether an alarm runs once more, and only once, though its handler has ended well. */
  alarmDoubled?(object: string): boolean;
  /** Whether an alarm is gone without having run, as the platform's are after six retries. */
  alarmLost?(object: string, retries: number): boolean;
  /**
   * By how many milliseconds the clock of an object's machine is ahead, for one life of its memory; at
   * most a minute behind.
   */
  clockError?(object: string): number;
  /** Whether an object at rest is evicted: its memory is lost, and nothing else. */
  evicted?(object: string): boolean;
  /** What becomes of a message to an object. */
  message?(object: string, what: string): MessageFate;
}

/** The plan in which nothing goes wrong. */
export const NO_FAULTS: Faults = {};
