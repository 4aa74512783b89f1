/**
 * What requests may say. The same schemas check them and describe them in the OpenAPI document, so
 * the two cannot differ.
 */
import { z } from "zod";
import type { OnConflict } from "../core/documents.ts";
import { LIMITS } from "../core/limits.ts";
import { undoIdentity } from "../core/names.ts";
import { wordsOf } from "./words.ts";

/** Steps in a page of a history where the request does not say. */
const DEFAULT_PAGE = 100;

/** Neither logs nor pages nor SQLite misread it: no control characters, and whole Unicode. */
const PRINTABLE = /^[^\p{Cc}\p{Cs}]*$/u;

const printable = (maxLength: number) =>
  z.string().max(maxLength).regex(PRINTABLE, "a control character, or half of a character");

const tagsSchema = z
  .preprocess(
    refusePrototype,
    z.record(printable(LIMITS.tagNameLength).min(1), printable(LIMITS.tagValueLength)),
  )
  .refine((tags) => Object.keys(tags).length <= LIMITS.tags, `more than ${LIMITS.tags} tags`)
  .meta({ maxProperties: LIMITS.tags, description: "Text to text, kept with the instance" });

/** A record leaves this key out without a word, where every other one is kept or refused. */
function refusePrototype(tags: unknown, context: z.RefinementCtx): unknown {
  if (Object.hasOwn(Object(tags), "__proto__")) context.addIssue("no tag may be named __proto__");
  return tags;
}

const instantSchema = z.iso
  .datetime({ offset: true, error: "not a time in ISO 8601 with its zone: 2026-01-31T09:30:00Z" })
  .transform((text) => Date.parse(text));

const onConflictSchema = wordsOf<OnConflict>({
  reject: "answers 409",
  existing: "answers with the instance there is",
  replaceFinished: "starts anew where that one has ended, else answers 409",
  replace: "ends that one and starts anew",
});

export const startBodySchema = z
  .strictObject({
    id: z
      .string()
      .meta({ minLength: 1, maxLength: LIMITS.instanceIdLength })
      .describe("Derived from the Idempotency-Key, or random, where it is left out")
      .optional(),
    input: z.unknown().describe("Any JSON that fits the workflow's input schema").optional(),
    startAt: instantSchema.describe("At once where it is left out or past").optional(),
    tags: tagsSchema.default({}),
    onConflict: onConflictSchema.default("reject"),
  })
  .prefault({});

export const controlBodySchema = z
  .strictObject({
    reason: z
      .string()
      .max(LIMITS.failureMessageLength)
      .describe("Shown as the instance's error")
      .optional(),
    recursive: z.boolean().describe("Also the instance's children").optional(),
  })
  .prefault({});

export const terminateBodySchema = z
  .strictObject({
    ...controlBodySchema.unwrap().shape,
    compensate: z
      .boolean()
      .describe("Whether what has begun is undone before it ends; at once if left out")
      .optional(),
  })
  .prefault({});

export const restartBodySchema = z
  .strictObject({
    reason: z.string().max(LIMITS.failureMessageLength).describe("Logged with it").optional(),
    id: z
      .string()
      .meta({ minLength: 1, maxLength: LIMITS.instanceIdLength })
      .describe("Where the new execution runs; in place of the present one where it is left out")
      .optional(),
  })
  .prefault({});

export const rewindBodySchema = z
  .strictObject({
    reason: z.string().max(LIMITS.failureMessageLength).describe("Kept in the history").optional(),
    to: z
      .string()
      .max(undoIdentity("").length + LIMITS.nameLength + LIMITS.stepKeyLength + 1)
      .meta({ minLength: 1 })
      .describe("The step to go back to, as the history names it; what it ended with if left out")
      .optional(),
    dryRun: z
      .boolean()
      .describe("Lists the steps that would run again, and does nothing")
      .optional(),
  })
  .prefault({});

export const forkBodySchema = z
  .strictObject({
    ...rewindBodySchema.unwrap().omit({ dryRun: true }).shape,
    id: z
      .string()
      .meta({ minLength: 1, maxLength: LIMITS.instanceIdLength })
      .describe("That of the new instance; one of its own if left out")
      .optional(),
    version: z
      .string()
      .max(LIMITS.nameLength)
      .meta({ minLength: 1 })
      .describe(
        "The version of the workflow that it goes on with; that of the instance if left out",
      )
      .optional(),
  })
  .prefault({});

/** An event's payload: checked by whoever waits for the event. */
export const eventBodySchema = z.unknown();

/** A call's input: checked by the handler's schema. */
export const callBodySchema = z.unknown();

/** A decimal number in a query, which is text. Anything else is left for the schema to refuse. */
const numeric = (text: unknown) =>
  typeof text === "string" && /^\d{1,9}(\.\d{1,3})?$/.test(text) ? Number(text) : text;

export const noQuerySchema = z.strictObject({});

/** For addresses that strangers ask for, with parameters of their own. */
export const anyQuerySchema = z.object({});

export const instanceQuerySchema = z.strictObject({
  wait: z
    .preprocess(numeric, z.number().min(0).max(LIMITS.waitSeconds))
    .default(0)
    .describe("Seconds to wait for the instance to end before it is answered as it is"),
});

export const callQuerySchema = z.strictObject({
  wait: z
    .preprocess(numeric, z.number().min(0).max(LIMITS.waitSeconds))
    .default(LIMITS.callWaitSeconds)
    .describe("Seconds to wait for an update to be done before it is answered 202"),
});

/** How long the request of such a query waits, in milliseconds. */
export const waitMillisOf = ({ wait }: { readonly wait: number }): number =>
  Math.round(wait * 1_000);

export const purgeQuerySchema = z.strictObject({
  force: z
    .enum(["true", "false"])
    .default("false")
    .describe("Whether an instance that has not ended is terminated first"),
  recursive: z
    .enum(["true", "false"])
    .default("false")
    .describe("Whether its child workflows are removed as well, and theirs"),
});

const pageQuerySchema = (limit: number) =>
  z.strictObject({
    limit: z
      .preprocess(numeric, z.int().min(1).max(LIMITS.historyPage))
      .default(limit)
      .describe("Steps in the page"),
    cursor: z
      .string()
      .regex(/^[\w.:@+=/-]{1,160}:\d{1,15}$/, "not a cursor of an earlier page")
      .describe("The cursor of the page before: it holds for the execution it is of")
      .optional(),
  });

export const historyQuerySchema = pageQuerySchema(DEFAULT_PAGE);

export const exportQuerySchema = pageQuerySchema(LIMITS.historyPage);
