/** What a person does to an instance as a whole: suspend, resume, terminate, rewind, restart, purge. */
import {
  type Idempotency,
  type InstanceDocument,
  isTerminal,
  type RewindPreview,
} from "../core/documents.ts";
import { WaymarkError } from "../core/errors.ts";
import { CancelledError, encodeFailure, engineFailure } from "../core/failure.ts";
import type { StepIdentity } from "../core/names.ts";
import { encode } from "../core/payload.ts";
import { CANCEL_REQUEST, TERMINATE_REQUEST } from "../core/step.ts";
import { textOf } from "../core/stored-text.ts";
import type { InstanceRow } from "../store/rows.ts";
import type { Answers } from "./answers.ts";
import { askChildren } from "./children.ts";
import type { Engine } from "./engine.ts";
import { checkReleased } from "./held-locks.ts";
import { hold, lookNow, release } from "./holding.ts";
import { type NewExecution, newInstance } from "./new-instance.ts";
import { documentOf, presentRow } from "./present.ts";
import { planRewind, stepsOf } from "./rewind.ts";
import type { RewindRequest } from "./rewind-target.ts";
import { versionMissing } from "./suspension.ts";

export interface ControlCommand {
  readonly reason: string | null;
  /** Also of its children, and theirs: for what ends an instance. */
  readonly recursive?: boolean | undefined;
  /** For a terminate: what has begun is undone before the instance ends. */
  readonly compensate?: boolean | undefined;
  readonly idempotency?: Idempotency | undefined;
}

export interface RewindCommand {
  /** The step to go back to; null for whatever the execution has ended with. */
  readonly to: StepIdentity | null;
  readonly reason: string | null;
  readonly idempotency?: Idempotency | undefined;
}

export interface PurgeOptions {
  /** Whether an instance that has not ended is ended first. */
  readonly force: boolean;
  /** Whether its children go as well, and theirs. */
  readonly recursive?: boolean | undefined;
}

/** What an instance's execution was started with, as it is stored. */
export type GivenExecution = Pick<NewExecution, "workflow" | "input" | "tags" | "sensitive">;

export class Control {
  readonly #engine: Engine;
  readonly #answers: Answers;

  constructor(engine: Engine, answers: Answers) {
    this.#engine = engine;
    this.#answers = answers;
  }

