/** One instance of a cluster, as a test sees it. */
import type { HistoryItem, HistoryPage, InstanceDocument, RewoundStep } from "../core/documents.ts";
import { decodeFailure, fromFailure } from "../core/failure.ts";
import type { StoredHistory, StoredHistoryPage } from "../core/history.ts";
import { LIMITS } from "../core/limits.ts";
import { checkInstanceId } from "../core/names.ts";
import { decode, encode } from "../core/payload.ts";
import { textOf } from "../core/stored-text.ts";
import type { Commands } from "../engine/commands.ts";
import { InstanceStore } from "../store/instance-store.ts";
import type { InProcessObject } from "./in-process-object.ts";
import { ask } from "./network.ts";

/** Steps of a history that are read at a time. */
const PAGE = 1_000;

/** How long an update may take in a test: 30 days. */
const CALL_MILLIS = 2_592_000_000;

/** Whether something is asked of an instance's children as well, and of theirs. */
interface Recursion {
  readonly recursive?: boolean;
}

/** Where a rewind goes back to, and why. */
interface Rewinding {
  /** The identity of a step; whatever the execution has ended with if left out. */
  readonly to?: string | null;
  readonly reason?: string | null;
}

/** What a fork is made of, and why. */
interface Forking extends Rewinding {
  /** Its id; one of its own if left out. */
  readonly id?: string;
  /** The version of the workflow that it goes on with; that of the source if left out. */
  readonly version?: string | null;
}

let requests = 0;

/** A started instance. Get one from {@link Cluster.start} or {@link Cluster.instance}. */
export class TestInstance<Output = unknown> {
  readonly #object: InProcessObject;

  readonly #find: (id: string) => InProcessObject;

  constructor(object: InProcessObject, find: (id: string) => InProcessObject) {
    this.#object = object;
    this.#find = find;
  }

  get id(): string {
    return this.#object.name;
  }

  /** What `GET /v1/instances/{id}` answers. */
  document(): InstanceDocument {
    return this.#ask((commands) => commands.get(this.id));
  }

  /** What `GET /v1/instances/{id}/history` answers, all pages of it. */
  history(): readonly HistoryItem[] {
    const items: HistoryItem[] = [];
    for (let cursor: string | null = null; ; ) {
      const page: HistoryPage = this.#historyPage(cursor);
      items.push(...page.items);
      if (page.cursor === null) return items;
      cursor = page.cursor;
    }
  }

