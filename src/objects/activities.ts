/**
 * The stateless entrypoint in which activities with `where: "worker"` run: each call has an isolate's CPU
 * and memory for itself, and may end with it, without the instance's object.
 */
import { WorkerEntrypoint } from "cloudflare:workers";
import type { ActivityContext, AnyActivity } from "../core/activity.ts";
import type { ActivityStatus } from "../core/activity-status.ts";
import { WaymarkError } from "../core/errors.ts";
import { decode, encode } from "../core/payload.ts";
import { SETTLE_MILLIS } from "../engine/host.ts";
import type { ActivitiesRpc } from "./attempt-channel.ts";
import { pack, unpack } from "./packed-text.ts";
import {
  type RemoteCall,
  type RemoteChannel,
  type RemoteOutcome,
  remoteError,
  type StopReason,
  stopError,
} from "./remote-attempt.ts";
import { unwrap } from "./reply.ts";

/** The class to export as `Activities`. */
export function activitiesClass(activities: readonly AnyActivity[]) {
  const byName = new Map(activities.map((activity) => [activity.name, activity]));
  return class Activities extends WorkerEntrypoint<Cloudflare.Env> implements ActivitiesRpc {
    async run(call: RemoteCall, channel: RemoteChannel): Promise<RemoteOutcome> {
      const activity = byName.get(call.activity);
      if (activity === undefined) return { ok: false, error: remoteError(unlisted(call.activity)) };
      const attempt = new RemoteAttempt(call, channel, this.env);
      return Promise.race([attempt.run(activity), attempt.over]);
    }
  };
}

export type ActivitiesClass = ReturnType<typeof activitiesClass>;

class RemoteAttempt {
  readonly #call: RemoteCall;
  readonly #channel: RemoteChannel;
  readonly #env: Cloudflare.Env;
  readonly #controller = new AbortController();
  readonly #over = Promise.withResolvers<RemoteOutcome>();
  #status: ActivityStatus;

  constructor(call: RemoteCall, channel: RemoteChannel, env: Cloudflare.Env) {
    this.#call = call;
    this.#channel = channel;
    this.#env = env;
    this.#status = call.status;
  }

  /** Resolves where the attempt is over before its function: nobody waits for that any more. */
  get over(): Promise<RemoteOutcome> {
    return this.#over.promise;
  }

  async run(activity: AnyActivity): Promise<RemoteOutcome> {
    this.#channel.stopped().then(
      (reason) => {
        if (reason !== null) this.#stop(reason);
      },
      () => {}, // the object is gone, and this call with it
    );
    try {
      const value = await activity.run(decode(unpack(this.#call.input)), this.#context());
      return { ok: true, result: pack(encode(value, `the result of "${activity.name}"`)) };
    } catch (error) {
      return { ok: false, error: remoteError(error) };
    }
  }

  /** Tells the function, which has a while to settle; then the call ends. */
  #stop(reason: StopReason): void {
    const { signal } = this.#controller;
    if (!signal.aborted) this.#controller.abort(stopError(reason, this.#call.step));
    setTimeout(() => this.#end(), SETTLE_MILLIS);
  }

  #end(): void {
    const stopped = new WaymarkError("ATTEMPT_STOPPED", "the attempt was over before its function");
    this.#over.resolve({ ok: false, error: remoteError(stopped) });
  }

  /** Waits for ever, as a checkpoint of an attempt that is over does; the call ends. */
  #park(): Promise<never> {
    this.#end();
    return new Promise(() => {});
  }

  #context(): ActivityContext {
    const { attempt, idempotencyKey, instanceId, executionId, step } = this.#call;
    const remote = this;
    return {
      env: this.#env,
      get status() {
        return remote.#status;
      },
      checkpoint: (lastProcessedId, progress) => this.#checkpoint(lastProcessedId, progress),
      attempt,
      idempotencyKey,
      signal: this.#controller.signal,
      log: (message, fields = {}) => {
        this.#channel.log(message, fields).catch(() => {}); // its object is gone: so is its log
      },
      instanceId,
      executionId,
      step,
    };
  }

  async #checkpoint(lastProcessedId: string | number, progress: unknown): Promise<void> {
    if (this.#controller.signal.aborted) return this.#park();
    const { activity } = this.#call;
    const id = String(lastProcessedId);
    const noted = progress === undefined ? null : encode(progress, `the progress of "${activity}"`);
    const reply = await this.#channel.checkpoint(id, noted).catch(() => null);
    if (reply === null || unwrap(reply) === "stop") return this.#park(); // null: its object is gone
    const lastUpdated = new Date().toISOString();
    const processingStatus = "InProgress";
    this.#status = { ...this.#status, lastProcessedId: id, processingStatus, lastUpdated };
  }
}

function unlisted(name: string): WaymarkError {
  return new WaymarkError(
    "DEFINITION_INVALID",
    `activity "${name}" runs in the Worker's entrypoint: list it in createWaymark({ activities })`,
  );
}
