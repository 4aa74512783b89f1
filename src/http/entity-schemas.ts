/** What requests to entities may say, and what they are answered. */
import { z } from "zod";
import type { EntityDocument } from "../core/entity-document.ts";
import { DOCUMENT_SCHEMAS, jsonSchema } from "./document-schemas.ts";

/** Any JSON. */
export const operationBodySchema = z.unknown();

export const operationQuerySchema = z.strictObject({
  signal: z
    .enum(["true", "false"])
    .default("false")
    .describe("Whether to answer as soon as the operation is stored, without its result"),
});

const instantSchema = z.iso.datetime({ precision: 3 });

export const entitySchema = z.object({
  entity: z.string(),
  key: z.string(),
  state: jsonSchema,
  waiting: z.int().describe("Operations that wait for their turn, the scheduled ones among them"),
  lockedBy: z
    .string()
    .describe("The instance that has locked it; operations of others wait")
    .exactOptional(),
  createdAt: instantSchema.describe("When it got a state, which it had not before"),
  updatedAt: instantSchema,
}) satisfies z.ZodType<EntityDocument>;
DOCUMENT_SCHEMAS.add(entitySchema, { id: "Entity" });

/** Whatever the operation returned; null for nothing. */
export const operationResultSchema = jsonSchema;
