/**
 * Rows written and read by an instance, by table: the platform's bill. Not a matter of chance, so
 * it is counted once, on instances whose storage counts.
 */
import { setTimeout as wait } from "node:timers/promises";
import type { Send } from "./contender.ts";
import type { StorageCounts } from "./job.ts";

/** The most that the last commit of an instance may take after its end can be read. */
const SETTLE_MILLIS = 100;

/** An instance whose rows are counted. */
interface Subject {
  readonly title: string;
  readonly workflow: string;
  readonly input: unknown;
  /** Events it is sent, each once it waits. */
  readonly events?: number;
}

const SUBJECTS: readonly Subject[] = [
  { title: "no step", workflow: "Chain", input: 0 },
  { title: "1 short step", workflow: "Chain", input: 1 },
  { title: "3 short steps", workflow: "Chain", input: 3 },
  { title: "100 short steps", workflow: "Chain", input: 100 },
  { title: "1,000 short steps", workflow: "Chain", input: 1_000 },
  { title: "1 step with 1 checkpoint", workflow: "Checkpointed", input: 1 },
  { title: "1 step with 10 checkpoints", workflow: "Checkpointed", input: 10 },
  { title: "1 step, tried again after 50 ms", workflow: "Retried", input: 1 },
  { title: "1 sleep of 50 ms", workflow: "Sleeps", input: 50 },
  { title: "1 event waited for", workflow: "Collects", input: 1, events: 1 },
];

/** Rows written, by what they are for. */
export interface RowsResult {
  readonly title: string;
  /** Tables and indexes made. */
  readonly schema: number;
  readonly instance: number;
  readonly step: number;
  readonly alarms: number;
  readonly total: number;
  /** Waits for a commit with something to commit. */
  readonly commits: number;
  readonly read: number;
}

export async function countRows(send: Send): Promise<readonly RowsResult[]> {
  const results: RowsResult[] = [];
  for (const [index, subject] of SUBJECTS.entries()) {
    const id = `rows-${index}`;
    await runSubject(send, id, subject);
    const counts = (await send(`/storage-counts/${id}`)) as StorageCounts;
    results.push(resultOf(subject.title, counts));
  }
  return results;
}

async function runSubject(send: Send, id: string, subject: Subject): Promise<void> {
  const { workflow, input, events = 0 } = subject;
  await send(`/counted/v1/workflows/${workflow}/instances`, { id, input });
  for (let event = 0; event < events; event++) {
    await wait(SETTLE_MILLIS); // until it waits
    await send(`/counted/v1/instances/${id}/events/lap`, {});
  }
  const end = (await send(`/counted/v1/instances/${id}?wait=60`)) as { status: string };
  if (end.status !== "Completed") throw new Error(`"${subject.title}" is ${end.status}`);
  await wait(SETTLE_MILLIS);
}

function resultOf(title: string, { statements, alarms, commits }: StorageCounts): RowsResult {
  const rows = { schema: 0, instance: 0, step: 0 };
  let read = 0;
  for (const [statement, { rowsWritten, rowsRead }] of Object.entries(statements)) {
    read += rowsRead;
    if (rowsWritten > 0) rows[purposeOf(statement)] += rowsWritten;
  }
  const total = rows.schema + rows.instance + rows.step + alarms;
  return { title, ...rows, alarms, total, commits, read };
}

/** @throws Error for a statement that writes to a table this file does not know */
function purposeOf(statement: string): "schema" | "instance" | "step" {
  if (/^CREATE\b/i.test(statement)) return "schema";
  const target = /^(?:INSERT(?: OR \w+)? INTO|UPDATE|DELETE FROM)\s+(\w+)/i.exec(statement)?.[1];
  if (target === "instance" || target === "step") return target;
  throw new Error(`what does this write? ${statement}`);
}
