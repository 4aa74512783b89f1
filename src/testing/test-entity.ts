/** One entity of a cluster, as a test sees it. */
import type { AnyOperations, Entity, OperationArguments, OperationOutput } from "../core/entity.ts";
import { entityAt } from "../core/entity.ts";
import { decode, encode } from "../core/payload.ts";
import { operationError } from "../engine/entity-operation.ts";
import { EntityStore } from "../store/entity-store.ts";
import { PartStore } from "../store/part-store.ts";
import type { InProcessObject } from "./in-process-object.ts";
import { askEntity } from "./network.ts";

let requests = 0;

/** An entity. Get one from {@link Cluster.entity}. */
export class TestEntity<State = unknown, Operations extends AnyOperations = AnyOperations> {
  readonly #object: InProcessObject;

  /** @param _definition for its types */
  constructor(object: InProcessObject, _definition: Entity<State, Operations>) {
    this.#object = object;
  }

  /** `Name/key`. */
  get address(): string {
    return this.#object.name;
  }

  /** Its state, as the last operation that succeeded has left it; undefined where it has none. */
  state(): State | undefined {
    const { sql } = this.#object;
    const state = new EntityStore(sql, new PartStore(sql)).state();
    return state === null ? undefined : (decode(state) as State);
  }

  /**
   * Calls an operation, as `POST /v1/entities/{name}/{key}/{operation}` does, and runs the cluster as far as
   * that goes without its clock, and on until the operation has ended.
   *
   * @throws WaymarkError `ENTITY_FAILED` and what else the request is answered
   * @example expect(await cluster.entity(counter, "user-1").call("add", 5)).toBe(5);
   */
  async call<Name extends keyof Operations & string>(
    operation: Name,
    ...args: OperationArguments<Operations[Name], never>
  ): Promise<OperationOutput<Operations[Name]>> {
    const idempotency = this.#ask(operation, args[0]);
    const answer = () => this.#object.entity.answer(idempotency);
    await this.#object.scheduler.run(undefined, () => answer() !== undefined);
    const answered = answer();
    if (answered === undefined) throw new Error(`${this.address}: ${operation} has not ended`);
    if (!answered.ok) throw operationError(this.address, operation, answered.failure);
    return decode(answered.result) as OperationOutput<Operations[Name]>;
  }

  /** Sends a signal, which takes its effect in the next run. */
  signal<Name extends keyof Operations & string>(
    operation: Name,
    ...args: OperationArguments<Operations[Name], never>
  ): void {
    this.#ask(operation, args[0]);
  }

  /** Of one request, however often it is repeated. */
  #ask(operation: string, given: unknown) {
    const input = encode(given, `the input of "${operation}"`);
    const idempotency = { key: `test ${++requests}`, fingerprint: "" };
    const command = { ...entityAt(this.address), operation, input, idempotency };
    askEntity(this.#object, (commands) => commands.signal(command));
    return idempotency;
  }

  /** Loses the object's memory and what it has not committed, as a crash does. */
  crash(): void {
    this.#object.crash();
  }

  /** Loses the memory of an object at rest. Returns whether it was at rest. */
  evict(): boolean {
    return this.#object.evict();
  }
}
