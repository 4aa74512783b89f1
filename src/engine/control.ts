/** What a person does to an instance as a whole: suspend, resume, terminate, restart, purge. */
import { type Idempotency, type InstanceDocument, isTerminal } from "../core/documents.ts";
import { WaymarkError } from "../core/errors.ts";
import { encodeFailure } from "../core/failure.ts";
import { textOf } from "../core/stored-text.ts";
import type { InstanceRow } from "../store/rows.ts";
import type { Answers } from "./answers.ts";
import type { Engine } from "./engine.ts";
import { hold, lookNow, release } from "./holding.ts";
import { type NewExecution, newInstance } from "./new-instance.ts";
import { documentOf, presentRow } from "./present.ts";

export interface ControlCommand {
  readonly reason: string | null;
  readonly idempotency?: Idempotency | undefined;
}

/** What an instance was started with, as it is stored. */
export type GivenExecution = Pick<NewExecution, "workflow" | "input" | "tags">;

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

  terminate(id: string, { reason, idempotency }: ControlCommand): InstanceDocument {
    return this.#once(id, idempotency, (row) => {
      if (row.status === "Terminated") return;
      checkRunning(row);
      terminate(this.#engine, row, reason);
    });
  }

  restart(id: string, { reason, idempotency }: ControlCommand): InstanceDocument {
    const engine = this.#engine;
    return this.#once(id, idempotency, (row) => {
      const { workflow, tags, input } = givenOf(row);
      const latest = engine.registry.latest(workflow);
      if (latest === undefined) throw notRegistered(workflow);
      const next = { id: row.id, workflow, version: latest.version, input, tags };
      const fresh = newInstance(next, engine.host);
      engine.tell(row, "instance.restarted", reason === null ? {} : { reason });
      engine.steps.deleteAll();
      engine.instance.write(fresh);
      engine.begin(fresh);
    });
  }

  given(id: string): GivenExecution {
    this.#engine.requested();
    return givenOf(presentRow(this.#engine, id));
  }

  purge(id: string, force: boolean): void {
    const engine = this.#engine;
    engine.requested();
    if (!engine.instance.exists && engine.tombstone.read() !== undefined) return;
    const row = presentRow(engine, id);
    if (!isTerminal(row.status)) {
      if (!force) throw notTerminal(row);
      terminate(engine, row, "purged by request");
    }
    engine.purge(row);
    this.#answers.purge();
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

function terminate(engine: Engine, row: InstanceRow, reason: string | null): void {
  const message = reason ?? "terminated by request";
  const error = encodeFailure({ type: "Terminated", message });
  const at = engine.host.now();
  engine.end(row, { status: "Terminated", output: null, error, at }, { reason: message });
}

const givenOf = ({ workflow, input, tags }: InstanceRow): GivenExecution => ({
  workflow,
  input: textOf(input),
  tags: JSON.parse(tags),
});

function notRegistered(workflow: string): WaymarkError {
  return new WaymarkError("WORKFLOW_NOT_FOUND", `no workflow "${workflow}" is registered any more`);
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
