/** The engine's host in a Durable Object. */
import { entitiesMissing, isEntityAddress } from "../core/entity.ts";
import type { LogEvent } from "../core/log.ts";
import type { CopyRequest } from "../engine/fork-source.ts";
import type { Host, Nap } from "../engine/host.ts";
import { type MessageAnswer, refused } from "../engine/message.ts";
import { type ActivitiesRpc, runRemotely } from "./attempt-channel.ts";
import { isHeard, type LogLevel, writeLog } from "./console-log.ts";
import { type PackedCopy, unpackCopy } from "./packed-copy.ts";
import { type PackedMessage, packMessage } from "./packed-message.ts";

/** The longest `setTimeout` takes, in milliseconds. */
const LONGEST_TIMEOUT_MILLIS = 2 ** 31 - 1;

/** `setAlarm` takes nothing later: the instance then looks, and sets it again. */
const LATEST_ALARM = Date.UTC(2189, 0);

export function objectHost(state: DurableObjectState, env: Cloudflare.Env, level: LogLevel): Host {
  const { storage } = state;
  return {
    env,
    now: () => Date.now(),
    randomId: () => crypto.randomUUID(),
    drain: () => storage.sync(),
    committed: () => storage.sync(),
    gate: () => false, // the output gate holds back what leaves
    breathe: () => new Promise((resolve) => setTimeout(resolve, 0)),
    getAlarm: () => storage.getAlarm(),
    setAlarm: (at) => {
      // Not awaited: the alarm is part of the commit of the writes around it (design, section 8).
      if (at === null) void storage.deleteAlarm();
      else void storage.setAlarm(Math.min(at, LATEST_ALARM));
    },
    abort: (error) => state.abort(String(error)),
    erase: () => {
      // Not awaited either: it takes its effect at once, and the next commit is the proof.
      void storage.deleteAll();
    },
    napUntil,
    runActivity: (activity, input, ctx) =>
      activity.options.where === "worker"
        ? runRemotely(exportsOf(state).Activities, activity, input, ctx)
        : activity.run(input, ctx),
    fetch: (request) => fetch(request),
    deliver: (message) => {
      const { WorkflowInstance, EntityInstance } = exportsOf(state);
      if (isEntityAddress(message.to)) {
        const answer = EntityInstance?.getByName(message.to).receive(packMessage(message));
        return answer ?? Promise.resolve(refused(entitiesMissing()));
      }
      const instances = WorkflowInstance;
      if (instances === undefined)
        return Promise.reject(new Error("WorkflowInstance is no export"));
      return instances.getByName(message.to).receive(packMessage(message)); // a reset breaks stubs
    },
    copyFrom: async (id, request) => {
      const { WorkflowInstance } = exportsOf(state);
      if (WorkflowInstance === undefined) throw new Error("WorkflowInstance is no export");
      return unpackCopy(await WorkflowInstance.getByName(id).copy(id, request));
    },
    follow: (promise) => promise,
    log: (event: LogEvent) => writeLog(event, level),
    hears: (event) => isHeard(event, level),
  };
}

/** The Worker's own exports: a call to one needs no binding. */
const exportsOf = (state: DurableObjectState) =>
  state.exports as unknown as {
    readonly Activities?: ActivitiesRpc;
    readonly WorkflowInstance?: { getByName(id: string): MessageRpc & CopyRpc };
    readonly EntityInstance?: { getByName(address: string): MessageRpc };
  };

/** An instance's object, as another one calls it. */
interface MessageRpc {
  receive(message: PackedMessage): Promise<MessageAnswer>;
}

/** An instance's object, as one that is forked from it calls it. */
interface CopyRpc {
  copy(id: string, request: CopyRequest): Promise<PackedCopy>;
}

function napUntil(at: number): Nap {
  if (at === Number.POSITIVE_INFINITY) return { over: new Promise(() => {}), cancel: () => {} };
  let timer: ReturnType<typeof setTimeout> | null = null;
  const millis = Math.min(Math.max(0, at - Date.now()), LONGEST_TIMEOUT_MILLIS);
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, millis);
  });
  const cancel = () => {
    if (timer !== null) clearTimeout(timer);
  };
  return { over, cancel };
}
