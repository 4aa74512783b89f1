/** The API as a client sees it: starting a migration, and reading how far it is. */
import type { HistoryPage, InstanceDocument } from "../../src/core/documents.ts";

const REQUEST_MILLIS = 10_000;

/** A stage's progress, as `checkpoint` notes it. */
export interface StageProgress {
  readonly done: number;
  readonly total: number;
}

/** Starts the workflow; its document. */
export function startInstance(
  url: string,
  workflow: string,
  id: string,
): Promise<InstanceDocument> {
  const body = JSON.stringify({ id });
  const headers = { "content-type": "application/json" };
  return request(`${url}/v1/workflows/${workflow}/instances`, { method: "POST", headers, body });
}

export function readInstance(url: string, id: string): Promise<InstanceDocument> {
  return request(`${url}/v1/instances/${id}`);
}

export function readHistory(url: string, id: string): Promise<HistoryPage> {
  return request(`${url}/v1/instances/${id}/history`);
}

/** The progress of the stage reached last; none before its first checkpoint. */
export function progressOf(instance: InstanceDocument): StageProgress | null {
  const { progress } = instance;
  if (typeof progress !== "object" || progress === null || Array.isArray(progress)) return null;
  const { done, total } = progress as { readonly [name: string]: unknown };
  return typeof done === "number" && typeof total === "number" ? { done, total } : null;
}

async function request<Answer>(url: string, init: RequestInit = {}): Promise<Answer> {
  const signal = AbortSignal.timeout(REQUEST_MILLIS);
  const response = await fetch(url, { ...init, signal });
  const text = await response.text();
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${text}`);
  return JSON.parse(text) as Answer;
}
