import { isDeepStrictEqual } from "node:util";
import { parse, stringify } from "devalue";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LIMITS } from "../../src/core/limits.ts";
import { decode, ENCODED_UNDEFINED, encode, toJson } from "../../src/core/payload.ts";
import { codeOf, thrownBy } from "./thrown.ts";

const roundTrip = (value: unknown): unknown => decode(encode(value, "the value"));
const refusal = (value: unknown) => thrownBy(() => encode(value, "the result of A"));

/** Everything the codec promises to carry, nested in everything that can hold it. */
const carried = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "medium", withCrossShrink: true },
    fc.constant(undefined),
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.double(),
    fc.constantFrom(-0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
    fc.string({ unit: "binary" }),
    fc.constantFrom("</script>", "\ud83d", "\ude00\ud83d", "\u2028", "-1", "bytes", "\0"),
    fc.bigInt(),
    fc.date({ noInvalidDate: true }),
    fc.uint8Array(),
    fc.array(tie("value"), { maxLength: 5 }),
    fc.array(fc.tuple(tie("value"), tie("value")), { maxLength: 4 }).map((pairs) => new Map(pairs)),
    fc.array(tie("value"), { maxLength: 4 }).map((items) => new Set(items)),
    fc.dictionary(
      fc
        .oneof(fc.string(), fc.constantFrom("bytes", "toJSON", "constructor", "0", ""))
        .filter((key) => key !== "__proto__"),
      tie("value"),
      { maxKeys: 5 },
    ),
  ),
})).value;

describe("a stored value comes back as it was", () => {
  test("whatever it is made of", () => {
    fc.assert(
      fc.property(carried, (value) => {
        expect(isDeepStrictEqual(roundTrip(value), value)).toBe(true);
      }),
      { numRuns: 1_000, seed: 20_261_124 },
    );
  });

  test("stored as devalue stores it, though simple values take a shorter way", () => {
    const simple = fc.oneof(
      fc.constantFrom(undefined, null, true, false, -0, Number.NaN, Number.POSITIVE_INFINITY),
      fc.double(),
      fc.integer(),
      fc.string({ unit: "binary", maxLength: 1_100 }),
      fc.constantFrom(
        "</script>",
        "\ud83d",
        "\ude00\ud83d",
        "\u2028",
        "\u2029",
        "-1",
        "\0",
        '"',
        "\\u",
      ),
    );
    fc.assert(
      fc.property(simple, (value) => {
        const text = stringify(value);
        expect(encode(value, "the value")).toBe(text);
        expect(decode(text)).toBe(parse(text));
      }),
      { numRuns: 2_000, seed: 20_261_126 },
    );
  });

  test.each([
    ["undefined", undefined],
    ["null", null],
    ["zero", 0],
    ["negative zero", -0],
    ["NaN", Number.NaN],
    ["an empty text", ""],
    ["false", false],
    ["an empty array", []],
    ["an empty object", {}],
    ["an undefined member", { a: undefined, b: [undefined] }],
    ["the edges of time", [new Date(8.64e15), new Date(-8.64e15), new Date(0)]],
    ["a bigint beyond a double", 2n ** 200n],
    [
      "a map with keys of every kind",
      new Map<unknown, unknown>([
        [{ a: 1 }, 1n],
        [new Date(1), null],
      ]),
    ],
    ["no bytes at all", new Uint8Array(0)],
    ["an array with a hole", Object.assign([1], { 2: 3 })],
    ["an object without a prototype", Object.assign(Object.create(null), { a: 1 })],
  ])("%s", (_what, value) => {
    expect(isDeepStrictEqual(roundTrip(value), value)).toBe(true);
  });

  test("a fresh copy at every reading", () => {
    const text = encode(
      { list: [1], at: new Date(5), bytes: new Uint8Array([1, 2]).subarray(1) },
      "it",
    );
    const first = decode(text) as { list: number[]; at: Date; bytes: Uint8Array };
    first.list.push(2);
    first.at.setTime(6);
    first.bytes[0] = 9;
    expect(decode(text)).toEqual({ list: [1], at: new Date(5), bytes: new Uint8Array([2]) });
  });

  test("and a value named twice is stored once and is one value again", () => {
    const long = { text: "x".repeat(10_000) };
    const text = encode([long, long], "it");
    expect(text.length).toBeLessThan(11_000);
    const [a, b] = decode(text) as [object, object];
    expect(a).toBe(b);
  });
});

