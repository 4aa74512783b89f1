/** Addresses of an instance, and its document with them. */
import type { InstanceDocument } from "../core/documents.ts";

/** An instance document as HTTP shows it. */
export interface LinkedDocument extends InstanceDocument {
  readonly links: { readonly self: string; readonly history: string };
}

/** The path of an instance. */
export const instancePath = (id: string): string => `/v1/instances/${encodeURIComponent(id)}`;

/** The document with where to read on. */
export function withLinks(document: InstanceDocument): LinkedDocument {
  const self = instancePath(document.id);
  return { ...document, links: { self, history: `${self}/history` } };
}
