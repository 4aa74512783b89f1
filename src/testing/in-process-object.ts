/**
 * One workflow instance in process: the real engine and store on node:sqlite and a virtual clock.
 *
 * It behaves as a Durable Object does where it matters: writes between two waits are one commit and
 * nothing leaves before it (W9); one alarm, which is part of the commit; an alarm whose handler died
 * without a later alarm runs again; a crash loses memory and what was not committed.
 */
import { randomUUID } from "node:crypto";
import type { LogEvent } from "../core/log.ts";
import type { AnyWorkflow } from "../core/workflow.ts";
import { createRegistry } from "../core/workflow.ts";
import { Commands } from "../engine/commands.ts";
import { Engine } from "../engine/engine.ts";
import type { Host, TurnBudget } from "../engine/host.ts";
import { NodeSql } from "../store/node-sql.ts";
import type { Sql, SqlValue } from "../store/sql.ts";
import { VirtualClock } from "./virtual-clock.ts";

/** Where a crash strikes: before or after the nth commit since the object was made, from 1. */
export interface CrashPoint {
  readonly commit: number;
  readonly when: "before" | "after";
}

export interface InProcessOptions {
  readonly workflows: readonly AnyWorkflow[];
  readonly clock?: VirtualClock;
  readonly turn?: Partial<TurnBudget>;
  readonly crashes?: readonly CrashPoint[];
  readonly env?: Cloudflare.Env;
  readonly onLog?: (event: LogEvent) => void;
}

/** One life of the object's memory. A dead one must do nothing more, whoever still holds it. */
interface Life {
  dead: boolean;
  readonly engine: Engine;
  readonly commands: Commands;
  /** Says that this life has ended. */
  readonly died: Promise<void>;
  readonly die: () => void;
}

/** Made anew for each who waits: one shared by all would hold them all. */
const never = (): Promise<never> => new Promise(() => {});

export class InProcessObject {
  readonly clock: VirtualClock;
  readonly sql = new NodeSql();
  readonly logs: LogEvent[] = [];
  /** Commits so far that wrote something. */
  commits = 0;
  crashes = 0;
  readonly #options: InProcessOptions;
  #workflows: readonly AnyWorkflow[];
  #life: Life;
  /** The alarm as committed, and as set since the last commit. */
  #alarm: number | null = null;
  #alarmSet: { readonly at: number | null } | undefined;
  #napping = 0;
  /** Waits for commits that are under way: as long as there is one, time stands still. */
  #settling = 0;

  constructor(options: InProcessOptions) {
    this.#options = options;
    this.#workflows = options.workflows;
    this.clock = options.clock ?? new VirtualClock();
    this.#life = this.#live();
  }

  /** The commands of the present life. Commit with {@link commit} what they write. */
  get commands(): Commands {
    return this.#life.commands;
  }

  /** The committed alarm, in milliseconds since 1970. */
  get alarm(): number | null {
    return this.#alarm;
  }

  /** Replaces the code, as a deployment does: memory is lost, rows stay. */
  deploy(workflows: readonly AnyWorkflow[]): void {
    this.#workflows = workflows;
    this.crash();
  }

  /** Loses memory and everything not committed. */
  crash(): void {
    this.crashes++;
    this.#life.dead = true;
    this.sql.rollback();
    this.#alarmSet = undefined;
    this.#napping = 0;
    this.#settling = 0;
    const { die } = this.#life;
    this.#life = this.#live();
    die();
  }

