import { describe, expect, test } from "vitest";
import { WaymarkError } from "../../src/core/errors.ts";
import {
  ActivityFailedError,
  decodeFailure,
  encodeFailure,
  engineFailure,
  type Failure,
  fromFailure,
  NonRetryableError,
  PreemptedError,
  RetryAfterError,
  toFailure,
} from "../../src/core/failure.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { codeOf } from "./thrown.ts";

describe("a thrown error becomes plain data", () => {
  test("with its type, message and stack", () => {
    const failure = toFailure(new TypeError("no such field"));
    expect(failure).toEqual({
      type: "TypeError",
      message: "no such field",
      stack: expect.stringContaining("TypeError: no such field\n"),
    });
  });

  test("with the code it carries as text, and not one of another kind", () => {
    const system = Object.assign(new Error("gone"), { code: "ECONNRESET" });
    expect(toFailure(system)).toMatchObject({ code: "ECONNRESET" });
    expect(toFailure(system).properties).toBeUndefined();
    expect(toFailure(Object.assign(new Error("x"), { code: 5 })).code).toBeUndefined();
  });

  test("with its own properties as plain JSON", () => {
    const error = Object.assign(new Error("limited"), {
      status: 429,
      at: new Date(0),
      tries: 3n,
      left: undefined,
    });
    expect(toFailure(error).properties).toStrictEqual({
      status: 429,
      at: "1970-01-01T00:00:00.000Z",
      tries: "3",
    });
  });

  test("with its causes, up to a depth", () => {
    const chain = (length: number): Error =>
      length === 0 ? new Error("root") : new Error(`e${length}`, { cause: chain(length - 1) });
    const depthOf = (failure: Failure | undefined): number =>
      failure === undefined ? -1 : 1 + depthOf(failure.cause);
    expect(depthOf(toFailure(chain(2)))).toBe(2);
    expect(depthOf(toFailure(chain(LIMITS.failureDepth)))).toBe(LIMITS.failureDepth);
    expect(depthOf(toFailure(chain(LIMITS.failureDepth + 1)))).toBe(LIMITS.failureDepth);
  });

  test("also where it is its own cause, or caused by no error", () => {
    const own = new Error("own");
    own.cause = own;
    expect(toFailure(own)).toMatchObject({ cause: { message: "own" } });
    expect(toFailure(new Error("a", { cause: { why: 1 } })).cause).toEqual({
      type: "Thrown",
      message: '{"why":1}',
    });
    expect(toFailure(new Error("a", { cause: null })).cause).toEqual({
      type: "Thrown",
      message: "null",
    });
  });

  test("with the failure of the activity in it as cause", () => {
    const failure: Failure = { type: "TypeError", message: "no", code: "E" };
    const error = new ActivityFailedError("Charge#2", 3, failure);
    expect(toFailure(error)).toMatchObject({
      type: "ActivityFailedError",
      message: "Charge#2 failed after 3 attempts: TypeError: no",
      code: "ACTIVITY_FAILED",
      cause: failure,
    });
  });
});

describe("what is thrown and no error becomes a failure all the same", () => {
  test.each<[unknown, string]>([
    ["text", "text"],
    ["", ""],
    [5, "5"],
    [0, "0"],
    [null, "null"],
    [undefined, "undefined"],
    [{ code: 1 }, '{"code":1}'],
    [[1, 2], "[1,2]"],
    [5n, "[object BigInt]"],
    [Symbol("s"), "Symbol(s)"],
  ])("%o", (thrown, message) => {
    expect(toFailure(thrown)).toEqual({ type: "Thrown", message });
  });

  test("a cycle", () => {
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    expect(toFailure(cycle)).toEqual({ type: "Thrown", message: "[object Object]" });
  });
});

describe("every part of a failure is bounded", () => {
  const long = (length: number) => "x".repeat(length);

  test("the message, whose end is cut with a mark", () => {
    const limit = LIMITS.failureMessageLength;
    expect(toFailure(new Error(long(limit))).message).toBe(long(limit));
    expect(toFailure(new Error(long(limit + 1))).message).toBe(`${long(limit - 1)}…`);
    expect(toFailure(long(limit + 1)).message).toHaveLength(limit);
  });

  test("the stack", () => {
    const error = new Error("a");
    error.stack = long(LIMITS.failureStackLength + 1);
    expect(toFailure(error).stack).toHaveLength(LIMITS.failureStackLength);
  });

  test("the type and the code", () => {
    const error = Object.assign(new Error("a"), { name: long(500), code: long(500) });
    expect(toFailure(error).type).toHaveLength(LIMITS.nameLength);
    expect(toFailure(error).code).toHaveLength(LIMITS.nameLength);
  });

  test("the properties, which are left out as a whole", () => {
    const room = LIMITS.failurePropertiesBytes - '{"p":""}'.length;
    const error = (text: string) => Object.assign(new Error("a"), { p: text });
    expect(toFailure(error(long(room))).properties).toEqual({ p: long(room) });
    expect(toFailure(error(long(room + 1))).properties).toBeUndefined();
    expect(toFailure(error("\u00e9".repeat(room))).properties).toBeUndefined();
  });
});

