/**
 * The one port through which the engine knows the world. A Durable Object is one host; the
 * in-process host of the tests is another. The engine is the same on both.
 */
import type { ActivityContext, AnyActivity } from "../core/activity.ts";
import type { LogEvent } from "../core/log.ts";
import type { CopyAnswer, CopyRequest } from "./fork-source.ts";
import type { Message, MessageAnswer } from "./message.ts";

/** A wait in memory that can be given up. */
export interface Nap {
  readonly over: Promise<void>;
  cancel(): void;
}

export interface Host {
  /** Milliseconds since 1970. */
  now(): number;
  /** A random id for an execution. */
  randomId(): string;
  /** Resolves when every promise job that can run has run, and what was written is durable. */
  drain(): Promise<void>;
  /** Resolves when what was written is durable: nothing may leave before (W9). */
  committed(): Promise<void>;
  /**
   * Sees to it that nothing that is done from here on leaves before what was written is durable (W9). An object has its
   * output gate for that; a host without one makes it durable. Returns whether it is.
   */
  gate(): boolean;
  /** Lets everything else have its turn: requests, timers, other objects. */
  breathe(): Promise<void>;
  /** The alarm in storage; null where there is none, and while its handler runs. */
  getAlarm(): Promise<number | null>;
  /** Sets the one alarm; null removes it. Part of the same commit as the writes around it. */
  setAlarm(at: number | null): void;
  /** Loses the memory, with what was written and is not durable: nothing that was done since then leaves. */
  abort(error: unknown): void;
  /** Removes all that is stored, the alarm too, so that nothing of the object is left. */
  erase(): void;
  /** Waits in memory, within a turn. */
  napUntil(at: number): Nap;
  /** The bindings that activities get. */
  readonly env: Cloudflare.Env;
  /** Runs an activity's function, which may return, or throw, at once. */
  runActivity(activity: AnyActivity, input: unknown, ctx: ActivityContext): unknown;
  /** Makes one request of `ctx.fetch`; it follows no redirect. */
  fetch(request: Request): Promise<Response>;
  /**
   * Brings a message to another instance, once what was written is durable (W9).
   *
   * @throws where nobody answered; the message may have arrived all the same
   */
  deliver(message: Message): Promise<MessageAnswer>;
  /**
   * What a promise of the workflow author's code comes to, which the turn waits for until it is `over`. In a
   * test the clock stands still for it.
   */
  follow<Value>(promise: Promise<Value>, over: () => boolean): Promise<Value>;
  /**
   * Asks another instance for a part of its history.
   *
   * @throws where nobody answered
   */
  copyFrom(id: string, request: CopyRequest): Promise<CopyAnswer>;
  log(event: LogEvent): void;
  /** Whether events of that name are written anywhere; all are, where it is left out. */
  readonly hears?: (event: string) => boolean;
}

/**
 * When a turn ends and hands over to the next (W5), well inside the platform's bounds: 15 minutes
 * for one alarm, and 30 seconds of CPU for one event unless the Worker asks for more.
 */
export interface TurnBudget {
  /** Wall time in milliseconds. */
  readonly millis: number;
  /** Results handed to the workflow, and attempts that are to be repeated. */
  readonly steps: number;
  /** Checkpoints of all its activities together. */
  readonly checkpoints: number;
  /**
   * Very short steps that may share a commit: a crash repeats them together, but never after an effect of a later step
   * has left the object. With 0 each step has a commit of its own.
   */
  readonly stepsPerCommit: number;
  /** Whether a turn begins in the event that made it due, once its alarm is durable, or waits for the alarm. */
  readonly prompt: boolean;
}

export const DEFAULT_TURN_BUDGET: TurnBudget = {
  millis: 300_000,
  steps: 1_000,
  checkpoints: 300,
  stepsPerCommit: 512,
  prompt: true,
};

/** How long a turn may work before it lets requests in; a pause costs about a millisecond. */
export const BREATH_MILLIS = 25;

/** Attempts started in one go: what they bring is recorded before the next ones start. */
export const STARTED_AT_ONCE = 100;

/** A timer due within this is waited for in memory: an alarm and its row would cost more. */
export const NEAR_MILLIS = 20;

/** How long the next attempt waits for one that was stopped to settle. */
export const SETTLE_MILLIS = 5_000;

/** The least wait after an attempt that took its object with it: the next one gets its own alarm. */
export const LOST_MILLIS = 1_000;

/** Messages to other instances that are on their way at once. */
export const SENT_AT_ONCE = 50;

/** How long a message waits for its answer, which takes milliseconds: then it is taken for lost. */
export const ANSWER_MILLIS = 30_000;

/** Waits before a message is sent again that was not answered: from a second, doubling, to a minute. */
export const RESEND_MILLIS = { first: 1_000, most: 60_000 } as const;

/**
 * What a fork is handed in one answer of its source: rows, characters of their texts after which it is full, and bytes of
 * the longest text that goes with its row. An RPC carries 32 MiB, at two bytes a character.
 */
export const COPIED_AT_ONCE = { rows: 500, length: 2_097_152, textBytes: 262_144 } as const;

/** An alarm later than this after its due was not on time: something happened in between. */
export const LATE_MILLIS = 250;
