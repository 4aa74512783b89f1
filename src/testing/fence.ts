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
    transaction: (body) => {
      guard();
      onWrite();
      return sql.transaction(body);
    },
  };
}

/** Bindings as one life sees them: a call by the dead has no effect and never returns. */
export function fenceBindings<Bindings extends object>(bindings: Bindings, life: Mortal): Bindings {
  const known = new WeakMap();
  const fenced = Object.entries(bindings).map(([name, one]) => [name, fence(one, life, known)]);
  return Object.fromEntries(fenced) as Bindings;
}

type Callable = (...args: unknown[]) => unknown;

function fence(value: unknown, life: Mortal, known: WeakMap<object, unknown>): unknown {
  if (typeof value === "function") return fenceCall(value as Callable, undefined, life, known);
  if (typeof value !== "object" || value === null || !isFenceable(value)) return value;
  const made = known.get(value);
  if (made !== undefined) return made;
  const fenced = new Proxy(value, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === "function"
        ? fenceCall(member as Callable, target, life, known)
        : fence(member, life, known);
    },
  });
  known.set(value, fenced);
  return fenced;
}

function fenceCall(
  call: Callable,
  on: unknown,
  life: Mortal,
  known: WeakMap<object, unknown>,
): Callable {
  return (...args) => {
    if (life.dead) return never();
    const result = call.apply(on, args);
    return result instanceof Promise
      ? result.then((value) => (life.dead ? never() : value))
      : fence(result, life, known);
  };
}

/** Plain data goes through as it is; what has methods of its own is a binding or made by one. */
function isFenceable(value: object): boolean {
  if (Array.isArray(value) || value instanceof Date || ArrayBuffer.isView(value)) return false;
  return Object.values(value).some((member) => typeof member === "function") || !isPlain(value);
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}
