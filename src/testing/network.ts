/**
 * Messages to objects, as a client sends them: again and again until they are acknowledged. So a
 * message that must have its effect once carries an idempotency key.
 */
import type { Commands } from "../engine/commands.ts";
import type { EntityCommands } from "../engine/entity-commands.ts";
import type { CopyAnswer, CopyRequest } from "../engine/fork-source.ts";
import type { Message as InstanceMessage, MessageAnswer } from "../engine/message.ts";
import type { Faults } from "./faults.ts";
import type { InProcessObject } from "./in-process-object.ts";
import type { VirtualClock } from "./virtual-clock.ts";

/** How long a sender waits for an answer before it sends again. */
const RESEND_MILLIS = 500;

export interface Message<Answer> {
  /** What it is, for the plan of faults. */
  readonly what: string;
  readonly request: (commands: Commands) => Answer;
}

/**
 * Asks an object at once, as a test does, and again where a crash has taken what it wrote. A crash
 * after its commit took nothing: it is not asked twice for the same.
 */
export function ask<Answer>(
  object: InProcessObject,
  request: (commands: Commands) => Answer,
): Answer {
  for (;;) {
    const answer = request(object.commands);
    if (object.commit() || object.durableCommit === object.commits) return answer;
  }
}

/** Asks an entity at once, as {@link ask} does an instance. */
export function askEntity<Answer>(
  object: InProcessObject,
  request: (commands: EntityCommands) => Answer,
): Answer {
  for (;;) {
    const answer = request(object.entity);
    if (object.commit() || object.durableCommit === object.commits) return answer;
  }
}

/**
 * Brings a message of one object to another, as an RPC does: once, through whatever the faults do to it.
 *
 * @throws Error where no answer came
 */
export async function bringMessage(
  object: InProcessObject,
  message: InstanceMessage,
  faults: Faults,
  clock: VirtualClock,
): Promise<MessageAnswer> {
  const fate = faults.message?.(object.name, `${message.content.kind} of an instance`) ?? {};
  if (fate.delayMillis !== undefined) await clock.sleepForHost(fate.delayMillis);
  const answer = fate.lost === true ? undefined : await object.receive(message);
  if (fate.doubled === true) await object.receive(message);
  if (answer === undefined || fate.unanswered === true) throw new Error("no answer came");
  if (answer.ok) return answer.value;
  throw answer.error;
}

/**
 * Asks an object for a part of its history, once, through whatever the faults do to it.
 *
 * @throws Error where no answer came
 */
export async function askForCopy(
  object: InProcessObject,
  request: CopyRequest,
  faults: Faults,
  clock: VirtualClock,
): Promise<CopyAnswer> {
  const fate = faults.message?.(object.name, `${request.kind} for a fork`) ?? {};
  if (fate.delayMillis !== undefined) await clock.sleepForHost(fate.delayMillis);
  const asked = (commands: Commands) => commands.copy(object.name, request);
  const answer = fate.lost === true ? undefined : await object.deliver(asked);
  if (answer === undefined || fate.unanswered === true) throw new Error("no answer came");
  if (answer.ok) return answer.value;
  throw answer.error;
}

/**
 * Sends a message until it is answered.
 *
 * @throws whatever the request threw where it arrived
 */
export async function sendMessage<Answer>(
  object: InProcessObject,
  { what, request }: Message<Answer>,
  faults: Faults,
  clock: VirtualClock,
): Promise<Answer> {
  for (;;) {
    const fate = faults.message?.(object.name, what) ?? {};
    if (fate.delayMillis !== undefined) await clock.sleep(fate.delayMillis);
    const answer = fate.lost === true ? undefined : await object.deliver(request);
    if (fate.doubled === true) await object.deliver(request);
    if (answer === undefined || fate.unanswered === true) {
      await clock.sleep(RESEND_MILLIS);
      continue;
    }
    if (answer.ok) return answer.value;
    throw answer.error;
  }
}
