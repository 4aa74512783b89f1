import { expect, test } from "vitest";
import * as z from "zod";
import { jsonSchemaOf, parseWith, type Schema } from "../../src/core/schema.ts";

const order = z.object({
  id: z.string().min(1),
  amount: z.number().int(),
  note: z.string().default("none"),
  lines: z.array(z.object({ sku: z.string() })).default([]),
});

/** A schema by hand, as small as the standard allows. */
function bare<Output>(validate: Schema<Output>["~standard"]["validate"]): Schema<Output> {
  return { "~standard": { version: 1, vendor: "hand", validate } };
}

test("a zod schema gives the value back with its defaults, and without what it does not know", async () => {
  const parsed = await parseWith(order, { id: "a", amount: 5, unknown: 1 });
  expect(parsed).toEqual({ id: "a", amount: 5, note: "none", lines: [] });
});

test("a zod schema converts", async () => {
  const schema = z.object({ at: z.iso.datetime().transform((text) => new Date(text)) });
  expect(await parseWith(schema, { at: "2026-01-01T00:00:00Z" })).toEqual({
    at: new Date(Date.UTC(2026, 0, 1)),
  });
});

test("a zod schema with an async check is waited for", async () => {
  const schema = z.string().refine(async (text) => (await Promise.resolve(text)) !== "taken");
  expect(await parseWith(schema, "free")).toBe("free");
  await expect(parseWith(schema, "taken")).rejects.toMatchObject({ code: "INPUT_INVALID" });
});

test("what does not fit is refused with every place", async () => {
  const value = { id: "", amount: "5", lines: [{ sku: "a" }, {}] };
  const error = await parseWith(order, value).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "INPUT_INVALID", retryable: false });
  const { message } = error as Error;
  expect(message).toMatch(/^the input does not fit: id: .*; amount: .*; lines\.1\.sku: /);
});

test("a schema by hand is followed in all the standard allows", async () => {
  expect(
    await parseWith(
      bare((value) => ({ value })),
      5,
    ),
  ).toBe(5);
  const doubled = bare(async (value) => ({ value: Number(value) * 2 }));
  expect(await parseWith(doubled, 5)).toBe(10);
  const undefinedIsFine = bare(() => ({ value: undefined, issues: undefined }));
  expect(await parseWith(undefinedIsFine, 5)).toBeUndefined();
});

test("issues of a schema by hand are told with paths of either form, or with none", async () => {
  const schema = bare(() => ({
    issues: [
      { message: "is wrong" },
      { message: "is worse", path: ["a", { key: 0 }, Symbol("s")] },
      { message: "is alone", path: [] },
    ],
  }));
  await expect(parseWith(schema, 5)).rejects.toThrow(
    "the input does not fit: is wrong; a.0.Symbol(s): is worse; is alone",
  );
});

test("of very many issues the first ten are told", async () => {
  const issues = Array.from({ length: 1_000 }, (_, index) => ({ message: `issue ${index}` }));
  const error = await parseWith(
    bare(() => ({ issues })),
    5,
  ).catch((thrown: unknown) => thrown);
  expect((error as Error).message).toContain("issue 9");
  expect((error as Error).message).not.toContain("issue 10");
});

test("an issue is told in bounded length, however long its place or its message", async () => {
  const value = { ["k".repeat(300_000)]: Array(20).fill("x"), ["u".repeat(300_000)]: [] };
  for (const schema of [z.record(z.string(), z.array(z.number())), z.strictObject({})]) {
    const error = await parseWith(schema, value).catch((thrown: unknown) => thrown);
    expect((error as Error).message.length).toBeLessThan(5_000);
  }
});

test("an empty list of issues is a refusal as well", async () => {
  await expect(
    parseWith(
      bare(() => ({ issues: [] })),
      5,
    ),
  ).rejects.toMatchObject({
    code: "INPUT_INVALID",
  });
});

test("documents show the JSON Schema of what a client sends", () => {
  expect(jsonSchemaOf(order)).toMatchObject({
    type: "object",
    required: ["id", "amount"],
    properties: { id: { type: "string", minLength: 1 }, note: { default: "none" } },
  });
});

test("a schema that has no JSON Schema shows none, and does no harm", () => {
  expect(jsonSchemaOf(undefined)).toBeNull();
  expect(jsonSchemaOf(bare((value) => ({ value })))).toBeNull();
  expect(jsonSchemaOf(z.object({ at: z.date() }))).toBeNull();
});
