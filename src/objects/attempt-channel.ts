/** The object's side of an attempt that runs in the entrypoint. */
import { RpcTarget } from "cloudflare:workers";
import type { ActivityContext, AnyActivity } from "../core/activity.ts";
import { WaymarkError } from "../core/errors.ts";
import { IsolateLostError } from "../core/failure.ts";
import type { LogFields } from "../core/log.ts";
import { decode, type Encoded, encode } from "../core/payload.ts";
import { pack, unpack } from "./packed-text.ts";
import {
  errorOf,
  type RemoteCall,
  type RemoteChannel,
  type RemoteOutcome,
  type StopReason,
  stopReason,
} from "./remote-attempt.ts";
import { type Reply, replyOf } from "./reply.ts";

/** The entrypoint, as an object calls it. */
export interface ActivitiesRpc {
  run(call: RemoteCall, channel: RemoteChannel): Promise<RemoteOutcome>;
}

class AttemptChannel extends RpcTarget implements RemoteChannel {
  readonly #ctx: ActivityContext;
  readonly #over = Promise.withResolvers<StopReason | null>();

  constructor(ctx: ActivityContext) {
    super();
    this.#ctx = ctx;
    const { signal } = ctx;
    const stop = () => this.#over.resolve(stopReason(signal.reason));
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop);
  }

  checkpoint(lastProcessedId: string, progress: Encoded | null): Promise<Reply<"go on" | "stop">> {
    const noted = progress === null ? undefined : decode(progress);
    return replyOf(() =>
      Promise.race([
        this.#ctx.checkpoint(lastProcessedId, noted).then(() => "go on" as const),
        this.#over.promise.then(() => "stop" as const), // a checkpoint of an attempt that is over never settles
      ]),
    );
  }

  async log(message: string, fields: LogFields): Promise<void> {
    this.#ctx.log(message, fields);
  }

  stopped(): Promise<StopReason | null> {
    return this.#over.promise;
  }

  /** The call has ended. An answer still owed to the entrypoint would keep the object in memory. */
  close(): void {
    this.#over.resolve(null);
  }
}

/**
 * Runs an attempt in the entrypoint, which answers whatever the function did, its errors too: where the call
 * itself fails, the isolate is gone. Such errors carry no flag by which to know them.
 *
 * @throws what the activity threw; IsolateLostError; WaymarkError `DEFINITION_INVALID` where the Worker
 *   does not export it
 */
export async function runRemotely(
  activities: ActivitiesRpc | undefined,
  activity: AnyActivity,
  input: unknown,
  ctx: ActivityContext,
): Promise<unknown> {
  if (activities === undefined) {
    throw new WaymarkError(
      "DEFINITION_INVALID",
      `activity "${activity.name}" runs in the Worker's entrypoint: export \`Activities\` of ` +
        "`waymark.objects` beside `WorkflowInstance`",
    );
  }
  const { status, attempt, idempotencyKey, instanceId, executionId, step } = ctx;
  const call: RemoteCall = {
    activity: activity.name,
    input: pack(encode(input, `the input of "${activity.name}"`)),
    status,
    attempt,
    idempotencyKey,
    instanceId,
    executionId,
    step,
  };
  const channel = new AttemptChannel(ctx);
  const outcome = await activities
    .run(call, channel)
    .catch((error: unknown) => {
      throw new IsolateLostError(error);
    })
    .finally(() => channel.close());
  if (outcome.ok) return decode(unpack(outcome.result));
  throw errorOf(outcome.error);
}