  #historyPage(cursor: string | null): HistoryPage {
    return this.#ask((commands) => commands.history(this.id, cursor, PAGE));
  }

  /**
   * What the workflow returned.
   *
   * @throws Error where it has not completed; where it failed, with the reason as `cause`
   */
  output(): Output {
    const row = new InstanceStore(this.#object.sql).read();
    if (row?.status === "Completed" && row.output !== null)
      return decode(textOf(row.output)) as Output;
    const cause = row?.error == null ? undefined : fromFailure(decodeFailure(row.error));
    const why = cause === undefined ? "" : `: ${cause.message}`;
    throw new Error(`the instance "${this.id}" is ${row?.status ?? "not there"}${why}`, { cause });
  }

  /**
   * Sends an event, as `POST /v1/instances/{id}/events/{name}` does. It takes effect in the next run.
   *
   * @throws WaymarkError `INSTANCE_TERMINAL`, `EVENT_BUFFER_FULL`, `PAYLOAD_UNSUPPORTED`
   */
  send(event: string, payload?: unknown): void {
    const encoded = encode(payload, `the event "${event}"`);
    // Of one request, however often it is repeated.
    const idempotency = { key: `test ${++requests}`, fingerprint: encoded };
    const command = { event, payload: encoded, idempotency };
    this.#ask((commands) => commands.sendEvent(this.id, command));
  }

  /**
   * Calls a handler of its code, as `POST /v1/instances/{id}/calls/{name}` does, and returns what it
   * replies. An update runs what it needs: time moves on as far as its handler waits. One call is one update,
   * over crashes too.
   *
   * @throws WaymarkError `HANDLER_NOT_FOUND`, `HANDLER_FAILED` with what it threw as `cause`, `INPUT_INVALID`,
   *   `UPDATE_REFUSED`, `UPDATE_UNFINISHED`, `INSTANCE_SUSPENDED`, `INSTANCE_TERMINAL`; Error where an
   *   update is not done when nothing more is to be done within 30 days
   * @example expect(await instance.call("total")).toBe(42);
   */
  async call<Reply = unknown>(name: string, input?: unknown): Promise<Reply> {
    const payload = encode(input, `the input of "${name}"`);
    const idempotency = { key: `test ${++requests}`, fingerprint: `${name} ${payload}` };
    const { scheduler } = this.#object;
    const until = scheduler.clock.now() + CALL_MILLIS;
    for (;;) {
      const answer = this.#object.request((commands) =>
        commands.call(this.id, { name, payload, idempotency }, until),
      );
      let over = false;
      void answer.then(() => {
        over = true;
      });
      await scheduler.run(until + 1, () => over);
      const came = await answer;
      if (came === undefined) continue; // it was lost meanwhile: the same request again
      if (!came.ok) throw came.error;
      if (came.value.done) return decode(came.value.reply) as Reply;
      throw new Error(`the update ${came.value.pending.step} of "${this.id}" is not done`);
    }
  }

  /**
   * Suspends it: what runs is let go on, and nothing new starts until it is resumed.
   *
   * @throws WaymarkError `INSTANCE_TERMINAL`
   */
  suspend(reason: string | null = null): void {
    this.#ask((commands) => commands.suspend(this.id, { reason }));
  }

  /**
   * Resumes it in the next run, whoever suspended it.
   *
   * @throws WaymarkError `INSTANCE_TERMINAL`
   */
  resume(): void {
    this.#ask((commands) => commands.resume(this.id, { reason: null }));
  }

  /**
   * Asks its code to end, in the next run: open steps fail with a {@link CancelledError}.
   *
   * @throws WaymarkError `INSTANCE_TERMINAL`
   */
  cancel(reason: string | null = null, { recursive = false }: Recursion = {}): void {
    this.#ask((commands) => commands.cancel(this.id, { reason, recursive }));
  }

  /**
   * Ends it: at once, or with `compensate` in the next run, once what it has begun is undone.
   *
   * @throws WaymarkError `INSTANCE_TERMINAL`
   */
  terminate(
    reason: string | null = null,
    { recursive = false, compensate = false }: Recursion & { readonly compensate?: boolean } = {},
  ): void {
    this.#ask((commands) => commands.terminate(this.id, { reason, recursive, compensate }));
  }

  /**
   * Lets it go on, in the next run, from before a step or before what it has ended with.
   *
   * @throws WaymarkError `INSTANCE_NOT_TERMINAL`, `REWIND_TARGET_UNKNOWN`
   */
  rewind({ to = null, reason = null }: Rewinding = {}): void {
    this.#ask((commands) => commands.rewind(this.id, { to, reason }));
  }

  /**
   * The steps that a rewind would do again, were it asked for now. What is due now goes on meanwhile.
   *
   * @throws WaymarkError `INSTANCE_NOT_TERMINAL`, `REWIND_TARGET_UNKNOWN`, `NONDETERMINISM`
   */
  async previewRewind({ to = null }: Pick<Rewinding, "to"> = {}): Promise<readonly RewoundStep[]> {
    const preview = this.#ask((commands) => commands.previewRewind(this.id, to));
    const { scheduler } = this.#object;
    let over = false;
    const end = () => {
      over = true;
    };
    preview.then(end, end);
    await scheduler.run(scheduler.clock.now(), () => over);
    return (await preview).steps;
  }

  /**
   * Starts it anew with the same input, in the newest version of its workflow.
   *
   * @throws WaymarkError `INSTANCE_NOT_FOUND`, `WORKFLOW_NOT_FOUND`
   */
  restart(reason: string | null = null): void {
    this.#ask((commands) => commands.restart(this.id, { reason }));
  }

  /**
   * A new instance with its history up to a step, or up to what it has ended with, as `POST /v1/instances/{id}/fork`
   * makes it. It copies in the next run, and goes on from there; this one is left as it is.
   *
   * @throws WaymarkError `REWIND_TARGET_UNKNOWN`, `VERSION_MISSING`, `INSTANCE_EXISTS`, `INSTANCE_ID_INVALID`
   * @example const fork = order.fork({ to: "charge", version: "2" });
   */
  fork(forking: Forking = {}): TestInstance<Output> {
    const { to = null, version = null, reason = null } = forking;
    const as = forking.id ?? `${this.id.slice(0, LIMITS.instanceIdLength / 2)}-fork-${++requests}`;
    checkInstanceId(as);
    const given = this.#ask((commands) => commands.forkPoint(this.id, { as, to, version }));
    const { input, ...point } = given;
    const command = { id: as, version: point.version, input, source: this.id, point, reason };
    const object = this.#find(as);
    ask(object, (commands) => commands.fork(command));
    return new TestInstance<Output>(object, this.#find);
  }

  /**
   * Removes it; with `force`, ends it first.
   *
   * @throws WaymarkError `INSTANCE_NOT_FOUND`, `INSTANCE_NOT_TERMINAL`
   */
  purge({ force = false, recursive = false }: Recursion & { readonly force?: boolean } = {}): void {
    this.#ask((commands) => commands.purge(this.id, { force, recursive }));
  }

  /** Loses the object's memory and what it has not committed, as a crash does. */
  crash(): void {
    this.#object.crash();
  }

  /** Loses the memory of an object at rest. Returns whether it was at rest. */
  evict(): boolean {
    return this.#object.evict();
  }

  /**
   * The execution as it is stored, for {@link checkHistory}: what `GET /v1/instances/{id}/export` answers.
   *
   * @throws WaymarkError `INSTANCE_NOT_FOUND`
   */
  export(): StoredHistory {
    const { cursor, ...history } = this.#exportPage(null);
    const steps = [...history.steps];
    for (let next = cursor; next !== null; ) {
      const page = this.#exportPage(next);
      steps.push(...page.steps);
      next = page.cursor;
    }
    return { ...history, steps };
  }

  #exportPage(cursor: string | null): StoredHistoryPage {
    return this.#ask((commands) => commands.export(this.id, cursor, PAGE));
  }

  #ask<Answer>(request: (commands: Commands) => Answer): Answer {
    return ask(this.#object, request);
  }
}
