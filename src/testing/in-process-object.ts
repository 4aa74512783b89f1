/**
 * One workflow instance, or one entity, in process: the real engine and store on node:sqlite and a virtual clock.
 *
 * It behaves as a Durable Object does where it matters: writes between two waits are one commit and
 * nothing leaves before it (W9); one alarm, which is part of the commit; an alarm whose handler died
 * without a later alarm runs again; a crash loses memory and what was not committed.
 */
import type { ActivityContext, AnyActivity } from "../core/activity.ts";
import type { CodecOption } from "../core/codec.ts";
import { durationMillis } from "../core/duration.ts";
import { type AnyEntity, createEntityRegistry, isEntityAddress } from "../core/entity.ts";
import { WaymarkError } from "../core/errors.ts";
import type { LogEvent } from "../core/log.ts";
import { type AnyWorkflow, createRegistry } from "../core/workflow.ts";
import { Commands } from "../engine/commands.ts";
import { Engine } from "../engine/engine.ts";
import { EntityCommands } from "../engine/entity-commands.ts";
import { EntityEngine } from "../engine/entity-engine.ts";
import type { CopyAnswer, CopyRequest } from "../engine/fork-source.ts";
import type { Host, Nap, TurnBudget } from "../engine/host.ts";
import { type Message, type MessageAnswer, refused } from "../engine/message.ts";
import { Cipher } from "../store/cipher.ts";
import { NodeSql } from "../store/node-sql.ts";
import type { Effect } from "./effects.ts";
import { type FakeFetch, fakeWeb } from "./fake-fetch.ts";
import { type CrashMoment, type Faults, NO_FAULTS } from "./faults.ts";
import { fenceBindings, fenceSql, never } from "./fence.ts";
import { type EffectOptions, type Mock, type MockContext, mockFinder } from "./mock.ts";
import { type AlarmOwner, ObjectAlarm } from "./object-alarm.ts";
import { Scheduler } from "./scheduler.ts";
import type { Happening, TraceEvent } from "./trace.ts";
import type { VirtualClock } from "./virtual-clock.ts";

export interface InProcessOptions {
  /** What its faults and its trace call it. */
  readonly name?: string;
  readonly workflows: readonly AnyWorkflow[];
  /** It is one of these where its name is an entity's address. */
  readonly entities?: readonly AnyEntity[];
  readonly activities?: readonly Mock[];
  readonly env?: Cloudflare.Env;
  /** Answers the requests of `ctx.fetch`; without it none is made. */
  readonly fetch?: FakeFetch;
  readonly turn?: Partial<TurnBudget>;
  /** What payloads are in storage: as they are, if left out. */
  readonly codec?: CodecOption;
  /** Bytes of the longest text that is not split over rows: as on the platform, if left out. */
  readonly cellBytes?: number;
  /**
   * When what several short steps have written is made durable: before the next one begins, or, as an output gate
   * does it, before something that a mock or a request does leaves the object. Before each step, if left out.
   */
  readonly gate?: "steps" | "effects";
  /** Shared by the objects of a cluster; one of its own if left out. */
  readonly scheduler?: Scheduler;
  readonly clock?: VirtualClock;
  readonly faults?: Faults;
  /** Brings a message to another object; without it there are no others. */
  readonly deliver?: (message: Message) => Promise<MessageAnswer>;
  /** Asks another object for a part of its history; without it there are no others. */
  readonly copyFrom?: (id: string, request: CopyRequest) => Promise<CopyAnswer>;
  readonly onLog?: (event: LogEvent) => void;
  readonly onEvent?: (event: TraceEvent) => void;
}

/** The answer to a request, which may be an error; undefined where none came. */
export type Delivered<Answer> =
  | { readonly ok: true; readonly value: Answer }
  | { readonly ok: false; readonly error: unknown }
  | undefined;

/** One life of the object's memory. A dead one must do nothing more, whoever still holds it. */
interface Life {
  dead: boolean;
  /** Milliseconds by which its machine's clock is ahead. */
  readonly clockError: number;
  /** Waits in memory: an object at rest holds none (W11). */
  naps: number;
  /** Waits for storage. */
  settling: number;
  /** Something was written that nobody waits for; it is committed all the same. */
  committing: boolean;
  /** Attempts whose function has not ended. One that was stopped may never end, and holds nothing. */
  readonly attempts: Set<ActivityContext>;
  /** Resolves when it is lost. */
  readonly died: Promise<void>;
  readonly die: () => void;
  readonly engine: Pick<Engine, "wake">;
  /** Of an instance. */
  readonly commands: Commands | null;
  /** Of an entity. */
  readonly entity: EntityCommands | null;
}

