/**
 * The engine of one entity: takes operations in, runs them one at a time, keeps the alarm.
 *
 * - W1: the rows decide. The state is read for each operation anew.
 * - W2, W8: an operation is stored, with the note of its message, before its sender is answered. What it comes to,
 *   its state, its messages, its result and its end are one commit: so it counts exactly once, however often a
 *   crash repeats it.
 * - W3: while a turn runs no later alarm is set, but for an operation that may take the object with it: that
 *   one's next try must not use up the platform's own retries.
 * - W4: `wake` never throws.
 */

import type { ParentReference } from "../core/child.ts";
import { type EntityRegistry, entityAddress } from "../core/entity.ts";
import { WaymarkError } from "../core/errors.ts";
import { engineFailure, type Failure, toFailure } from "../core/failure.ts";
import { LIMITS } from "../core/limits.ts";
import type { LogFields } from "../core/log.ts";
import { asSensitive } from "../core/sensitive.ts";
import type { Registry } from "../core/workflow.ts";
import { type EntityRow, EntityStore, type OperationRow } from "../store/entity-store.ts";
import { InboxStore } from "../store/inbox-store.ts";
import { KeyStore } from "../store/key-store.ts";
import { OutboxStore, type OutgoingRow } from "../store/outbox-store.ts";
import { PartStore } from "../store/part-store.ts";
import { Tables } from "../store/schema.ts";
import type { Sql } from "../store/sql.ts";
import { Breather } from "./breather.ts";
import { Budget } from "./budget.ts";
import { type CorrectedHost, correctedHost } from "./corrected-host.ts";
import { Courier } from "./courier.ts";
import { Doorbell } from "./doorbell.ts";
import type { FiredAlarm } from "./engine.ts";
import { keepOutcome } from "./entity-answers.ts";
import { EntityLocking } from "./entity-locking.ts";
import { OperationRun, type Performed } from "./entity-operation.ts";
import { DEFAULT_TURN_BUDGET, type Host, LOST_MILLIS, type TurnBudget } from "./host.ts";
import { type Answered, type MessageAnswer, type MessageContent, prepared } from "./message.ts";
import { told } from "./reporter.ts";

export interface EntityEngineOptions {
  readonly sql: Sql;
  readonly host: Host;
  readonly entities: EntityRegistry;
  /** The workflows that operations may start. */
  readonly registry: Registry;
  readonly turn?: Partial<TurnBudget>;
  /** UTF-8 bytes of a text that is not split over rows; tests take fewer than the platform. */
  readonly cellBytes?: number | undefined;
}

/** How long an entity without a state is kept after its last use: its senders and keys are remembered as long. */
const REST_MILLIS = Math.max(LIMITS.inboxMillis, LIMITS.idempotencyKeyMillis);
/** Waits after the engine itself has failed, storage included: from a second, doubling, to a minute. */
const BROKEN_MILLIS = { first: 1_000, most: 60_000 };

export class EntityEngine {
  readonly host: CorrectedHost;
  readonly entities: EntityRegistry;
  readonly store: EntityStore;
  readonly keys: KeyStore;
  readonly inbox: InboxStore;
  readonly outbox: OutboxStore;
  readonly locking: EntityLocking;
  readonly #registry: Registry;
  readonly #courier: Courier;
  readonly #budget: TurnBudget;
  readonly #doorbell = new Doorbell();
  readonly #breather: Breather;
  #turn: Promise<void> | null = null;
  #turning = false;
  /** The alarm as set by this memory; undefined where an earlier one may have set it. */
  #alarmAt: number | null | undefined;
  #requested = false;
  #broken = 0;
  /** Operations that this memory has taken in: none of them can have killed one before. */
  readonly #own = new Set<number>();
  /** Requests that wait for an operation's end. */
  readonly #waiting = new Map<number, ((answered: Answered) => void)[]>();
  readonly #lines: { readonly event: string; readonly fields: LogFields }[] = [];