describe("bytes", () => {
  const pool = new TextEncoder().encode("secret-before|mine|secret-after");
  const view = pool.subarray(14, 18);

  test("of a view are stored without the buffer around them", () => {
    const text = encode({ view }, "it");
    const secret = Buffer.from("secret").toString("base64").slice(0, 7);
    expect(text).not.toContain(secret);
    const { view: back } = decode(text) as { view: Uint8Array };
    expect(new TextDecoder().decode(back)).toBe("mine");
    expect(back.buffer.byteLength).toBe(4);
  });

  test("of a view are stored alone also in a map, in a set and at the top", () => {
    for (const value of [view, [view], new Map([["k", view]]), new Set([view])]) {
      expect(encode(value, "it").length).toBeLessThan(80);
      expect(isDeepStrictEqual(roundTrip(value), value)).toBe(true);
    }
  });

  test("of an empty view of a full buffer are none", () => {
    expect(roundTrip(pool.subarray(3, 3))).toEqual(new Uint8Array(0));
    expect(encode(pool.subarray(3, 3), "it").length).toBeLessThan(60);
  });

  test("of a Node Buffer come back as plain bytes, pooled or not", () => {
    const pooled = Buffer.from("pooled");
    const alone = Buffer.from(new Uint8Array([1, 2, 3]).buffer);
    for (const buffer of [pooled, alone]) {
      const back = roundTrip({ buffer }) as { buffer: Uint8Array };
      expect(back.buffer.constructor).toBe(Uint8Array);
      expect([...back.buffer]).toEqual([...buffer]);
    }
    expect(encode(pooled, "it").length).toBeLessThan(80);
  });

  test("beside a user's own array that looks like their mark stay apart from it", () => {
    const value = [["bytes", 0], new Uint8Array([7]), view, ["bytes", [1]]];
    expect(isDeepStrictEqual(roundTrip(value), value)).toBe(true);
  });

  test("on shared memory are stored or refused, but never with another library's error", () => {
    const shared = new Uint8Array(new SharedArrayBuffer(2));
    expect([undefined, "PAYLOAD_UNSUPPORTED"]).toContain(codeOf(() => roundTrip(shared)));
  });
});

class Money {
  readonly amount = 5;
}

describe("a value that cannot be stored is refused with its place and its kind", () => {
  const cycle: { next?: unknown } = {};
  cycle.next = { back: [cycle] };

  test.each<[string, unknown, string]>([
    ["a function", { a: { run: () => 1 } }, '"a.run" is a function'],
    ["a function at the top", () => 1, "the value is a function"],
    ["a symbol", [1, [Symbol("s")]], '"[1][0]" is a symbol'],
    ["a symbol as key", { a: { [Symbol("s")]: 1 } }, '"a" has a symbol as key'],
    [
      "a class instance",
      { order: { price: new Money() } },
      '"order.price" is an instance of Money',
    ],
    ["a class without a name", [new (class {})()], '"[0]" is an instance of an unnamed class'],
    ["an invalid date", { at: new Date("never") }, '"at" is an invalid Date'],
    ["a cycle", cycle, '"next.back[0]" refers back to a value that contains it'],
    ["a key __proto__", JSON.parse('{"a":{"__proto__":1}}'), '"a" has a key __proto__'],
    ["a RegExp", { pattern: /a/ }, '"pattern" is an instance of RegExp'],
    ["a URL", [new URL("https://example.org")], '"[0]" is an instance of URL'],
    ["an Error", { why: new TypeError("no") }, '"why" is an instance of TypeError'],
    ["a promise", { later: Promise.resolve(1) }, '"later" is an instance of Promise'],
    ["a boxed number", { n: Object(1) }, '"n" is an instance of Number'],
    ["a plain buffer", { b: new ArrayBuffer(1) }, '"b" is an instance of ArrayBuffer'],
    [
      "numbers in an array of another type",
      [new Float64Array(1)],
      '"[0]" is an instance of Float64Array',
    ],
    ["a map's value", new Map([["key", { f: () => 1 }]]), '"key.f" is a function'],
    ["a map's key", new Map([[() => 1, 1]]), '"(key)" is a function'],
    [
      "a value under a map's other key",
      new Map([[1, new Money()]]),
      '"(value)" is an instance of Money',
    ],
    ["a set's item", { s: new Set([1, new Money()]) }, '"s[1]" is an instance of Money'],
  ])("%s", (_what, value, place) => {
    const error = refusal(value);
    expect(error).toMatchObject({ code: "PAYLOAD_UNSUPPORTED", retryable: false });
    expect(error.message).toContain(`the result of A cannot be stored: ${place}. `);
  });

  test("also where it is not the first occurrence that is wrong", () => {
    const fine = { a: 1 };
    expect(roundTrip([fine, { again: fine }, [fine]])).toEqual([fine, { again: fine }, [fine]]);
  });
});

