/**
 * The payload codec: values as stored text and back, and as plain JSON for HTTP.
 *
 * Stored text is devalue's format, so that Date, Map, Set, bigint, Uint8Array and undefined survive.
 * What it cannot hold faithfully is refused here, with the path of the offending value, before
 * anything is written (W10).
 */
import { parse, stringify } from "devalue";
import { WaymarkError } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import { byteLength } from "./stored-text.ts";

/** A value as it is stored. */
export type Encoded = string;

/** A value as HTTP shows it. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json };

/** The stored form of `undefined`, which is what a step without a result returns. */
export const ENCODED_UNDEFINED: Encoded = "-1";

/**
 * A view of a larger buffer is stored as its own bytes only: devalue would store the whole buffer,
 * and with it whatever else lies there. Shared memory is copied too, which devalue does not know.
 * `flatten` asks again for the copy, which is no view.
 */
const WRITERS = {
  bytes: (value: unknown) =>
    value instanceof Uint8Array &&
    (value.byteLength !== value.buffer.byteLength ||
      value.constructor !== Uint8Array ||
      !(value.buffer instanceof ArrayBuffer)) &&
    Uint8Array.from(value),
};
const READERS = { bytes: (value: unknown) => value };

/**
 * The stored form of a value.
 *
 * @param what names the value in errors, such as `the result of "ChargeCard"`
 * @param most bytes that it may have, where that is more than any value of a user's
 * @throws WaymarkError `PAYLOAD_UNSUPPORTED` with the path of a value that cannot be stored,
 *   `PAYLOAD_TOO_LARGE` above {@link LIMITS.payloadBytes}.
 */
export function encode(value: unknown, what: string, most: number = LIMITS.payloadBytes): Encoded {
  const short = textOfShort(value);
  if (short !== undefined) return short;
  const views = check(value, what);
  const text = views ? stringify(value, WRITERS) : stringify(value);
  if (text.length * 3 <= LIMITS.payloadBytes) return text; // counted only where a doubt is left
  const bytes = byteLength(text);
  if (bytes > most) {
    throw new WaymarkError(
      "PAYLOAD_TOO_LARGE",
      `${what} is ${bytes} bytes when stored; the limit is ${most}. ` +
        "Store large data elsewhere, such as R2, and pass its key",
    );
  }
  return text;
}

/** Characters of a text that is surely no longer than a payload may be, whatever it is of. */
const SHORT_LENGTH = 1_000;

/** What devalue escapes, and JSON leaves as it is. */
const ESCAPED = /[<\u2028\u2029]/;

/**
 * The stored form of a short value with nothing in it, of which most are; undefined where it is any other. It is what devalue
 * makes of the value, without a walk through it.
 */
function textOfShort(value: unknown): Encoded | undefined {
  switch (typeof value) {
    case "undefined":
      return ENCODED_UNDEFINED;
    case "boolean":
      return value ? "[true]" : "[false]";
    case "number":
      return Number.isFinite(value) && !Object.is(value, -0) ? `[${value}]` : undefined;
    case "string":
      if (value.length > SHORT_LENGTH || ESCAPED.test(value)) return undefined;
      return `[${JSON.stringify(value)}]`;
    default:
      return value === null ? "[null]" : undefined;
  }
}

