/**
 * One try at an activity, as it lives in memory. The object itself is the attempt's token: an
 * outcome or a checkpoint counts only while its step still points at this object. What comes from an
 * attempt that is over is dropped.
 */

import type { ActivityContext } from "../core/activity.ts";
import { type ActivityStatus, initialStatus } from "../core/activity-status.ts";
import { WaymarkError } from "../core/errors.ts";
import { PreemptedError } from "../core/failure.ts";
import { LIMITS } from "../core/limits.ts";
import type { LogFields } from "../core/log.ts";
import { type Encoded, encode } from "../core/payload.ts";

/** How an attempt's function ended. */
export type AttemptOutcome =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly error: unknown };

/** What an attempt is told at its start. */
export interface AttemptStart {
  readonly step: string;
  readonly name: string;
  /** From 1. */
  readonly number: number;
  /** The status that a staged activity is given; null for others. */
  readonly stageStatus: ActivityStatus | null;
  /** Where it goes on from; `"initialId"` before the first record. */
  readonly lastProcessedId: string;
  readonly startedAt: number;
  /** When it times out, in milliseconds since 1970. */
  readonly deadline: number | null;
  readonly instanceId: string;
  readonly executionId: string;
}

/** What an attempt asks of its execution. */
export interface AttemptOwner {
  /** Writes a checkpoint and resolves when it is durable; says whether to stop here. */
  checkpoint(attempt: Attempt, progress: Encoded | null): Promise<"go on" | "stop">;
  /** It waits for ever in a checkpoint, and does no more harm. */
  parked(attempt: Attempt): void;
  log(attempt: Attempt, message: string, fields: LogFields): void;
  /** Of a step, over all its attempts. */
  keyOf(step: string): string;
  now(): number;
}

export class Attempt {
  readonly start: AttemptStart;
  readonly #owner: AttemptOwner;
  /** Made when first asked for: most activities never look, and a time as text costs more than a short step. */
  #status: ActivityStatus | undefined;
  #controller: AbortController | undefined;
  #stoppedBy: WaymarkError | undefined;
  /** Its function has ended, or waits for ever in a checkpoint: it does no more harm. */
  settled = false;

  constructor(start: AttemptStart, owner: AttemptOwner) {
    this.start = start;
    this.#owner = owner;
  }

  /** How far it came. */
  get status(): ActivityStatus {
    this.#status ??= firstStatus(this.start);
    return this.#status;
  }

  get lastProcessedId(): string {
    return (this.#status ?? this.start).lastProcessedId;
  }

  /** Whether a checkpoint has taken it on from where it began. */
  get gotFurther(): boolean {
    return this.lastProcessedId !== this.start.lastProcessedId;
  }

  /** Takes the status a stage ended with. */
  complete(status: ActivityStatus): void {
    this.#status = status;
  }

  get stopped(): boolean {
    return this.#stoppedBy !== undefined;
  }

  /** Ends the attempt before its function does: its signal aborts, nothing of it counts any more. */
  stop(reason: WaymarkError): void {
    if (this.#stoppedBy !== undefined) return;
    this.#stoppedBy = reason;
    this.#controller?.abort(reason);
  }

  /** What the activity's function gets. */
  context(env: Cloudflare.Env): ActivityContext {
    const { start } = this;
    const attempt = this;
    return {
      env,
      get status() {
        return attempt.status;
      },
      get signal() {
        return attempt.#signal();
      },
      checkpoint: (lastProcessedId, progress) => this.#checkpoint(lastProcessedId, progress),
      attempt: start.number,
      get idempotencyKey() {
        return attempt.#owner.keyOf(start.step);
      },
      instanceId: start.instanceId,
      executionId: start.executionId,
      step: start.step,
      log: (message, fields = {}) => {
        if (!this.stopped) this.#owner.log(this, message, fields);
      },
    };
  }

  /** Made when first asked for: most activities never look. */
  #signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#stoppedBy !== undefined) this.#controller.abort(this.#stoppedBy);
    }
    return this.#controller.signal;
  }

  async #checkpoint(lastProcessedId: string | number, progress: unknown): Promise<void> {
    if (this.stopped) return this.#park();
    const id = checkProcessedId(lastProcessedId, this.start.name);
    const noted = progress === undefined ? null : encodeProgress(progress, this.start.name);
    this.#status = {
      lastProcessedId: id,
      processingStatus: "InProgress",
      processingStage: this.status.processingStage,
      lastUpdated: new Date(this.#owner.now()).toISOString(),
    };
    const answer = await this.#owner.checkpoint(this, noted);
    if (answer === "go on" && !this.stopped) return;
    this.stop(new PreemptedError());
    return this.#park();
  }

  #park(): Promise<never> {
    this.settled = true;
    this.#owner.parked(this);
    // A promise of its own: one shared by all would hold every activity that ever waited for it.
    return new Promise(() => {});
  }
}

function firstStatus({ stageStatus, name, startedAt, lastProcessedId }: AttemptStart) {
  const status = stageStatus ?? initialStatus(name, startedAt);
  return { ...status, processingStatus: "InProgress", lastProcessedId } as const;
}

function checkProcessedId(id: string | number, name: string): string {
  const text = String(id);
  if (!text.isWellFormed()) {
    const what = `the lastProcessedId of "${name}"`;
    throw new WaymarkError("PAYLOAD_UNSUPPORTED", `${what} is no well-formed Unicode text`);
  }
  if (text.length <= LIMITS.lastProcessedIdLength) return text;
  throw new WaymarkError(
    "PAYLOAD_TOO_LARGE",
    `the lastProcessedId of "${name}" has ${text.length} characters; ` +
      `the limit is ${LIMITS.lastProcessedIdLength}`,
  );
}

function encodeProgress(progress: unknown, name: string): Encoded {
  const text = encode(progress, `the progress of "${name}"`);
  if (text.length <= LIMITS.progressLength) return text;
  throw new WaymarkError(
    "PAYLOAD_TOO_LARGE",
    `the progress of "${name}" has ${text.length} characters when stored; ` +
      `the limit is ${LIMITS.progressLength}`,
  );
}