describe("the bounds of a value", () => {
  const nested = (levels: number): unknown => {
    let value: unknown = 1;
    for (let level = 0; level < levels; level++) value = level % 2 === 0 ? [value] : { v: value };
    return value;
  };

  test(`${LIMITS.payloadDepth} levels are stored and one more is refused`, () => {
    const deepest = nested(LIMITS.payloadDepth);
    expect(roundTrip(deepest)).toEqual(deepest);
    const error = refusal(nested(LIMITS.payloadDepth + 1));
    expect(error.code).toBe("PAYLOAD_UNSUPPORTED");
    expect(error.message).toContain(`lies more than ${LIMITS.payloadDepth} levels deep`);
  });

  test("maps and sets are levels as well", () => {
    let value: unknown = 1;
    for (let level = 0; level < LIMITS.payloadDepth; level++) {
      value = level % 2 === 0 ? new Map([["k", value]]) : new Set([value]);
    }
    expect(isDeepStrictEqual(roundTrip(value), value)).toBe(true);
    expect(refusal([value]).message).toContain("levels deep");
  });

  test("a value of exactly the limit is stored and one byte more is refused", () => {
    const room = LIMITS.payloadBytes - '[""]'.length;
    expect(encode("x".repeat(room), "it")).toHaveLength(LIMITS.payloadBytes);
    const error = refusal("x".repeat(room + 1));
    expect(error.code).toBe("PAYLOAD_TOO_LARGE");
    expect(error.message).toContain(`the result of A is ${LIMITS.payloadBytes + 1} bytes`);
  });

  test("the limit counts bytes, not characters", () => {
    const room = LIMITS.payloadBytes - '[""]'.length; // a multiple of 4
    const face = "\u{1f600}";
    expect(roundTrip(face.repeat(room / 4))).toBe(face.repeat(room / 4));
    expect(refusal(`${face.repeat(room / 4)}x`).code).toBe("PAYLOAD_TOO_LARGE");
    expect(refusal("\u00e9".repeat(room / 2 + 1)).code).toBe("PAYLOAD_TOO_LARGE");
  });

  test("parts that are shared count for every path to them, and the walk ends at the bound", () => {
    let visits = 0;
    const leaf = {
      get n() {
        visits++;
        return 1;
      },
    };
    const shared = (levels: number) => {
      let value: unknown = leaf;
      for (let level = 0; level < levels; level++) value = { a: value, b: value };
      return value;
    };
    expect(roundTrip(shared(16))).toEqual(shared(16));
    visits = 0;
    expect(refusal(shared(60))).toMatchObject({ code: "PAYLOAD_TOO_LARGE" }); // 2 ** 60 paths
    expect(visits).toBeLessThan(LIMITS.payloadExpanded);
  });

  test.each<[string, unknown]>([
    ["a bigint", 10n ** 100n],
    ["a number", 0.1234567890123456],
    ["a Date", new Date(0)],
    ["the name of a member", { ["k".repeat(100)]: null }],
  ])("%s that is shared counts in every character for every path to it", (_name, part) => {
    const length = JSON.stringify(toJson(part)).length;
    const many = (times: number) => Array(Math.floor(times)).fill(part);
    expect(() => encode(many(LIMITS.payloadExpanded / length / 2), "it")).not.toThrow();
    expect(refusal(many((LIMITS.payloadExpanded / length) * 1.2)).code).toBe("PAYLOAD_TOO_LARGE");
  });
});

test("undefined has a stored text of its own", () => {
  expect(encode(undefined, "it")).toBe(ENCODED_UNDEFINED);
  expect(decode(ENCODED_UNDEFINED)).toBeUndefined();
});

test.each(["", "{", "[]", '[["Unknown",1]]', "[[5]]", "[ [5]]", '[ {"a":5}]', '{"a":1}'])(
  "the stored text %j, which nobody wrote, is an error with a code",
  (text) => {
    expect(thrownBy(() => decode(text))).toMatchObject({ code: "PAYLOAD_CORRUPT" });
  },
);
