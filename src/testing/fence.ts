/**
 * What belongs to a life of an object's memory, and ends with it. Code cannot be killed in process: what
 * is left of a dead life runs on. So everything through which it could still reach the world asks
 * first, and never answers the dead.
 */
import type { Sql, SqlValue } from "../store/sql.ts";

/** Whether a life of an object's memory is over. */
export interface Mortal {
  readonly dead: boolean;
}

/** Made anew for each who waits: one shared by all would hold them all. */
export const never = (): Promise<never> => new Promise(() => {});

/** Storage as one life sees it; `onWrite` is told of what it writes. */
export function fenceSql(sql: Sql, life: Mortal, onWrite: () => void): Sql {
  const guard = (): void => {
    if (life.dead) throw new Error("this object's memory was lost; its storage is out of reach");
  };
  return {
    cipher: sql.cipher,
    all: <Row>(statement: string, ...bindings: SqlValue[]) => {
      guard();
      if (!statement.startsWith("SELECT")) onWrite();
      return sql.all<Row>(statement, ...bindings);
    },
    run: (statement, ...bindings) => {
      guard();
      onWrite();
      sql.run(statement, ...bindings);
    },
    later: (write) => {
      guard();
      onWrite();
      sql.later(write);
    },
    settle: () => {
      guard();
      sql.settle();
    },
    transaction: (body) => {
      guard();
      onWrite();
      return sql.transaction(body);
    },
  };
}

/** What is told of calls to bindings. */
export interface CallWatch {
  /** Asked before each: whether it leaves. */
  called(): boolean;
  /** Told which call, such as `DB.batch`, was just answered. */
  answered(call: string): void;
}

/** Bindings as one life sees them: a call by the dead has no effect and never returns. */
export function fenceBindings<Bindings extends object>(
  bindings: Bindings,
  life: Mortal,
  watch: CallWatch,
): Bindings {
  const fence = new BindingFence(life, watch);
  const fenced = Object.entries(bindings).map(([name, one]) => [name, fence.around(one, name)]);
  return Object.fromEntries(fenced) as Bindings;
}

type Callable = (...args: unknown[]) => unknown;

class BindingFence {
  readonly #life: Mortal;
  readonly #watch: CallWatch;
  readonly #known = new WeakMap<object, unknown>();

  constructor(life: Mortal, watch: CallWatch) {
    this.#life = life;
    this.#watch = watch;
  }

  around(value: unknown, path: string): unknown {
    if (typeof value === "function") return this.#call(value as Callable, undefined, path);
    if (typeof value !== "object" || value === null || !isFenceable(value)) return value;
    const known = this.#known.get(value);
    if (known !== undefined) return known;
    // A proxy may not change what a frozen target holds: an empty object stands in for that.
    const fenced = new Proxy(Object.isFrozen(value) ? Object.create(value) : value, {
      get: (_target, name) => {
        const member: unknown = Reflect.get(value, name, value);
        const named = `${path}.${String(name)}`;
        return typeof member === "function"
          ? this.#call(member as Callable, value, named)
          : this.around(member, named);
      },
    });
    this.#known.set(value, fenced);
    return fenced;
  }

  #call(call: Callable, on: unknown, path: string): Callable {
    return (...args) => {
      if (this.#life.dead || !this.#watch.called()) return never();
      const result = call.apply(on, args);
      return result instanceof Promise ? this.#answer(result, path) : this.around(result, path);
    };
  }

  async #answer(result: Promise<unknown>, path: string): Promise<unknown> {
    const [outcome] = await Promise.allSettled([result]);
    if (!this.#life.dead) this.#watch.answered(path);
    if (this.#life.dead) return never();
    if (outcome.status === "rejected") throw outcome.reason;
    return this.around(outcome.value, path);
  }
}

/** Data with methods of its own, which built-in functions take only as it is. */
const BUILT_IN_DATA = [Date, ArrayBuffer, Blob, ReadableStream] as const;

/** Plain data goes through as it is; what has methods of its own is a binding or made by one. */
function isFenceable(value: object): boolean {
  if (Array.isArray(value) || ArrayBuffer.isView(value)) return false;
  if (BUILT_IN_DATA.some((kind) => value instanceof kind)) return false;
  return Object.values(value).some((member) => typeof member === "function") || !isPlain(value);
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}
