/**
 * Standard Schema (standardschema.dev, version 1), as far as Waymark uses it: zod, valibot, arktype
 * and others provide it, so a workflow's input and its events may be described with any of them.
 */

import { WaymarkError } from "./errors.ts";
import { HIDDEN_TEXT } from "./sensitive.ts";

/** Issues told at once, and characters of one: who sends the value decides how many there are. */
const ISSUES_TOLD = 10;
const ISSUE_LENGTH = 400;

interface Issue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** What a schema says of a value. */
export type Checked<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly Issue[] };

/** A schema of any library that follows Standard Schema. */
export interface Schema<Output = unknown> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => Checked<Output> | Promise<Checked<Output>>;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
    /** Standard JSON Schema, where the library has it. */
    readonly jsonSchema?: { readonly input: (options: { target: "draft-2020-12" }) => unknown };
  };
}

/**
 * Refuses what is no schema, such as one of a library from before the standard.
 *
 * @param where whose schema it is, for the message
 * @throws WaymarkError `DEFINITION_INVALID`
 */
export function checkSchema(schema: Schema, where: string): void {
  if (typeof schema["~standard"]?.validate === "function") return;
  throw new WaymarkError("DEFINITION_INVALID", `the schema of ${where} is no Standard Schema`);
}

/**
 * The value as the schema gives it back, with its defaults and conversions.
 *
 * @param sensitive whether the value is a secret, which a schema's own words may quote
 * @throws WaymarkError `INPUT_INVALID` naming each place that does not fit
 */
export async function parseWith<Output>(
  schema: Schema<Output>,
  value: unknown,
  sensitive = false,
): Promise<Output> {
  const result = await schema["~standard"].validate(value);
  if (result.issues === undefined) return result.value;
  throw new WaymarkError(
    "INPUT_INVALID",
    `the input does not fit: ${misfits(result.issues, sensitive)}`,
  );
}

/** Each place that does not fit, in words. */
export const misfits = (issues: readonly Issue[], sensitive = false): string =>
  issues
    .slice(0, ISSUES_TOLD)
    .map((issue) => cut(toldOf(sensitive ? { ...issue, message: HIDDEN_TEXT } : issue)))
    .join("; ");

function toldOf({ path = [], message }: Issue): string {
  const keys = path.map((key) => String(typeof key === "object" ? key.key : key));
  return keys.length === 0 ? message : `${keys.join(".")}: ${message}`;
}

const cut = (text: string) =>
  text.length <= ISSUE_LENGTH ? text : `${text.slice(0, ISSUE_LENGTH - 1)}…`;

/** The schema as JSON Schema for documents, or null where its library cannot say. */
export function jsonSchemaOf(schema: Schema | undefined): unknown {
  try {
    return schema?.["~standard"].jsonSchema?.input({ target: "draft-2020-12" }) ?? null;
  } catch {
    return null; // some schemas, such as those that transform, have no JSON Schema
  }
}