export class InProcessObject {
  readonly name: string;
  readonly scheduler: Scheduler;
  readonly sql = new NodeSql();
  readonly logs: LogEvent[] = [];
  /** Commits so far that wrote something. */
  commits = 0;
  /** The last of them that was not lost. */
  durableCommit = 0;
  crashes = 0;
  readonly #options: InProcessOptions;
  readonly #faults: Faults;
  readonly #mockOf: (activity: AnyActivity) => Mock | undefined;
  #workflows: readonly AnyWorkflow[];
  #entities: readonly AnyEntity[];
  #codec: CodecOption | undefined;
  #life: Life;
  #executions = 0;
  readonly #alarm: ObjectAlarm;

  constructor(options: InProcessOptions) {
    this.#options = options;
    this.name = options.name ?? "instance-1";
    this.#workflows = options.workflows;
    this.#entities = options.entities ?? [];
    this.#codec = options.codec;
    this.#faults = options.faults ?? NO_FAULTS;
    this.#mockOf = mockFinder(options.activities ?? []);
    this.scheduler =
      options.scheduler ??
      new Scheduler(options.clock === undefined ? {} : { clock: options.clock });
    this.#alarm = new ObjectAlarm(this.#alarmOwner());
    this.#life = this.#live();
  }

  get clock(): VirtualClock {
    return this.scheduler.clock;
  }

  /** The commands of the present life. Commit with {@link commit} what they write. */
  get commands(): Commands {
    return present(this.#life.commands, "an instance", this.name);
  }

  /** Those of an entity. */
  get entity(): EntityCommands {
    return present(this.#life.entity, "an entity", this.name);
  }

  /** Brings a message of another object, as an RPC does. */
  receive(message: Message): Promise<Delivered<MessageAnswer>> {
    return this.#deliver(
      (life) => (life.entity ?? life.commands)?.receive(message) as MessageAnswer,
    );
  }

  /** The committed alarm, in milliseconds since 1970. */
  get alarm(): number | null {
    return this.#alarm.at;
  }

  /** Whether the alarm's handler runs. */
  get ringing(): boolean {
    return this.#alarm.ringing;
  }

  /** What its memory still waits for: an object at rest waits for nothing (W11). */
  get memory(): { readonly naps: number; readonly settling: number; readonly steps: string[] } {
    const { naps, settling, attempts } = this.#life;
    const running = [...attempts].filter((attempt) => !attempt.signal.aborted);
    return { naps, settling, steps: running.map(({ step }) => step) };
  }

  /**
   * Brings a request to the object, as an RPC does: it answers when what it wrote is durable. Undefined
   * where the object was lost before that, so that the sender cannot know.
   */
  deliver<Answer>(request: (commands: Commands) => Answer): Promise<Delivered<Answer>> {
    return this.#deliver(() => request(this.commands));
  }

  async #deliver<Answer>(request: (life: Life) => Answer): Promise<Delivered<Answer>> {
    const life = this.#life;
    const answer = attempt(() => request(life));
    await this.scheduler.turn();
    if (life.dead || this.#strikes({ kind: "await" }) || !this.commit()) return undefined;
    return answer;
  }

  /**
   * Brings a request whose answer takes its time, as that to a long poll: undefined where the object was lost
   * meanwhile. The engine sees to it that its answer does not leave before the commit of what it tells.
   */
  async request<Answer>(
    request: (commands: Commands) => Promise<Answer>,
  ): Promise<Delivered<Answer>> {
    const life = this.#life;
    const answer = request(this.commands).then(
      (value) => ({ ok: true as const, value }),
      (error: unknown) => ({ ok: false as const, error }),
    );
    const answered = await Promise.race([answer, life.died.then(() => undefined)]);
    return life.dead ? undefined : answered;
  }

  /** Runs until nothing is left to do, or nothing before that moment. */
  run(until?: number): Promise<void> {
    this.commit();
    return this.scheduler.run(until);
  }

  /** Replaces the code, as a deployment does: memory is lost, rows stay. */
  deploy(
    workflows: readonly AnyWorkflow[],
    entities = this.#entities,
    codec: CodecOption | null | undefined = this.#codec,
  ): void {
    this.#workflows = workflows;
    this.#entities = entities;
    this.#codec = codec ?? undefined;
    this.#tell({ kind: "deployed" });
    this.#lose();
  }

  /** Loses memory and everything not committed. */
  crash(moment: CrashMoment | null = null): void {
    this.#tell({ kind: "crash", moment });
    this.#lose();
  }

  #lose(): void {
    this.crashes++;
    this.#replaceLife();
  }

  /** Loses the memory of an object at rest. Returns whether it was at rest. */
  evict(): boolean {
    const { naps, settling, steps } = this.memory;
    if (this.ringing || this.sql.dirty || naps + settling + steps.length > 0) return false;
    this.#tell({ kind: "evicted" });
    this.#replaceLife();
    return true;
  }

