/**
 * A simulated cluster: many instances in one process, each with the real engine and store on
 * node:sqlite, on one virtual clock. Days pass in milliseconds, and nothing is random unless asked for.
 */

import { isTerminal } from "../core/documents.ts";
import { type Duration, durationMillis } from "../core/duration.ts";
import {
  type AnyEntity,
  type AnyOperations,
  checkEntityKey,
  type Entity,
  entityAddress,
} from "../core/entity.ts";
import { WaymarkError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { checkInstanceId } from "../core/names.ts";
import { encode } from "../core/payload.ts";
import { type AnyWorkflow, startInput, type Workflow } from "../core/workflow.ts";
import type { StartCommand } from "../engine/commands.ts";
import { storedDue } from "../engine/due.ts";
import { EntityStore } from "../store/entity-store.ts";
import { InstanceStore } from "../store/instance-store.ts";
import { OutboxStore } from "../store/outbox-store.ts";
import { StepStore } from "../store/step-store.ts";
import { type Effect, effectsOf } from "./effects.ts";
import { type Faults, NO_FAULTS } from "./faults.ts";
import { InProcessObject, type InProcessOptions } from "./in-process-object.ts";
import { ask, askForCopy, bringMessage, type Message, sendMessage } from "./network.ts";
import { Scheduler } from "./scheduler.ts";
import { TestEntity } from "./test-entity.ts";
import { TestInstance } from "./test-instance.ts";
import type { TraceEvent } from "./trace.ts";
import type { VirtualClock } from "./virtual-clock.ts";

export interface ClusterOptions
  extends Pick<
    InProcessOptions,
    | "workflows"
    | "entities"
    | "activities"
    | "env"
    | "fetch"
    | "turn"
    | "faults"
    | "clock"
    | "cellBytes"
    | "codec"
    | "gate"
  > {
  /** Which of so many things that could go on goes on next, from 0; the oldest if left out. */
  readonly choose?: (count: number) => number;
  /** Told of each thing that happens, as it happens. */
  readonly onEvent?: (event: TraceEvent) => void;
}

export interface TestStartOptions
  extends Partial<Pick<StartCommand, "id" | "tags" | "onConflict">> {
  readonly startAt?: Date;
}

/** A workflow that runs in a test. */
export class Cluster {
  readonly #options: ClusterOptions;
  readonly #scheduler: Scheduler;
  readonly #faults: Faults;
  readonly #objects = new Map<string, InProcessObject>();
  readonly #trace: TraceEvent[] = [];
  #workflows: readonly AnyWorkflow[];
  #entities: readonly AnyEntity[];

  /**
   * @param options the workflows that may be started, and mocks for the activities they call. An
   *   activity without a mock runs as it is, with `env` as its bindings. Activities may wait for
   *   promises and for the cluster's clock, which stands still while one waits for something else, for a
   *   second of real time at most.
   * @example
   * const cluster = new Cluster({ workflows: [order], activities: [mock(charge, () => "receipt")] });
   * const instance = await cluster.start(order, { amount: 10 });
   * await cluster.run();
   * expect(instance.output()).toEqual({ receipt: "receipt" });
   */
  constructor(options: ClusterOptions) {
    const { clock, choose } = options;
    this.#options = options;
    this.#workflows = options.workflows;
    this.#entities = options.entities ?? [];
    this.#faults = options.faults ?? NO_FAULTS;
    this.#scheduler = new Scheduler({
      ...(clock === undefined ? {} : { clock }),
      ...(choose === undefined ? {} : { choose }),
    });
  }

  /** The clock of all instances: it stands still but for {@link run} and {@link advance}. */
  get clock(): VirtualClock {
    return this.#scheduler.clock;
  }

  /** What happened so far, in order. */
  get trace(): readonly TraceEvent[] {
    return this.#trace;
  }

  /** What mocks did to the outside world so far; what has a key counts once for each key. */
  get effects(): readonly Effect[] {
    return effectsOf(this.#trace);
  }

  /** The objects of all instances so far. */
  get objects(): readonly InProcessObject[] {
    return [...this.#objects.values()];
  }

  /**
   * Starts an instance, as `POST /v1/workflows/{name}/instances` does. It runs in the next run.
   *
   * @throws WaymarkError `WORKFLOW_NOT_FOUND`, `INPUT_INVALID`, `PAYLOAD_UNSUPPORTED`,
   *   `INSTANCE_ID_INVALID`, `INSTANCE_EXISTS`, `BODY_INVALID` for a `startAt` that is no moment
   */
  async start<Input, Output>(
    workflow: Workflow<Input, Output>,
    ...[input, options = {}]: undefined extends Input
      ? [input?: Input, options?: TestStartOptions]
      : [input: Input, options?: TestStartOptions]
  ): Promise<TestInstance<Output>> {
    const { startAt, ...others } = options;
    if (Number.isNaN(startAt?.getTime())) {
      throw new WaymarkError("BODY_INVALID", "startAt is an invalid Date");
    }
    const { name, version } = workflow;
    if (!this.#workflows.some((known) => known.name === name && known.version === version)) {
      throw new WaymarkError(
        "WORKFLOW_NOT_FOUND",
        `"${name}" is not among the cluster's workflows`,
      );
    }
    const given = await startInput(workflow, input, this.clock.now());
    const id = options.id ?? this.#freeId(name); // not before the wait: another may take it
    checkInstanceId(id);
    const command: StartCommand = {
      workflow: name,
      version,
      tags: {},
      onConflict: "reject",
      ...others,
      id,
      input: encode(given, "the input"),
      startAt: startAt?.getTime(),
    };
    const object = this.object(id);
    ask(object, (commands) => commands.start(command));
    return new TestInstance<Output>(object, this.#find);
  }

  readonly #find = (id: string): InProcessObject => this.object(id);

  #freeId(name: string): string {
    const stem = name.replaceAll(" ", "-").slice(0, LIMITS.instanceIdLength / 2);
    for (let number = this.#objects.size + 1; ; number++) {
      if (!this.#objects.has(`${stem}-${number}`)) return `${stem}-${number}`;
    }
  }

  /**
   * The instance of that id.
   *
   * @throws WaymarkError `INSTANCE_NOT_FOUND`
   */
  instance(id: string): TestInstance {
    const object = this.#objects.get(id);
    if (object !== undefined) return new TestInstance(object, this.#find);
    throw new WaymarkError("INSTANCE_NOT_FOUND", `nothing was started with the id "${id}"`);
  }

  /**
   * One entity of those that the cluster has.
   *
   * @throws WaymarkError `ENTITY_NOT_FOUND`, `NAME_INVALID` for a key that none can have
   * @example expect(cluster.entity(counter, "user-1").state()).toBe(5);
   */
  entity<State, Operations extends AnyOperations>(
    definition: Entity<State, Operations>,
    key: string,
  ): TestEntity<State, Operations> {
    const { name } = definition;
    if (!this.#entities.some((known) => known.name === name)) {
      throw new WaymarkError("ENTITY_NOT_FOUND", `"${name}" is not among the cluster's entities`);
    }
    checkEntityKey(key);
    return new TestEntity(this.object(entityAddress(name, key)), definition);
  }

  /** The object of that id, made where there is none. */
  object(id: string): InProcessObject {
    const known = this.#objects.get(id);
    if (known !== undefined) return known;
    const { activities = [], env, fetch, turn = {}, cellBytes, codec, gate } = this.#options;
    const object = new InProcessObject({
      name: id,
      workflows: this.#workflows,
      entities: this.#entities,
      activities,
      turn,
      scheduler: this.#scheduler,
      faults: this.#faults,
      deliver: (message) =>
        bringMessage(this.object(message.to), message, this.#faults, this.clock),
      copyFrom: (source, request) =>
        askForCopy(this.object(source), request, this.#faults, this.clock),
      onEvent: (event) => {
        this.#trace.push(event);
        this.#options.onEvent?.(event);
      },
      ...(env === undefined ? {} : { env }),
      ...(fetch === undefined ? {} : { fetch }),
      ...(cellBytes === undefined ? {} : { cellBytes }),
      ...(codec === undefined ? {} : { codec }),
      ...(gate === undefined ? {} : { gate }),
    });
    this.#objects.set(id, object);
    return object;
  }

  /** Sends a message until it is acknowledged, through whatever the faults do to it. */
  send<Answer>(id: string, message: Message<Answer>): Promise<Answer> {
    return sendMessage(this.object(id), message, this.#faults, this.clock);
  }

  /** Runs until nothing is left to do, or nothing before that moment. */
  run(until?: Date): Promise<void> {
    return this.#scheduler.run(until?.getTime());
  }

  /** Runs what is due within a length of time, and moves the clock by it. */
  advance(duration: Duration): Promise<void> {
    return this.#scheduler.run(this.clock.now() + durationMillis(duration));
  }

  /** Replaces the code of all instances, as a deployment does: memory is lost, rows stay. */
  deploy(workflows: readonly AnyWorkflow[], entities = this.#entities): void {
    this.#workflows = workflows;
    this.#entities = entities;
    for (const object of this.#objects.values()) object.deploy(workflows, entities);
  }

  /**
   * Instances that will never go on: not ended, without an alarm, and not merely waiting for an event.
   * After {@link run} there may be none.
   */
  stuck(): readonly TestInstance[] {
    return this.objects.filter(isStuck).map((object) => new TestInstance(object, this.#find));
  }
}

function isStuck(object: InProcessObject): boolean {
  if (object.alarm !== null || object.ringing) return false;
  const row = new InstanceStore(object.sql).read();
  if (new OutboxStore(object.sql).pending().length > 0) return true;
  if (new EntityStore(object.sql).nextDue() !== null) return true;
  if (row === undefined || isTerminal(row.status)) return false;
  const steps = new StepStore(object.sql);
  return storedDue(row, steps.open(), steps.bufferedNames()) !== null;
}
