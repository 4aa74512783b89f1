import { describe, expect, test } from "vitest";
import { aesGcmCodec } from "../../src/aes-gcm.ts";

const key = (byte: number): string => Buffer.alloc(32, byte).toString("base64");
const place = { object: "one", column: "step.result" };
const codec = aesGcmCodec({ keys: { a: key(1), b: key(2) }, current: "a" });
const thrown = (act: () => unknown): unknown => {
  try {
    return act();
  } catch (error) {
    return error;
  }
};

test.each(["", "[1]", "é 東 \u{1f600}", "x".repeat(100_000)])(
  "a text comes back: %.20s",
  (text) => {
    const stored = codec.encode(text, place);
    expect(codec.decode(stored, place)).toBe(text);
    expect(stored).toMatch(/^a\.[A-Za-z0-9+/]+=*$/);
    expect(codec.encode(text, place)).not.toBe(stored); // each has a nonce of its own
  },
);

describe("a stored text", () => {
  const stored = codec.encode("[1]", place);
  const bytes = Buffer.from(stored.slice(2), "base64");

  test("is refused with any bit of it changed", () => {
    for (let index = 0; index < bytes.length; index++) {
      const changed = Buffer.from(bytes);
      changed[index] = (changed[index] ?? 0) ^ 1;
      const text = `a.${changed.toString("base64")}`;
      expect(thrown(() => codec.decode(text, place))).toMatchObject({ code: "PAYLOAD_CORRUPT" });
    }
  });

  test.each([
    ["of another object", stored, { ...place, object: "two" }],
    ["of another column", stored, { ...place, column: "step.input" }],
    ["said to be of another key", stored.replace("a.", "b."), place],
    ["cut off", stored.slice(0, 30), place],
    ["of no codec", "[1]", place],
    ["empty", "", place],
  ])("%s is refused", (_what, text, where) => {
    expect(thrown(() => codec.decode(text, where))).toMatchObject({ code: "PAYLOAD_CORRUPT" });
  });

  test("whose key is not there says so, with the names of those that are, and of no key more", () => {
    const other = aesGcmCodec({ keys: { b: key(2) }, current: "b" });
    const error = thrown(() => other.decode(stored, place));
    expect(error).toMatchObject({ code: "KEY_MISSING" });
    expect(String(error)).toContain('"a"');
    expect(String(error)).toContain('"b"');
    expect(String(error)).not.toContain(key(2));
  });
});

test.each([
  ["a short key", { keys: { a: "AAAA" }, current: "a" }],
  ["a key that is not there", { keys: { a: undefined as unknown as string }, current: "a" }],
  ["a current key that is none of them", { keys: { a: key(1) }, current: "b" }],
  ["a name with a full stop", { keys: { "a.b": key(1) }, current: "a.b" }],
])("%s is refused", (_what, options) => {
  expect(thrown(() => aesGcmCodec(options))).toMatchObject({ code: "DEFINITION_INVALID" });
});
