/** What leaves an object: small documents as they are, large ones as the bytes of their JSON. */
import { expect, test } from "vitest";
import { pack, unpack } from "../../src/objects/packed-text.ts";
import { shown } from "../../src/objects/shown-document.ts";

test("a document is passed on as it is, up to four million characters", () => {
  const document = { id: "a", input: "x".repeat(4_000_000) };
  expect(shown(document)).toBe(document);
});

test("a larger one is a byte stream of the whole of it, made as it is read", async () => {
  let made = 0;
  const document = {
    id: "a",
    input: "x".repeat(2_500_000),
    output: "\u{1f600}".repeat(1_250_000),
  };
  const large = shown(document, (same) => {
    made++;
    return { ...same, links: "here" };
  });
  if (!("json" in large)) throw new Error("it is not large");
  expect(await new Response(large.json).json()).toEqual({ ...document, links: "here" });
  expect(made).toBe(1);
});

test("a stream that nobody reads to its end can be left", async () => {
  const large = shown({ input: "x".repeat(5_000_000) });
  if (!("json" in large)) throw new Error("it is not large");
  const reader = large.json.getReader();
  expect((await reader.read()).value?.byteLength).toBeGreaterThan(0);
  await reader.cancel();
});

test.each([
  "",
  "[1]",
  "東".repeat(1_048_576),
  "東".repeat(1_048_577),
  `${"x".repeat(2_000_000)}\u{1f600}`,
])("a text comes out of its packing as it was: %#", (text) => {
  expect(unpack(pack(text))).toBe(text);
});

test("a packed text never takes more than its UTF-8, or two megabytes", () => {
  for (const text of ["東".repeat(1_048_576), `${"x".repeat(1_048_576)}東`]) {
    const packed = pack(text);
    const bytes = typeof packed === "string" ? packed.length * 2 : packed.byteLength;
    expect(bytes).toBeLessThanOrEqual(Math.max(2_097_152, new TextEncoder().encode(text).length));
  }
});