describe("nothing that is thrown makes the failure itself throw", () => {
  class Spiteful extends Error {
    readonly #of: string;
    constructor(of: string) {
      super("spite");
      this.#of = of;
      Object.defineProperty(this, of, {
        enumerable: true,
        get: () => {
          throw new Error(`no ${this.#of} for you`);
        },
      });
    }
  }

  test.each(["message", "name", "stack", "cause", "code"])("a getter of %s that throws", (of) => {
    expect(toFailure(new Spiteful(of))).toMatchObject({
      type: expect.any(String),
      message: expect.any(String),
    });
  });

  test("a getter of another property that throws: the error itself is still told", () => {
    const failure = toFailure(new Spiteful("details"));
    expect(failure).toMatchObject({ type: "Error", message: "spite" });
    expect(failure.properties).toBeUndefined();
  });

  test("a message that is no text and has none", () => {
    const error = new Error("a");
    Object.assign(error, { message: Object.create(null), name: Symbol("n") });
    expect(toFailure(error)).toMatchObject({ message: expect.any(String), type: "Symbol(n)" });
  });

  test("an object whose toJSON throws", () => {
    const thrown = {
      toJSON: () => {
        throw new Error("no");
      },
    };
    expect(toFailure(thrown)).toEqual({ type: "Thrown", message: "[object Object]" });
  });

  test("a proxy that refuses everything", () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(toFailure(proxy)).toMatchObject({ type: "Thrown", message: expect.any(String) });
  });

  test.each<[string, unknown]>([
    ["a function", () => 1],
    ["a class instance", new (class Socket {})()],
    ["an invalid date", new Date("never")],
  ])("a property that is %s: the error itself is still told", (_what, value) => {
    const failure = toFailure(Object.assign(new Error("a"), { value, status: 5 }));
    expect(failure).toMatchObject({ type: "Error", message: "a" });
    expect(failure.properties).toBeUndefined();
  });
});

describe("a failure survives storage", () => {
  test("unchanged", () => {
    const error = Object.assign(new RangeError("a\u2028\ud83d", { cause: new Error("b") }), {
      status: 5,
      list: [1, { a: null }],
    });
    const failure = toFailure(error);
    expect(decodeFailure(encodeFailure(failure))).toEqual(failure);
  });

  test("and one of ours is an error with its code again", () => {
    const failure = engineFailure(new WaymarkError("EVENT_TIMEOUT", "too late"));
    expect(failure).toEqual({ type: "WaymarkError", message: "too late", code: "EVENT_TIMEOUT" });
    const error = fromFailure(failure);
    expect(error).toBeInstanceOf(WaymarkError);
    expect(error).toMatchObject({ code: "EVENT_TIMEOUT", message: "too late" });
  });

  test("and one of another's keeps its name and message", () => {
    const error = fromFailure({ type: "TypeError", message: "no", code: "ECONNRESET" });
    expect(error).not.toBeInstanceOf(WaymarkError);
    expect(error).toMatchObject({ name: "TypeError", message: "no" });
  });
});

describe("the errors activities and workflows meet", () => {
  test("tell by code whether another attempt may help", () => {
    expect(new NonRetryableError("a")).toMatchObject({
      name: "NonRetryableError",
      code: "NON_RETRYABLE",
      retryable: false,
    });
    expect(new RetryAfterError("a", 5)).toMatchObject({ code: "RETRY_AFTER", retryable: true });
    expect(new PreemptedError()).toMatchObject({ code: "PREEMPTED", retryable: true });
  });

  test("keep their cause", () => {
    const cause = new Error("declined");
    expect(new NonRetryableError("a", { cause }).cause).toBe(cause);
    expect(new RetryAfterError("a", 5, { cause }).cause).toBe(cause);
  });

  test("take a duration or a moment to be retried at", () => {
    expect(new RetryAfterError("a", "30 seconds").after).toEqual({ millis: 30_000 });
    expect(new RetryAfterError("a", new Date(7)).after).toEqual({ at: 7 });
    expect(codeOf(() => new RetryAfterError("a", -1))).toBe("DURATION_INVALID");
  });

  test("take a moment that is none, such as a header that could not be read, for no moment", () => {
    expect(new RetryAfterError("a", new Date("soon")).after).toEqual({ at: Number.NaN });
  });

  test("count attempts in words", () => {
    const failure = { type: "Error", message: "no" };
    expect(new ActivityFailedError("A", 1, failure).message).toBe(
      "A failed after its only attempt: Error: no",
    );
    expect(new ActivityFailedError("A", 2, failure).message).toContain("after 2 attempts");
  });
});
