/** How two runs of the same workflow differ, in plain words. */
import { type Effect, effectWords } from "./effects.ts";
import { valueWords } from "./value-words.ts";

/** What is left of a run that anyone outside could see. */
export interface RunResult {
  /** How it ended: a status, and the output or the reason. */
  readonly outcome: { readonly status: string; readonly detail: unknown };
  readonly effects: readonly Effect[];
  /** What the test itself looks at, such as the rows of a table. */
  readonly observed: unknown;
  /** What the calls of handlers were answered, in the order in which they were made. */
  readonly replies?: readonly unknown[];
  /** The states of the entities, by their addresses. */
  readonly entities?: unknown;
  /** What was still to be done when all was at rest; it may be nothing, whatever the usual run has left. */
  readonly leftBehind: readonly string[];
}

/** Each difference, as a sentence; empty where there is none. */
export function differences(usual: RunResult, other: RunResult): string[] {
  return [
    ...outcomeDifference(usual.outcome, other.outcome),
    ...effectDifferences(usual.effects, other.effects),
    ...valueDifference("what the calls are answered", usual.replies ?? [], other.replies ?? []),
    ...valueDifference("what the test observes", usual.observed, other.observed),
    ...valueDifference("the state of the entities", usual.entities, other.entities),
    ...other.leftBehind,
  ];
}

function outcomeDifference(usual: RunResult["outcome"], other: RunResult["outcome"]): string[] {
  if (usual.status === other.status) {
    return valueDifference(`the outcome (${usual.status})`, usual.detail, other.detail);
  }
  const told = (outcome: RunResult["outcome"]) => `${outcome.status} (${shown(outcome.detail)})`;
  return [`the instance is ${told(other)}, and otherwise ${told(usual)}`];
}

function effectDifferences(usual: readonly Effect[], other: readonly Effect[]): string[] {
  const counted = count(usual);
  const counts = count(other);
  return [...new Set([...counted.keys(), ...counts.keys()])].flatMap((effect) => {
    const [times, now] = [counted.get(effect) ?? 0, counts.get(effect) ?? 0];
    if (times === now) return [];
    return [
      `the effect "${effect}" happened ${timesWords(now)}, and otherwise ${timesWords(times)}`,
    ];
  });
}

function count(effects: readonly Effect[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const effect of effects) {
    const words = effectWords(effect);
    counts.set(words, (counts.get(words) ?? 0) + 1);
  }
  return counts;
}

const timesWords = (times: number): string =>
  times === 0 ? "never" : times === 1 ? "once" : `${times} times`;

function valueDifference(what: string, usual: unknown, other: unknown): string[] {
  const place = differsAt(usual, other, "");
  if (place === null) return [];
  const { path, was, is } = place;
  return [
    `${what} differs${path && ` at ${path}`}: it is ${shown(is)}, and otherwise ${shown(was)}`,
  ];
}

interface Place {
  readonly path: string;
  readonly was: unknown;
  readonly is: unknown;
}

/** Stands for a member that is not there: one that is undefined is another thing. */
const MISSING = Symbol("missing");

/** The first place at which two values differ. */
function differsAt(was: unknown, is: unknown, path: string): Place | null {
  if (Object.is(was, is)) return null;
  if (!isTree(was) || !isTree(is) || was.constructor !== is.constructor) return { path, was, is };
  const [before, after] = [members(was), members(is)];
  if (before === null || after === null) {
    return valueWords(was) === valueWords(is) ? null : { path, was, is };
  }
  for (const name of new Set([...before.keys(), ...after.keys()])) {
    const [one, other] = [before, after].map((all) => (all.has(name) ? all.get(name) : MISSING));
    const place = differsAt(one, other, `${path}.${String(name)}`);
    if (place !== null) return place;
  }
  return null;
}

const isTree = (value: unknown): value is object => typeof value === "object" && value !== null;

/** What a value consists of, by name; null for one that is compared as a whole, as a Date is. */
function members(value: object): Map<unknown, unknown> | null {
  if (value instanceof Error) return null;
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [keyName(key), item]));
  if (value instanceof Set) return new Map([...value].map((item, index) => [index, item]));
  if (Array.isArray(value)) return new Map(value.map((item, index) => [index, item]));
  const prototype = Object.getPrototypeOf(value);
  const plain = prototype === null || prototype === Object.prototype;
  return plain || Object.keys(value).length > 0 ? new Map(Object.entries(value)) : null;
}

/** A key that is an object is another one in each run: it goes by what it says. */
const keyName = (key: unknown): unknown => (isTree(key) ? valueWords(key) : key);

const SHOWN_LENGTH = 300;

function shown(value: unknown): string {
  const text = value === MISSING ? "missing" : valueWords(value);
  return text.length <= SHOWN_LENGTH ? text : `${text.slice(0, SHOWN_LENGTH)}…`;
}