  constructor(options: EntityEngineOptions) {
    this.host = correctedHost(options.host);
    this.entities = options.entities;
    this.#registry = options.registry;
    const tables = new Tables(options.sql);
    const parts = new PartStore(options.sql, options.cellBytes, tables);
    this.store = new EntityStore(options.sql, parts, tables);
    this.keys = new KeyStore(options.sql, LIMITS.entityKeys, tables);
    this.inbox = new InboxStore(options.sql, tables);
    this.outbox = new OutboxStore(options.sql, parts, tables);
    this.#breather = new Breather(this.host);
    this.#budget = { ...DEFAULT_TURN_BUDGET, ...options.turn };
    this.#courier = new Courier({
      host: this.host,
      outbox: this.outbox,
      doorbell: this.#doorbell,
      prepare: (content) => prepared(content, this.#registry, this.host.now()),
      answered: (row, content, answer) => this.#answered(row, content, answer),
    });
    this.locking = new EntityLocking(this.store, this.#courier, (id) => this.#own.delete(id));
  }

  /** Notes that a request reached this memory. The first one sees to it that an alarm is set. */
  requested(): void {
    if (!this.#requested && this.#turn === null && this.#alarmAt === undefined) void this.#mend();
    this.#requested = true;
  }

  /** Sets the alarm anew where the platform has given it up: only a request can bring the entity back then. */
  async #mend(): Promise<void> {
    const alarm = await this.host.getAlarm();
    if (alarm === null && this.#turn === null && this.#alarmAt === undefined) this.#arm();
  }

  /** An operation of this memory was stored: a turn is owed to it. */
  added(id: number): void {
    this.#own.add(id);
    this.changed();
  }

  /** The queue is another than it was: a turn looks at it. */
  changed(): void {
    if (this.#turning) this.#doorbell.ring();
    else if (!this.#isAboutToFire()) this.#arm();
  }

  /** One that is due must not be put off by each operation that comes; one that is overdue does not come. */
  #isAboutToFire(): boolean {
    const late = this.host.now() - (this.#alarmAt ?? Number.NEGATIVE_INFINITY);
    return late >= 0 && late < LOST_MILLIS;
  }

  /** What an operation comes to, once that is durable. */
  whenEnded(id: number): Promise<Answered> {
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(id);
      if (waiting === undefined) this.#waiting.set(id, [resolve]);
      else waiting.push(resolve);
    });
  }

  /** The alarm's work: runs a turn, or joins the one that runs. Never throws (W4). */
  wake(alarm: FiredAlarm): Promise<void> {
    if (this.#turn !== null) return this.#turn;
    const uncovered = this.#alarmAt === null; // it fires twice: nothing covers what comes meanwhile
    this.#alarmAt = null; // it has fired
    if (alarm.scheduledAt !== undefined) this.host.alarmFired(alarm.scheduledAt);
    this.#turn = this.#run(uncovered)
      .catch((error: unknown) => this.#recover(error))
      .finally(() => {
        this.#turn = null;
      });
    return this.#turn;
  }

  async #run(uncovered: boolean): Promise<void> {
    this.#turning = true;
    const budget = new Budget(this.#budget, this.host.now());
    try {
      for (;;) {
        await this.host.drain();
        this.#tellAll();
        const now = this.host.now();
        this.#probe(now);
        this.#courier.send(now);
        const next = this.store.next(now);
        if (next === undefined && !(await this.#correspond(budget, now))) return;
        if (next === undefined) continue;
        if (budget.spent(now)) {
          this.#setAlarm(now + 1);
          return;
        }
        if (uncovered && this.#alarmAt === null) this.#setAlarm(now + 1);
        if (!this.#lock(next, now)) await this.#perform(next);
        budget.spendStep();
        if (this.#breather.due) await this.#breather.breathe();
      }
    } finally {
      this.#turning = false; // in the same breath as the alarm is set: who comes now sets it
    }
  }

  /** Waits for answers where messages are on their way. Returns whether there may be more to do. */
  async #correspond(budget: Budget, now: number): Promise<boolean> {
    this.#broken = 0;
    if (!this.#courier.busy || budget.spent(now)) {
      this.#rest(now);
      return false;
    }
    const dues = [this.store.nextDue(), this.#courier.nextDue(), this.locking.probeDue()];
    const ahead = dues.filter((due) => due !== null && due > now) as number[];
    await this.#doorbell.waitUntil(this.host, Math.min(...ahead, budget.endsAt));
    budget.spendStep();
    return true;
  }

  /** Nothing is to be done now. What nobody needs any more goes, and then the object costs nothing at all. */
  #rest(now: number): void {
    const due = this.#decayDue();
    if (due !== null && due <= now) this.#erase();
    else this.#arm();
  }

  #erase(): void {
    this.host.erase();
    this.store.dropped();
    this.keys.dropped();
    this.inbox.dropped();
    this.outbox.dropped();
    this.#courier.reset();
    this.#alarmAt = null;
  }

  /** When an entity without a state may go; null where it may not. */
  #decayDue(): number | null {
    const row = this.store.read();
    if (row === undefined || row.present || row.lock !== null || !this.#courier.empty) return null;
    return this.store.queue().count > 0 ? null : row.at + REST_MILLIS;
  }

  /** Sets the alarm for what is to be done next. */
  #arm(): void {
    const probe = this.locking.probeDue();
    const dues = [this.store.nextDue(), this.#courier.nextDue(), this.#decayDue(), probe];
    const next = Math.min(...dues.map((due) => due ?? Number.POSITIVE_INFINITY));
    this.#setAlarm(Number.isFinite(next) ? Math.max(next, this.host.now() + 1) : null);
  }

  #setAlarm(at: number | null): void {
    if (at === this.#alarmAt) return;
    this.host.setAlarm(at);
    this.#alarmAt = at;
  }

  /** Whether what has its turn is about the entity's lock; if so, it is done. */
  #lock(row: OperationRow, now: number): boolean {
    const entity = this.store.read();
    if (entity === undefined) return false;
    const done = this.locking.perform(entity, row, entityAddress(entity.name, entity.key), now);
    if (done) this.#own.delete(row.id);
    return done;
  }

  #probe(now: number): void {
    const entity = this.store.read();
    if (entity?.lock != null) this.locking.probe(entityAddress(entity.name, entity.key), now);
  }

  /** Runs an operation, and writes what it comes to. */
  async #perform(row: OperationRow): Promise<void> {
    const { host, store } = this;
    const entity = store.read();
    if (entity === undefined) return;
    this.keys.checkWritable();
    if (!this.#own.has(row.id)) {
      // A memory before this one took it in, and may have died of it.
      if (row.attempt >= LIMITS.operationLosses) {
        this.#end(entity, row, { ok: false, failure: lost(row.attempt) });
        return;
      }
      store.input(row.id); // what cannot be read is not marked: no try of it begins
      store.state();
      store.mark(row.id, row.attempt + 1);
      this.#setAlarm(host.now() + LOST_MILLIS);
      await host.committed();
    }
    this.#end(entity, row, await this.#outcome(entity, row));
  }

  /** What an operation comes to, in the time that it has. Messages are sent meanwhile. */
  async #outcome(entity: EntityRow, row: OperationRow): Promise<Performed> {
    const { host, store } = this;
    const definition = this.entities.find(entity.name);
    if (definition === undefined)
      return { ok: false, failure: engineFailure(unknown(entity.name)) };
    const now = host.now();
    const deadline = now + definition.timeoutMillis;
    const run = new OperationRun({
      definition,
      operation: row.operation,
      input: store.input(row.id),
      key: entity.key,
      state: store.state(),
      token: row.token,
      sender: entity.sender,
      env: host.env,
      now,
      log: (message, fields) => this.#log(entity, "log", { ...fields, message }, row.operation),
    });
    let performed: Performed | null = null;
    let over = false;
    const settled = host.follow(run.perform(), () => over);
    void settled.then((outcome) => {
      performed = outcome;
      this.#doorbell.ring();
    });
    for (await host.drain(); performed === null; ) {
      const next = this.#courier.nextDue() ?? deadline;
      const wait = next > host.now() ? Math.min(next, deadline) : deadline;
      await this.#doorbell.waitUntil(host, wait);
      if (performed !== null) break;
      if (host.now() >= deadline) {
        over = true;
        const error = late(entity, row, definition.timeoutMillis);
        run.stop(error);
        return { ok: false, failure: engineFailure(error) };
      }
      this.#courier.send(host.now());
    }
    return performed;
  }

  /** Writes in one go what an operation has come to. */
  #end(entity: EntityRow, row: OperationRow, performed: Performed): void {
    const { host, store } = this;
    const sensitive = this.entities.find(entity.name)?.sensitive === true;
    const now = host.now();
    if (performed.ok) {
      const { change, messages } = performed;
      if (change === "deleted") store.deleteState(now);
      else if (change !== "same") store.setState(change.state, now, sensitive);
      else if (!entity.present) store.touch(now);
      for (const message of messages) this.#courier.post(message, now);
    } else if (!entity.present) store.touch(now);
    store.remove(row);
    this.#own.delete(row.id);
    const answered: Answered = performed.ok
      ? { ok: true, result: performed.result }
      : { ok: false, failure: asSensitive(performed.failure, sensitive), final: true };
    const caller = row.caller === null ? null : (JSON.parse(row.caller) as ParentReference);
    if (caller?.awaited) {
      const content = { kind: "result", parent: caller, outcome: answered } as const;
      const { sender: executionId } = entity;
      this.#courier.post({ target: caller.id, executionId, step: null, content }, now);
    }
    keepOutcome(this.keys, row, answered, now);
    const fields = answered.ok ? {} : told(answered.failure);
    const event = performed.ok ? "operation.completed" : "operation.failed";
    const ms = now - (row.due ?? row.at);
    this.#lines.push({
      event,
      fields: { ...named(entity), operation: row.operation, ...fields, ms },
    });
    const waiting = this.#waiting.get(row.id);
    this.#waiting.delete(row.id);
    if (waiting === undefined) return;
    const answer = () => {
      for (const resolve of waiting) resolve(answered);
    };
    host.committed().then(answer, () => {}); // not stored, so not told
  }

  /** A message was not taken: nobody waits for it, so it is only told. */
  #answered({ target }: OutgoingRow, content: MessageContent, answer: MessageAnswer): void {
    const row = this.store.read();
    if (answer.ok || row === undefined) return;
    const { kind } = content;
    const past = answer.failure.code === "LOCK_NOT_HELD"; // no other refusal says so
    if (past && (kind === "grant" || kind === "probe")) {
      this.locking.refused(content.caller, this.host.now());
    }
    const fields = { ...named(row), to: target, message: kind, ...told(answer.failure) };
    this.#lines.push({ event: "message.refused", fields });
  }

  /** The engine or its storage has failed: forgets its memory, and comes back to the rows later. */
  #recover(error: unknown): void {
    const wait = Math.min(BROKEN_MILLIS.first * 2 ** this.#broken, BROKEN_MILLIS.most);
    this.#broken++;
    this.#lines.length = 0;
    try {
      this.store.reset();
      this.#courier.reset();
      this.#setAlarm(this.host.now() + wait);
      const row = this.store.read();
      if (row !== undefined) this.#log(row, "engine.failed", told(toFailure(error)));
    } catch {
      // Storage is gone: the platform resets the object and runs this alarm again.
    }
  }

  /** Tells what the last commit made durable. */
  #tellAll(): void {
    for (const { event, fields } of this.#lines.splice(0)) this.#tell(event, fields);
  }

  #log(row: EntityRow, event: string, fields: LogFields, operation?: string): void {
    this.#tell(event, {
      ...fields,
      ...named(row),
      ...(operation === undefined ? {} : { operation }),
    });
  }

  #tell(event: string, fields: LogFields): void {
    const names = fields as { instance: string; execution: string; workflow: string };
    this.host.log({ ...fields, ...names, event });
  }
}

/** The names that each line of a log has: the entity in place of an instance and its workflow. */
const named = ({ name, key, sender }: EntityRow) => ({
  instance: entityAddress(name, key),
  execution: sender,
  workflow: name,
});

export const unknown = (name: string): WaymarkError =>
  new WaymarkError(
    "ENTITY_NOT_FOUND",
    `no entity "${name}" is registered: list it in createWaymark`,
  );

const late = (
  { name, key }: EntityRow,
  { operation }: OperationRow,
  timeoutMillis: number,
): WaymarkError =>
  new WaymarkError(
    "ENTITY_TIMEOUT",
    `"${operation}" of ${entityAddress(name, key)} took longer than ${timeoutMillis} ms. Its state is as it ` +
      "was; let a workflow do what takes long, or give the entity a longer timeout",
  );

const lost = (attempts: number): Failure =>
  engineFailure(
    new WaymarkError(
      "ENTITY_LOST",
      `the object was lost during the operation, ${attempts + 1} times: it may use too much memory or CPU, ` +
        "or the Worker was restarted",
    ),
  );
