/** What a service answers with, and the response it becomes. */
import type { InstanceDocument } from "../core/documents.ts";
import { withLinks } from "./links.ts";

/** The JSON of a large document as bytes, ready to be sent: as objects it might not fit this memory. */
export interface JsonBytes {
  readonly json: ReadableStream<Uint8Array>;
}

/** A document at hand, or its JSON. That of an instance has its links. */
export type Shown<Document extends object> = Document | JsonBytes;

interface Init {
  readonly status?: number;
  readonly headers?: Record<string, string>;
}

export function jsonResponse<Document extends object>(
  shown: Shown<Document>,
  init: Init = {},
): Response {
  if (!("json" in shown)) return Response.json(shown, init);
  const headers = { ...init.headers, "Content-Type": "application/json" };
  return new Response(shown.json, { ...init, headers });
}

export const documentResponse = (shown: Shown<InstanceDocument>, init: Init = {}): Response =>
  jsonResponse("json" in shown ? shown : withLinks(shown), init);
