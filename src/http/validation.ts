/** Bodies and queries through their zod schemas, with errors that name the place and stay short. */
import type { z } from "zod";
import { type ErrorCode, WaymarkError } from "../core/errors.ts";

/** Faults told at once, and characters of one: the client decides how many there are. */
const FAULTS_TOLD = 5;
const FAULT_LENGTH = 200;

/**
 * A body's value as its schema gives it back.
 *
 * @throws WaymarkError `BODY_INVALID`; `TAGS_INVALID` where only the tags are wrong
 */
export function parseBody<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { issues } = result.error;
  const code = issues.every((issue) => issue.path[0] === "tags") ? "TAGS_INVALID" : "BODY_INVALID";
  throw refusal(code, issues, "field");
}

/** What schemas make of a query that says nothing, as most do. */
const EMPTY = new WeakMap<z.ZodType, unknown>();

/**
 * A query as its schema gives it back. Texts go in; the schema makes numbers of them.
 *
 * @throws WaymarkError `QUERY_INVALID`
 */
export function parseQuery<Schema extends z.ZodType>(
  schema: Schema,
  query: URLSearchParams,
): z.output<Schema> {
  const known = query.size === 0 ? EMPTY.get(schema) : undefined;
  if (known !== undefined) return known as z.output<Schema>;
  const result = schema.safeParse(Object.fromEntries(query));
  if (result.success && query.size === 0) EMPTY.set(schema, Object.freeze(Object(result.data)));
  if (!result.success) throw refusal("QUERY_INVALID", result.error.issues, "parameter");
  // Of the names that mean something only: the client decides how many there are.
  const twice = Object.keys(Object(result.data)).find((name) => query.getAll(name).length > 1);
  if (twice === undefined) return result.data;
  throw new WaymarkError("QUERY_INVALID", `${quoted(twice)} is given more than once`);
}

function refusal(code: ErrorCode, issues: readonly z.core.$ZodIssue[], noun: string): WaymarkError {
  const faults = issues.slice(0, FAULTS_TOLD).map((issue) => cut(faultOf(issue, noun)));
  return new WaymarkError(code, faults.join("; "));
}

function faultOf(issue: z.core.$ZodIssue, noun: string): string {
  const place = issue.path.length === 0 ? "" : quoted(issue.path.map(String).join("."));
  if (issue.code === "unrecognized_keys") {
    const keys = issue.keys.slice(0, FAULTS_TOLD).map(quoted).join(", ");
    return `unknown ${noun} ${keys}${place === "" ? "" : ` in ${place}`}`;
  }
  // What is wrong with a key is told by the issues within its own.
  const [within] = issue.code === "invalid_key" ? issue.issues : [];
  const message = within === undefined ? issue.message : `as a name: ${within.message}`;
  return place === "" ? message : `${place}: ${message}`;
}

const quoted = (text: string) => JSON.stringify(text);

const cut = (text: string) =>
  text.length <= FAULT_LENGTH ? text : `${text.slice(0, FAULT_LENGTH - 1)}…`;