  suspend(id: string, { reason, idempotency }: ControlCommand): InstanceDocument {
    return this.#once(id, idempotency, (row) => {
      checkRunning(row);
      if (row.heldAt !== null) return;
      const message = reason ?? "suspended by request";
      hold(this.#engine, row, { type: "Suspended", message, code: "SUSPENDED_BY_REQUEST" });
    });
  }

  resume(id: string, { idempotency }: ControlCommand): InstanceDocument {
    return this.#once(id, idempotency, (row) => {
      checkRunning(row);
      if (row.heldAt !== null) release(this.#engine, row);
      else if (row.status === "Suspended") lookNow(this.#engine, row);
    });
  }

  terminate(id: string, command: ControlCommand): InstanceDocument {
    const { reason, recursive, compensate, idempotency } = command;
    return this.#once(id, idempotency, (row) => {
      const already = row.status === "Terminated";
      if (!already) checkRunning(row);
      const why = reason ?? "terminated by request";
      if (recursive) {
        askChildren(this.#engine, row, { verb: "terminate", reason: why, compensate });
      }
      if (!already) terminateInstance(this.#engine, row, why, compensate);
    });
  }

  cancel(id: string, { reason, recursive, idempotency }: ControlCommand): InstanceDocument {
    return this.#once(id, idempotency, (row) => {
      const already = row.status === "Terminated";
      if (!already) checkRunning(row);
      const why = reason ?? "cancelled by request";
      if (recursive) askChildren(this.#engine, row, { verb: "cancel", reason: why });
      if (!already) cancelInstance(this.#engine, row, why);
    });
  }

  rewind(id: string, { to, reason, idempotency }: RewindCommand): InstanceDocument {
    return this.#once(id, idempotency, (row) => {
      checkRewindable(this.#engine, row, to);
      checkReleased(this.#engine, row);
      rewindInstance(this.#engine, row, { to, reason });
    });
  }

  async previewRewind(id: string, to: StepIdentity | null): Promise<RewindPreview> {
    const engine = this.#engine;
    engine.requested();
    for (;;) {
      const row = presentRow(engine, id);
      checkRewindable(engine, row, to);
      const workflow = engine.registry.find(row.workflow, row.version);
      if (workflow === undefined) throw versionMissing(row);
      const { status, error } = row;
      const request = { to, reason: null, from: unwound(engine, row) ?? { status, error } };
      const [planned] = await Promise.allSettled([planRewind(engine, row, workflow, request)]);
      // Rows are read as they are needed: those of another execution, or of one that has gone on, make no plan.
      if (!endedAlike(row, presentRow(engine, id))) continue;
      if (planned.status === "rejected") throw planned.reason;
      return { steps: stepsOf(planned.value) };
    }
  }

  restart(id: string, { reason, idempotency }: ControlCommand): InstanceDocument {
    const engine = this.#engine;
    return this.#once(id, idempotency, (row) => {
      const { workflow, tags, input, sensitive } = givenOf(row);
      const latest = engine.registry.latest(workflow);
      if (latest === undefined) throw notRegistered(workflow);
      const parent = row.parent === null ? null : JSON.parse(row.parent);
      const next = {
        id: row.id,
        workflow,
        version: latest.version,
        input,
        tags,
        parent,
        sensitive,
      };
      const fresh = newInstance(next, engine.host, engine.registry);
      engine.tell(row, "instance.restarted", reason === null ? {} : { reason });
      engine.forsake(row, null);
      engine.instance.write(fresh);
      engine.begin(fresh);
    });
  }

  /** Notes the key here as well: one that is kept only where the copy goes stands for a copy in each place. */
  given(id: string, idempotency: Idempotency | undefined): GivenExecution {
    this.#engine.requested();
    const given = () => givenOf(presentRow(this.#engine, id));
    return this.#answers.once(idempotency, { of: () => ({}), expand: given }, given);
  }

  purge(id: string, { force, recursive }: PurgeOptions): void {
    const engine = this.#engine;
    engine.requested();
    if (!engine.instance.exists && engine.tombstone.read() !== undefined) return;
    const row = presentRow(engine, id);
    const reason = "purged by request";
    const ended = isTerminal(row.status);
    if (!ended && !force) throw notTerminal(row);
    if (recursive) askChildren(engine, row, { verb: "purge", reason, force });
    if (!ended) terminateInstance(engine, row, reason);
    engine.purge(row);
  }

  #once(
    id: string,
    idempotency: Idempotency | undefined,
    act: (row: InstanceRow) => void,
  ): InstanceDocument {
    const engine = this.#engine;
    engine.requested();
    const present = () => documentOf(engine, presentRow(engine, id));
    return this.#answers.once(idempotency, { of: () => ({}), expand: present }, () => {
      act(presentRow(engine, id));
      return present();
    });
  }
}

/**
 * Lets an execution that has ended go on from before a step, or before what it has ended with. The next turn
 * sees to its rows.
 */
export function rewindInstance(
  engine: Engine,
  row: InstanceRow,
  asked: Pick<RewindRequest, "to" | "reason">,
): void {
  const at = engine.host.now();
  const { status: ended, startedAt, round } = row;
  const error = engine.instance.error(); // as it is, for it is kept
  const status = startedAt === null && round === 1 ? "Pending" : "Running";
  const due = Math.max(at, row.due ?? at); // of one that was to start later
  const { to, reason } = asked;
  const request: RewindRequest = {
    to,
    reason,
    from: unwound(engine, row) ?? { status: ended, error },
  };
  const rewind = JSON.stringify(request);
  engine.rewinds.forgetUnheardCancel();
  engine.instance.setRewinding({ status, due, updatedAt: at, rewind });
  engine.tell(row, "instance.rewinding", reason === null ? {} : { reason });
  engine.poke(due);
}