/** Begins what has nothing in it: neither an object, nor a type that JSON does not know. */
const SIMPLE = /^\[[^\s[{]/;

/** The value of a stored text: a fresh copy at every call. */
export function decode(text: Encoded): unknown {
  if (text === ENCODED_UNDEFINED) return undefined;
  try {
    if (text.length <= SHORT_LENGTH && SIMPLE.test(text)) {
      const values = JSON.parse(text) as unknown[];
      if (values.length === 1) return values[0];
    }
    return parse(text, READERS);
  } catch (cause) {
    throw new WaymarkError("PAYLOAD_CORRUPT", "a stored value cannot be read", { cause });
  }
}

/** Characters of a time as ISO text. */
const DATE_LENGTH = 24;

/** Characters of a path in an error. */
const SHOWN_PATH_LENGTH = 200;

interface Walk {
  readonly what: string;
  readonly path: (string | number)[];
  readonly above: Set<object>;
  /** Characters and members left of {@link LIMITS.payloadExpanded}. */
  left: number;
  views: boolean;
}

/** Refuses what the codec does not carry; returns whether there are bytes to copy. */
function check(value: unknown, what: string): boolean {
  const walk: Walk = {
    what,
    path: [],
    above: new Set(),
    left: LIMITS.payloadExpanded,
    views: false,
  };
  visit(value, walk);
  return walk.views;
}

function visit(value: unknown, walk: Walk): void {
  spend(walk, 1);
  switch (typeof value) {
    case "string":
      spend(walk, value.length);
      return;
    case "number":
    case "bigint":
      spend(walk, String(value).length);
      return;
    case "boolean":
    case "undefined":
      return;
    case "object":
      if (value !== null) visitObject(value, walk);
      return;
    case "function":
    case "symbol":
      refuse(walk, `is a ${typeof value}`);
  }
}

function spend(walk: Walk, size: number): void {
  walk.left -= size;
  if (walk.left >= 0) return;
  throw new WaymarkError(
    "PAYLOAD_TOO_LARGE",
    `${walk.what} has more than ${LIMITS.payloadExpanded} characters and members, ` +
      "counting what it holds more than once each time. Store large data elsewhere, such as R2, " +
      "and pass its key",
  );
}

function visitObject(value: object, walk: Walk): void {
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) refuse(walk, "is an invalid Date");
    spend(walk, DATE_LENGTH);
    return;
  }
  if (value instanceof Uint8Array) {
    spend(walk, value.byteLength);
    walk.views = true;
    return;
  }
  if (walk.above.has(value)) refuse(walk, "refers back to a value that contains it");
  if (walk.above.size >= LIMITS.payloadDepth) {
    refuse(walk, `lies more than ${LIMITS.payloadDepth} levels deep`);
  }
  walk.above.add(value);
  visitMembers(value, walk);
  walk.above.delete(value);
}

function visitMembers(value: object, walk: Walk): void {
  if (Array.isArray(value)) {
    if (value.length > walk.left) spend(walk, value.length); // sparse ones may be of any length
    for (let index = 0; index < value.length; index++) visitAt(index, value[index], walk);
  } else if (value instanceof Map) {
    for (const [key, item] of value) {
      visitAt(typeof key === "string" ? key : "(key)", key, walk);
      visitAt(typeof key === "string" ? key : "(value)", item, walk);
    }
  } else if (value instanceof Set) {
    let index = 0;
    for (const item of value) visitAt(index++, item, walk);
  } else if (isPlain(value)) {
    if (Object.getOwnPropertySymbols(value).length > 0) refuse(walk, "has a symbol as key");
    for (const key of Object.keys(value)) {
      if (key === "__proto__") refuse(walk, "has a key __proto__");
      spend(walk, key.length);
      visitAt(key, (value as Record<string, unknown>)[key], walk);
    }
  } else {
    refuse(walk, `is an instance of ${value.constructor?.name || "an unnamed class"}`);
  }
}

function visitAt(key: string | number, value: unknown, walk: Walk): void {
  walk.path.push(key);
  visit(value, walk);
  walk.path.pop();
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function refuse(walk: Walk, why: string): never {
  const keys = walk.path.map((key) => (typeof key === "number" ? `[${key}]` : `.${key}`));
  const at = keys.join("").slice(0, SHOWN_PATH_LENGTH);
  throw new WaymarkError(
    "PAYLOAD_UNSUPPORTED",
    `${walk.what} cannot be stored: ${at === "" ? "the value" : `"${at.replace(/^\./, "")}"`} ${why}. ` +
      "Values are JSON plus Date, Map, Set, bigint, Uint8Array and undefined",
  );
}

/**
 * A value as plain JSON: Date as ISO text, Map as an array of pairs, Set as an array, bigint as
 * decimal text, bytes as base64; undefined is left out, and NaN and the infinities become null.
 * Lossy: it is for people and other languages to read, never to be decoded.
 */
export function toJson(value: unknown): Json {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      return Number.isFinite(value) ? value : null;
    case "bigint":
      return value.toString();
    case "object":
      return value === null ? null : objectToJson(value);
    default:
      return null;
  }
}

function objectToJson(value: object): Json {
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) return base64(value);
  if (Array.isArray(value)) return value.map(toJson);
  if (value instanceof Set) return Array.from(value, toJson);
  if (value instanceof Map) return Array.from(value, ([key, item]) => [toJson(key), toJson(item)]);
  const members = Object.entries(value).filter(([, item]) => item !== undefined);
  return Object.fromEntries(members.map(([key, item]) => [key, toJson(item)]));
}

function base64(bytes: Uint8Array): string {
  let binary = "";
  for (let start = 0; start < bytes.length; start += 0x8000) {
    binary += String.fromCharCode(...bytes.subarray(start, start + 0x8000));
  }
  return btoa(binary);
}