  #replaceLife(): void {
    this.#life.dead = true;
    this.#life.die();
    this.sql.rollback();
    this.#alarm.lose();
    this.#life = this.#live();
  }

  /** Makes durable what was written, unless a crash is planned for here. Returns whether it lived. */
  commit(): boolean {
    if (!this.sql.dirty && !this.#alarm.dirty) return true;
    const commit = ++this.commits;
    if (this.#strikes({ kind: "commit", when: "before", commit })) return false;
    this.sql.flush();
    this.durableCommit = commit;
    this.#alarm.commit();
    this.#tell({ kind: "commit", commit });
    return !this.#strikes({ kind: "commit", when: "after", commit });
  }

  /** Asks the plan of faults whether the object is lost here, and loses it. */
  #strikes(moment: CrashMoment): boolean {
    if (this.#faults.crash?.(this.name, moment) !== true) return false;
    this.crash(moment);
    return true;
  }

  #tell(happening: Happening): void {
    this.#options.onEvent?.({ at: this.clock.now(), object: this.name, ...happening });
  }

  #alarmOwner(): AlarmOwner {
    const { name, clock } = this;
    return {
      name,
      clock,
      faults: this.#faults,
      handle: async (alarm) => {
        this.#tell({ kind: "alarm", retries: alarm.retries });
        try {
          await this.#life.engine.wake(alarm);
        } catch (error) {
          this.#tell({ kind: "alarm failed", error });
        }
      },
      settled: () => this.#settle(this.#life),
      gaveUp: () => {
        this.#tell({ kind: "alarm lost" });
        this.#replaceLife(); // it is given up where each of its handlers has died
      },
      rested: () => {
        if (this.#faults.evicted?.(name) === true) this.evict();
      },
    };
  }

  #live(): Life {
    let die = () => {};
    const died = new Promise<void>((resolve) => {
      die = resolve;
    });
    const life = {
      died,
      die,
      dead: false,
      clockError: this.#faults.clockError?.(this.name) ?? 0,
      naps: 0,
      settling: 0,
      committing: false,
      attempts: new Set<ActivityContext>(),
    };
    const env = this.#options.env ?? ({} as Cloudflare.Env);
    this.sql.cipher = new Cipher(this.#codec, env, this.name);
    const options = {
      sql: fenceSql(this.sql, life, () => this.#commitSoon(life)),
      host: this.#host(life),
      registry: createRegistry(this.#workflows),
      turn: this.#options.turn ?? {},
      cellBytes: this.#options.cellBytes,
    };
    if (isEntityAddress(this.name)) {
      const entities = createEntityRegistry(this.#entities);
      const engine = new EntityEngine({ ...options, entities });
      return Object.assign(life, { engine, commands: null, entity: new EntityCommands(engine) });
    }
    const engine = new Engine(options);
    return Object.assign(life, { engine, commands: new Commands(engine), entity: null });
  }

  #host(life: Omit<Life, "engine" | "commands" | "entity">): Host {
    const now = () => this.clock.now() + life.clockError;
    const settle = () => this.#settle(life);
    return {
      env: fenceBindings(this.#options.env ?? ({} as Cloudflare.Env), life, {
        called: () => this.#passesGate(),
        answered: (call) => {
          this.#strikes({ kind: "call", call });
        },
      }),
      now,
      randomId: () => `${this.name}/${++this.#executions}`,
      drain: settle,
      committed: settle,
      gate: () => !life.dead && this.#options.gate !== "effects" && this.commit(),
      breathe: settle,
      getAlarm: async () => {
        await settle();
        return this.ringing ? null : this.alarm;
      },
      setAlarm: (at) => {
        if (life.dead) return;
        this.#alarm.set(at);
        this.#commitSoon(life);
      },
      abort: () => {
        if (!life.dead) this.crash();
      },
      erase: () => {
        if (life.dead) return;
        this.sql.erase();
        this.#alarm.set(null);
        this.#commitSoon(life);
      },
      napUntil: (at) => this.#nap(at - life.clockError, life),
      runActivity: (activity, input, ctx) => this.#attempt(activity, input, ctx, life),
      fetch: fakeWeb(this.#options.fetch, life, {
        effect: (what, key) => this.#affect({ what, key, value: undefined }),
        answered: () => this.#strikes({ kind: "call", call: "fetch" }),
      }),
      deliver: async (message) => {
        await settle();
        const answer = await this.#send(message).finally(() => (life.dead ? never() : null));
        return answer;
      },
      copyFrom: async (id, request) => {
        await settle();
        const { copyFrom } = this.#options;
        if (copyFrom === undefined) throw new Error(`there is no instance "${id}"`);
        return copyFrom(id, request).finally(() => (life.dead ? never() : null));
      },
      follow: (promise, over) => this.#follow(promise, () => life.dead || over()),
      log: (event) => {
        if (life.dead) return;
        this.logs.push(event);
        this.#tell({ kind: "log", event });
        this.#options.onLog?.(event);
      },
    };
  }

  #send(message: Message): Promise<MessageAnswer> {
    const { deliver } = this.#options;
    if (deliver !== undefined) return deliver(message);
    const alone = new WaymarkError("INSTANCE_NOT_FOUND", `there is no instance "${message.to}"`);
    return Promise.resolve(refused(alone));
  }

  /** Waits for storage: whatever else is written until then is part of the same commit. */
  async #settle(life: Pick<Life, "dead" | "settling">): Promise<void> {
    if (life.dead) return never();
    life.settling++;
    await this.scheduler.turn();
    if (life.dead) return never();
    if (this.sql.putsOff) {
      this.scheduler.break(new Error("a write was put off beyond its burst: see Sql.later"));
      return never();
    }
    if (this.#strikes({ kind: "await" }) || !this.commit()) return never();
    life.settling--;
  }

  /** What is written is committed at the next wait, whether or not its writer waits. */
  #commitSoon(life: Pick<Life, "dead" | "settling" | "committing">): void {
    if (life.committing) return;
    life.committing = true;
    void this.#settle(life).then(() => {
      life.committing = false;
    });
  }

  #nap(at: number, life: Pick<Life, "dead" | "naps">): Nap {
    if (life.dead) return { over: never(), cancel: () => {} };
    let wake = () => {};
    const over = new Promise<void>((resolve) => {
      wake = resolve;
    });
    const stop = at === Number.POSITIVE_INFINITY ? () => {} : this.clock.atForHost(at, wake);
    life.naps++;
    const cancel = () => {
      stop();
      life.naps--;
    };
    return { over, cancel };
  }

  async #follow<Value>(promise: Promise<Value>, over: () => boolean): Promise<Value> {
    const ended = this.scheduler.work(over);
    const [outcome] = await Promise.allSettled([promise]);
    ended();
    if (outcome.status === "rejected") throw outcome.reason;
    return outcome.value;
  }

  async #attempt(
    activity: AnyActivity,
    input: unknown,
    ctx: ActivityContext,
    life: Pick<Life, "dead" | "attempts">,
  ): Promise<unknown> {
    if (life.dead) return never();
    const { step, attempt } = ctx;
    const moment = (when: "before" | "after") =>
      ({ kind: "attempt", when, step, attempt }) as const;
    this.#tell({ ...moment("before"), dirty: this.sql.dirty });
    if (this.#strikes(moment("before"))) return never();
    const mocked = this.#mockOf(activity);
    const run = async (): Promise<unknown> =>
      mocked === undefined
        ? activity.run(input, ctx)
        : mocked.run(input, this.#mockContext(ctx, life));
    life.attempts.add(ctx);
    const ended = this.scheduler.work(() => life.dead || ctx.signal.aborted);
    const [outcome] = await Promise.allSettled([run()]);
    ended();
    life.attempts.delete(ctx);
    if (life.dead) return never();
    this.#tell({ ...moment("after"), dirty: this.sql.dirty });
    if (this.#strikes(moment("after"))) return never();
    if (outcome.status === "rejected") throw outcome.reason;
    return outcome.value;
  }

  /** Whether what leaves now may leave: what was written before it is durable. */
  #passesGate(): boolean {
    return this.#options.gate !== "effects" || this.commit();
  }

  /** The outside world was changed; the object may be lost right after it. */
  #affect(effect: Effect): void {
    if (!this.#passesGate()) return;
    this.#tell({ kind: "effect", ...effect });
    this.#strikes({ kind: "effect", what: effect.what });
  }

  #mockContext(ctx: ActivityContext, life: { readonly dead: boolean }): MockContext {
    const own = {
      effect: (what: string, { key, value }: EffectOptions = {}) => {
        if (!life.dead) this.#affect({ what, key, value });
      },
      sleep: async (duration: Parameters<MockContext["sleep"]>[0]) => {
        await this.clock.sleep(durationMillis(duration));
        if (life.dead) return never();
      },
    };
    return Object.assign(Object.create(ctx), own) as MockContext;
  }
}

function present<Of>(commands: Of | null, what: string, name: string): Of {
  if (commands !== null) return commands;
  throw new Error(`"${name}" is not the address of ${what}`);
}

function attempt<Answer>(request: () => Answer): Delivered<Answer> {
  try {
    return { ok: true, value: request() };
  } catch (error) {
    return { ok: false, error };
  }
}