  /** Makes durable what was written, unless a crash is planned for here. Returns whether it lived. */
  commit(): boolean {
    if (!this.sql.dirty && this.#alarmSet === undefined) return true;
    const commit = ++this.commits;
    const planned = this.#options.crashes?.find((point) => point.commit === commit);
    if (planned?.when === "before") {
      this.crash();
      return false;
    }
    this.sql.flush();
    if (this.#alarmSet !== undefined) this.#alarm = this.#alarmSet.at;
    this.#alarmSet = undefined;
    if (planned === undefined) return true;
    this.crash();
    return false;
  }

  /**
   * Runs alarms, and moves the clock from wait to wait, until nothing is left to do or that moment
   * is reached. Activities may wait for promises and for this clock, for nothing else.
   */
  async run(until = Number.POSITIVE_INFINITY): Promise<void> {
    this.commit();
    while (this.#alarm !== null && this.#alarm <= until) {
      await this.#moveTo(this.#alarm);
      if (!(await this.#ring(until))) break;
    }
    if (Number.isFinite(until)) await this.#moveTo(until);
    while (this.#settling > 0) await macrotask();
  }

  async #moveTo(moment: number): Promise<void> {
    while (this.clock.next() <= moment) {
      this.clock.moveTo(this.clock.next());
      await macrotask();
    }
    this.clock.moveTo(moment);
  }

  /**
   * Runs the alarm as the platform does: again, as a retry, where its handler died under it. Returns
   * false where the handler still waits for a moment after `until`; the next run joins it.
   */
  async #ring(until: number): Promise<boolean> {
    for (let retries = 0; ; retries++) {
      const life = this.#life;
      const rungFor = this.#alarm;
      const handler = life.engine.wake({ retries });
      let over = false;
      const ended = Promise.race([handler, life.died]).then(() => {
        over = true;
      });
      while (!over) {
        await macrotask();
        await macrotask();
        // All that can run has run: the turn waits for the clock, or for what never comes.
        if (!over && this.#napping > 0 && this.#settling === 0) {
          const next = this.clock.next();
          if (next > until || next === Number.POSITIVE_INFINITY) return false;
          this.clock.moveTo(next);
        }
      }
      await ended;
      // A handler removes its alarm when it ends, unless it has set another one.
      if (!life.dead && this.#alarmSet === undefined && this.#alarm === rungFor) {
        this.#alarmSet = { at: null };
      }
      if (!life.dead && this.commit()) return true;
      if (this.#alarm !== rungFor) return true; // it had set a later one: only that runs
    }
  }

  #live(): Life {
    let die = () => {};
    const died = new Promise<void>((resolve) => {
      die = resolve;
    });
    const flag = { dead: false };
    const host = this.#host(flag);
    const registry = createRegistry(this.#workflows);
    const turn = this.#options.turn ?? {};
    const engine = new Engine({ sql: fenced(this.sql, flag), host, registry, turn });
    return Object.assign(flag, { engine, commands: new Commands(engine), died, die });
  }

  #host(life: { dead: boolean }): Host {
    const { clock } = this;
    const settle = async (): Promise<void> => {
      if (life.dead) return never();
      this.#settling++;
      await macrotask(); // whatever else is written until then is part of the same commit
      if (life.dead || !this.commit()) return never();
      this.#settling--;
    };
    return {
      env: this.#options.env ?? ({} as Cloudflare.Env),
      now: () => clock.now(),
      randomId: () => randomUUID(),
      drain: settle,
      committed: settle,
      breathe: settle,
      setAlarm: (at) => {
        if (!life.dead) this.#alarmSet = { at };
      },
      napUntil: (at) => this.#nap(at, life),
      runActivity: async (activity, input, ctx) => activity.run(input, ctx),
      log: (event) => {
        if (life.dead) return;
        this.logs.push(event);
        this.#options.onLog?.(event);
      },
    };
  }

  #nap(at: number, life: { dead: boolean }) {
    if (life.dead) return { over: never(), cancel: () => {} };
    let wake = () => {};
    const over = new Promise<void>((resolve) => {
      wake = resolve;
    });
    const stop = at === Number.POSITIVE_INFINITY ? () => {} : this.clock.at(at, wake);
    this.#napping++;
    const cancel = () => {
      stop();
      if (!life.dead) this.#napping--;
    };
    return { over, cancel };
  }
}

/** Storage as one life sees it: what is left of a dead one can no longer reach it. */
function fenced(sql: Sql, life: { readonly dead: boolean }): Sql {
  const guard = (): void => {
    if (life.dead) throw new Error("this object's memory was lost; its storage is out of reach");
  };
  return {
    all: <Row>(statement: string, ...bindings: SqlValue[]) => {
      guard();
      return sql.all<Row>(statement, ...bindings);
    },
    run: (statement, ...bindings) => {
      guard();
      sql.run(statement, ...bindings);
    },
    transaction: (body) => {
      guard();
      return sql.transaction(body);
    },
  };
}

/** Runs after every promise job that can run has run. */
const macrotask = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