/** How an execution had ended whose rewind was asked for, and never carried out: it was ended again before. */
const unwound = (engine: Engine, { rewind }: InstanceRow): RewindRequest["from"] | undefined =>
  rewind === null
    ? undefined
    : (JSON.parse(engine.instance.openRewind(rewind)) as RewindRequest).from;

/** Whether an instance that had ended has not gone on since. */
const endedAlike = (before: InstanceRow, now: InstanceRow): boolean =>
  before.executionId === now.executionId &&
  before.status === now.status &&
  before.rewinds === now.rewinds &&
  before.rewind === now.rewind;

/** Asks the code to end. One that has not begun has nothing to clean up, and ends at once. */
export function cancelInstance(engine: Engine, row: InstanceRow, reason: string): void {
  const at = engine.host.now();
  if (row.startedAt === null && row.round === 1) {
    const error = encodeFailure(engineFailure(new CancelledError(CANCEL_REQUEST, reason)));
    engine.end(row, { status: "Terminated", output: null, error, at }, { reason });
    return;
  }
  if (requestEnd(engine, row, CANCEL_REQUEST, reason)) {
    engine.tell(row, "instance.cancelling", { reason });
  }
}

/** Keeps a request that a turn lets reach the code. Returns whether there was none before. */
function requestEnd(engine: Engine, row: InstanceRow, step: string, reason: string): boolean {
  const at = engine.host.now();
  const payload = encode(reason, "the reason");
  // One that a rewind is about to take back does not count: that is known when it is carried out.
  const id = engine.steps.requestCancel(payload, at, row.rewind === null, step);
  if (id === null) return false;
  engine.execution?.requestCancel({ id, step, payload });
  if (row.heldAt === null) engine.poke(at);
  return true;
}

/** @param compensate whether what has begun is undone first, in a turn; one that has not begun ends at once */
export function terminateInstance(
  engine: Engine,
  row: InstanceRow,
  message: string,
  compensate = false,
): void {
  if (compensate && row.status !== "Pending") {
    if (requestEnd(engine, row, TERMINATE_REQUEST, message)) {
      engine.tell(row, "instance.terminating", { reason: message });
    }
    return;
  }
  const error = encodeFailure({ type: "Terminated", message });
  const at = engine.host.now();
  engine.end(row, { status: "Terminated", output: null, error, at }, { reason: message });
}

const givenOf = ({ workflow, input, tags, sensitive }: InstanceRow): GivenExecution => ({
  workflow,
  input: textOf(input),
  tags: JSON.parse(tags),
  sensitive: sensitive === 1,
});

function notRegistered(workflow: string): WaymarkError {
  return new WaymarkError("WORKFLOW_NOT_FOUND", `no workflow "${workflow}" is registered any more`);
}

/** @throws WaymarkError `INSTANCE_NOT_TERMINAL`, `REWIND_TARGET_UNKNOWN` */
function checkRewindable(engine: Engine, row: InstanceRow, to: StepIdentity | null): void {
  const { id, status } = row;
  if (!isTerminal(status)) {
    throw new WaymarkError(
      "INSTANCE_NOT_TERMINAL",
      `the instance "${id}" is ${status}; only one that has ended is rewound`,
    );
  }
  if (to !== null && !engine.rewinds.hasEnded(to)) {
    throw new WaymarkError(
      "REWIND_TARGET_UNKNOWN",
      `no step ${JSON.stringify(to)} has ended in this execution; its history lists those that have`,
    );
  }
  if (to === null && status === "Completed" && !engine.rewinds.hasFailed()) {
    throw new WaymarkError(
      "REWIND_TARGET_UNKNOWN",
      `the instance "${id}" is Completed, and none of its steps has failed: say with "to" where to go back`,
    );
  }
}

function notTerminal({ id, status }: InstanceRow): WaymarkError {
  return new WaymarkError(
    "INSTANCE_NOT_TERMINAL",
    `the instance "${id}" is ${status}; terminate it first, or purge it with ?force=true`,
  );
}

/** @throws WaymarkError `INSTANCE_TERMINAL` */
export function checkRunning(row: InstanceRow): void {
  if (!isTerminal(row.status)) return;
  throw new WaymarkError("INSTANCE_TERMINAL", `the instance "${row.id}" is ${row.status}`);
}
