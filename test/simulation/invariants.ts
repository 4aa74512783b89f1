/**
 * The invariants of the design as small predicates over the stored rows. Each says, in words, what it
 * found broken. The first ones are asked as things happen, the others when all is at rest.
 */
import { isTerminal } from "../../src/core/documents.ts";
import { decodeFailure } from "../../src/core/failure.ts";
import { isRefused, isStep, type StoredHistory } from "../../src/core/history.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { nameOf } from "../../src/core/names.ts";
import { decode } from "../../src/core/payload.ts";
import { textOf } from "../../src/core/stored-text.ts";
import { checkHistory } from "../../src/engine/check-history.ts";
import { storedDue } from "../../src/engine/due.ts";
import { EntityStore } from "../../src/store/entity-store.ts";
import { InstanceStore } from "../../src/store/instance-store.ts";
import { OutboxStore } from "../../src/store/outbox-store.ts";
import { PartStore, partIds } from "../../src/store/part-store.ts";
import { StepStore } from "../../src/store/step-store.ts";
import type { Cluster } from "../../src/testing/cluster.ts";
import type { InProcessObject } from "../../src/testing/in-process-object.ts";
import type { TraceEvent } from "../../src/testing/trace.ts";
import { misdelivered, mispredicted } from "./model.ts";
import { asSent, madeOf } from "./picky.ts";
import { type Program, racy, sub } from "./programs.ts";
import { inOrder, retell } from "./retell.ts";
import { instanceRow } from "./rows.ts";

/** An alarm may be this much later than the due of its row: clocks differ between machines. */
const TOLERANCE_MILLIS = 1_002;

/** W4: the alarm's handler never throws. */
export const handlerNeverThrows = (event: TraceEvent): string[] =>
  event.kind === "alarm failed" ? [`W4: the alarm's handler threw: ${String(event.error)}`] : [];

/** W6: code that did not change always fits its history. */
export const neverDiverges = (event: TraceEvent): string[] =>
  event.kind === "log" && event.event.code === "NONDETERMINISM"
    ? [`W6: suspended: ${event.event.error}`]
    : [];

/** W2, W5, and what a terminate promises: when an attempt may begin. */
export function mayBegin(event: TraceEvent, object: InProcessObject): string[] {
  if (event.kind !== "attempt" || event.when !== "before") return [];
  const { step } = event;
  const problems: string[] = [];
  const status = instanceRow(object)?.status;
  if (status === undefined) return [`W8: ${step} begins in an instance that is purged`];
  const ended = "SELECT COUNT(*) AS count FROM step WHERE step = ? AND seq IS NOT NULL";
  if (object.sql.all<{ count: number }>(ended, step)[0]?.count !== 0) {
    problems.push(`W2: ${step} begins again though it has ended`);
  }
  if (object.memory.steps.includes(step)) problems.push(`W5: ${step} runs twice at once`);
  if (status !== "Running") problems.push(`${step} begins in an instance that is ${status}`);
  return problems;
}

/**
 * W9: an attempt begins only when every result before it is committed; where an output gate holds back what leaves,
 * its effects do not leave before.
 */
export class StoredResults {
  readonly #gate: "steps" | "effects";
  readonly #stored = new Map<string, number>();

  constructor(gate: "steps" | "effects") {
    this.#gate = gate;
  }

  see(event: TraceEvent, object: InProcessObject): string[] {
    if (event.kind === "commit") this.#stored.set(event.object, lastSeq(object));
    const leaves =
      this.#gate === "effects"
        ? event.kind === "effect" && object.sql.dirty
        : event.kind === "attempt" && event.when === "before" && event.dirty;
    if (!leaves) return [];
    const what = event.kind === "attempt" ? event.step : "an effect";
    const stored = this.#stored.get(event.object) ?? 0;
    const written = lastSeq(object);
    return written === stored ? [] : [`W9: ${what} begins before result ${written} is stored`];
  }
}

function lastSeq(object: InProcessObject): number {
  if (instanceRow(object) === undefined) return 0;
  const [row] = object.sql.all<{ last: number | null }>("SELECT MAX(seq) AS last FROM step");
  return row?.last ?? 0;
}

/** W10: each part of a split text is that of one cell, and each cell has all of its parts. */
export function partsAreOwned(event: TraceEvent, object: InProcessObject): string[] {
  if (event.kind !== "commit" || !new PartStore(object.sql).exists) return [];
  const ids = object.sql.all<{ id: number }>("SELECT id FROM part ORDER BY id");
  const there = instanceRow(object) !== undefined; // else it is purged, and no cell is left
  const kept = there ? object.sql.all<{ cell: string | null }>(CELLS) : [];
  const sent = new OutboxStore(object.sql).exists
    ? object.sql.all<{ cell: string | null }>("SELECT payload AS cell FROM outbox")
    : [];
  const entity = new EntityStore(object.sql).exists
    ? object.sql.all<{ cell: string | null }>(ENTITY_CELLS)
    : [];
  const cells = [...kept, ...sent, ...entity];
  const owned = cells.flatMap(({ cell }) => partIds(cell)).sort((a, b) => a - b);
  const same = JSON.stringify(owned) === JSON.stringify(ids.map(({ id }) => id));
  return same ? [] : [`W10: there are ${ids.length} parts, and cells for ${owned.length}`];
}

const CELLS = `SELECT input AS cell FROM instance UNION ALL SELECT output FROM instance
  UNION ALL SELECT input FROM step UNION ALL SELECT result FROM step UNION ALL SELECT sent FROM step`;

const ENTITY_CELLS = "SELECT state AS cell FROM entity UNION ALL SELECT input FROM operation";

/** W3: whatever is due has an alarm, or a turn that is covered by one. */
export function isCovered(event: TraceEvent, object: InProcessObject, bereft: boolean): string[] {
  if (event.kind !== "commit" || object.ringing || bereft) return [];
  const row = instanceRow(object);
  if (row === undefined || isTerminal(row.status)) return [];
  const steps = new StepStore(object.sql);
  const due = storedDue(row, steps.open(), steps.bufferedNames());
  const heads = new OutboxStore(object.sql).pending();
  if (heads.length > 0 && object.alarm === null) {
    return [`W3: a message is to be sent to ${heads[0]?.target}, and no alarm is set`];
  }
  if (due === null) return [];
  if (object.alarm === null) return [`W3: something is due at ${due} and no alarm is set`];
  const latest = Math.max(due, event.at) + TOLERANCE_MILLIS;
  return object.alarm <= latest ? [] : [`W3: the alarm is at ${object.alarm}, the due at ${due}`];
}

/** A step that was cancelled is over: in this life of the object and all later ones. */
export class Cancellations {
  readonly #cancelled = new Set<string>();

  see(event: TraceEvent, object: InProcessObject): string[] {
    const of = (execution: unknown, step: unknown) => `${event.object} ${execution} ${step}`;
    const undone = instanceRow(object)?.rewind != null; // by what was asked for in the same commit
    if (event.kind === "log" && event.event.event === "step.cancelled" && !undone) {
      this.#cancelled.add(of(event.event.execution, event.event.step));
    }
    // Also where it was asked for and carried out between two looks at the row.
    if (event.kind === "log" && event.event.event === "instance.rewound") this.#cancelled.clear();
    if (this.#cancelled.size === 0 || (event.kind !== "attempt" && event.kind !== "commit"))
      return [];
    const row = instanceRow(object);
    if (row === undefined) return []; // it is purged
    const { executionId: execution } = row;
    if (row.rewind !== null) {
      this.#cancelled.clear(); // what is undone may be asked for again
      return [];
    }
    const isCancelled = (step: string) => this.#cancelled.has(of(execution, step));
    if (event.kind === "attempt") {
      const begins = event.when === "before" && isCancelled(event.step);
      return begins ? [`${event.step} begins though it was cancelled`] : [];
    }
    const open = new StepStore(object.sql).open().filter(({ step }) => isCancelled(step));
    return open.map(({ step }) => `${step} is open though it was cancelled`);
  }
}

/** A request to cancel is heard soon, or not at all, where the code was about to end. */
export function hearsRequests(object: InProcessObject): string[] {
  const row = instanceRow(object);
  const request = new StepStore(object.sql).unended().find(({ kind }) => kind === "cancel");
  if (request === undefined || row?.completedAt == null || row.status === "Terminated") return [];
  const millis = row.completedAt - request.at;
  return millis < 300_000
    ? []
    : [`W3: ${object.name} did not hear in ${millis} ms to be cancelled`];
}

/** W6 (f): while a person has suspended the instance, nothing reaches its code. */
export function maySee(object: InProcessObject): string[] {
  const held = instanceRow(object)?.heldAt != null;
  return held ? [`W6: something is delivered to ${object.name}, which is suspended`] : [];
}

/** A suspension that was acknowledged is shown until it is resumed or ended. */
export function showsHeld(event: TraceEvent, object: InProcessObject): string[] {
  const row = event.kind === "commit" ? instanceRow(object) : undefined;
  if (row?.heldAt == null || row.status === "Suspended" || isTerminal(row.status)) return [];
  return [`${object.name} is suspended, and shows ${row.status}`];
}

/** An instance is started once: its later rounds run, whether or not their code has begun. */
export function runsOn(event: TraceEvent, object: InProcessObject): string[] {
  const row = event.kind === "commit" ? instanceRow(object) : undefined;
  if (row?.status !== "Pending" || row.round === 1) return [];
  return [`${object.name} is Pending in its round ${row.round}`];
}

/** W11: a suspended instance at rest has no alarm that wakes it later. */
export function sleepsUnwoken(event: TraceEvent, object: InProcessObject): string[] {
  if (event.kind !== "commit" || object.ringing || object.memory.steps.length > 0) return [];
  if (instanceRow(object)?.heldAt == null || object.alarm === null) return [];
  if (new OutboxStore(object.sql).pending().length > 0) return []; // what is sent before it is sent
  return object.alarm <= event.at + TOLERANCE_MILLIS
    ? []
    : [`W11: ${object.name} is suspended, and its alarm is set to ${object.alarm}`];
}

/** W6: a replay never shows a status again that another has taken the place of. */
export class Statuses {
  readonly #shown = new Map<string, string[]>();

  see(event: TraceEvent, object: InProcessObject): string[] {
    const row = event.kind === "commit" ? instanceRow(object) : undefined;
    if (row != null && row.rewind !== null) this.#shown.delete(row.executionId);
    if (row == null || row.customStatus === null || row.rewind !== null) return [];
    const { executionId, customStatus } = row;
    const shown = this.#shown.get(executionId) ?? [];
    this.#shown.set(executionId, shown);
    if (shown.at(-1) === customStatus) return [];
    const older = shown.includes(customStatus);
    shown.push(customStatus);
    return older ? [`W6: the status is ${customStatus} again`] : [];
  }
}

/** A rewind that was acknowledged is carried out: it is noted, and the step it goes back to has its place no more. */
export class Rewinds {
  readonly #asked = new Map<
    string,
    { readonly execution: string; readonly to: string | null; readonly before: number }
  >();

  see(event: TraceEvent, object: InProcessObject): string[] {
    if (event.kind !== "commit") return [];
    const row = instanceRow(object);
    const asked = this.#asked.get(object.name);
    this.#asked.delete(object.name);
    if (row === undefined) return [];
    const { executionId: execution, rewind, status } = row;
    if (rewind !== null) {
      const before = markOf(object)?.attempt ?? 0; // a fork has that of its source
      const { to } = JSON.parse(new InstanceStore(object.sql).openRewind(rewind));
      this.#asked.set(object.name, { execution, to, before });
      return [];
    }
    if (asked?.execution !== execution) return [];
    const ended = new StepStore(object.sql).ended();
    const mark = ended.find(({ kind }) => kind === "rewind");
    const count = asked.before + 1;
    if (isTerminal(status)) return []; // it was ended in the very commit
    const noted = mark?.attempt === count && ended.at(-1) === mark;
    const there = ended.some(({ step }) => step === asked.to);
    return [
      ...(noted ? [] : [`${object.name} was to be rewound, and notes ${mark?.attempt} rewinds`]),
      ...(there ? [`${object.name} was rewound to ${asked.to}, which is there still`] : []),
    ];
  }
}

const markOf = (object: InProcessObject) =>
  new StepStore(object.sql).ended().find(({ kind }) => kind === "rewind");

/** W2: a record whose checkpoint has returned is never visited again. */
export class Checkpoints {
  readonly #kept = new Set<string>();

  see(event: TraceEvent): string[] {
    if (event.kind !== "effect" || event.key === undefined) return [];
    if (event.what === "kept") this.#kept.add(event.key);
    const again = event.what === "record" && this.#kept.has(`${event.key}/kept`);
    return again ? [`W2: ${event.key} is visited again after its checkpoint`] : [];
  }
}

/** W1: what memory says is what the rows say. */
export function memoryAgrees(object: InProcessObject): string[] {
  const before = JSON.stringify(object.commands.get(object.name));
  object.crash();
  const after = JSON.stringify(object.commands.get(object.name));
  return before === after ? [] : [`W1: memory says ${before}, and the rows ${after}`];
}

/** W7, W10: rows are numbered without a gap but for what a rewind undid, named once, and within their bounds. */
export function rowsAreSound({ steps }: StoredHistory): string[] {
  const problems: string[] = [];
  const ended = inOrder(steps);
  const mark = ended.find(({ kind }) => kind === "rewind")?.seq ?? 0;
  const after = ended.filter(({ seq }) => (seq ?? 0) > mark);
  if (after.some(({ seq }, index) => seq !== mark + index + 1)) problems.push("W7: seq has a gap");
  if (new Set(ended.map(({ seq }) => seq)).size !== ended.length) problems.push("W7: seq twice");
  const names = steps.filter(isStep).map(({ step }) => step);
  if (new Set(names).size !== names.length) problems.push("W7: two rows have the same name");
  for (const { step, input, result } of steps) {
    const longest = Math.max(input?.length ?? 0, result?.length ?? 0);
    if (longest > LIMITS.payloadBytes) problems.push(`W10: ${step} holds too much`);
  }
  return problems;
}

/** What makes headway outside the object fails by nobody's death, its isolate's or its object's. */
export const headwayCounts = ({ steps }: StoredHistory): string[] =>
  steps
    .filter(
      ({ step, state, attempt }) => nameOf(step) === "outside" && state === "done" && attempt > 1,
    )
    .map(({ step, attempt }) => `${step} has ended in its attempt ${attempt}`);

/** An event is refused because it does not fit, and for nothing else. */
export const refusedDoNotFit = ({ steps }: StoredHistory): string[] =>
  steps.filter(isRefused).flatMap(({ kind, result, failure }) => {
    const payload = decode(result ?? "-1");
    const { code } = decodeFailure(failure ?? "{}");
    if (kind === "update" && code === "UPDATE_REFUSED") return [];
    const sound = kind === "event" && code === "EVENT_INVALID" && madeOf(payload) === undefined;
    return sound ? [] : [`W8: the ${kind} ${payload} is refused with ${code}`];
  });

/**
 * W8: an acknowledged event is there once: taken, refused, or kept for later.
 *
 * @param before those that earlier rounds have taken or refused
 * @param rewound executions that may have sent theirs again, because they were rewound
 */
export function eventsAreThereOnce(
  history: StoredHistory,
  sent: ReadonlySet<string>,
  {
    before = [],
    rewound,
  }: { readonly before?: readonly string[]; readonly rewound?: ReadonlySet<string> } = {},
): string[] {
  const there = history.steps.filter(
    (row) =>
      row.kind === "event" && (row.state === "done" || row.state === "buffered" || isRefused(row)),
  );
  const payloads = [...before, ...there.map(({ result }) => asSent(result ?? ""))];
  return [...new Set([...payloads, ...sent])].flatMap((payload) => {
    const times = payloads.filter((other) => other === payload).length;
    const [, sender = ""] = /^\["sent . of (\S+) /.exec(payload) ?? [];
    const again = times > 1 && rewound?.has(sender);
    return times === 1 || again ? [] : [`W8: the event ${payload} is there ${times} times`];
  });
}

/** W6: a replay does the same, and so does the plain model, which shares no code with it. */
export async function replaysTheSame(
  history: StoredHistory,
  customStatus: unknown,
): Promise<string[]> {
  const code = history.workflow === sub.name ? sub : racy;
  const { fits, problem } = await checkHistory(code, history);
  if (!fits) return [`W6: ${problem}`];
  if (history.status !== "Completed" || history.output === null) return [];
  const run = code.run as (ctx: unknown, input: unknown) => Promise<unknown>;
  const told = await retell(history, run);
  if (told.problem !== undefined) return [`W6: retold by the model: ${told.problem}`];
  const seen = told.output as readonly string[];
  const same = JSON.stringify(seen) === JSON.stringify(decode(history.output));
  const problems = same ? [] : [`W6: the model tells ${seen}`];
  if (told.status !== customStatus) {
    problems.push(`W6: the status is ${customStatus}, and the model tells ${told.status}`);
  }
  const program = programOf(history);
  return [...problems, ...mispredicted(program, seen), ...misdelivered(program, seen)];
}

/** The program of an execution: of a round, that of the whole instance. */
function programOf({ workflow, input }: StoredHistory): Program {
  const given = decode(input) as Program | { readonly program: Program };
  return workflow === sub.name && "program" in given ? given.program : (given as Program);
}

/** What a parent has recorded of its child is what the child came to, where it is its child still. */
export function childrenAgree(history: StoredHistory, cluster: Cluster): string[] {
  const { executionId, steps } = history;
  return cluster.objects.flatMap((object) => {
    const row = instanceRow(object);
    const parent = row?.parent == null ? null : JSON.parse(row.parent);
    if (row === undefined || parent?.executionId !== executionId) return [];
    const step = steps.find((one) => one.step === parent.step);
    if (step?.kind !== "child" || (step.state !== "done" && step.state !== "failed")) return [];
    if (step.state === "done" && step.result === textOf(row.output ?? "")) return [];
    if (step.state === "failed" && row.status !== "Completed") return [];
    const late = decodeFailure(step.failure ?? "{}").code === "CHILD_TIMEOUT";
    return late ? [] : [`W8: ${step.step} is ${step.state}, and its child ${row.status}`];
  });
}

/** W8: at rest nothing is left to be sent. */
export function sentAll(object: InProcessObject): string[] {
  const left = new OutboxStore(object.sql).pending();
  return left.map(({ number, target }) => `W8: message ${number} to ${target} was never sent`);
}

/** W11: an object at rest holds nothing in memory. */
export function restsEmpty(object: InProcessObject): string[] {
  const { naps, settling, steps } = object.memory;
  const idle = !object.ringing && naps + settling + steps.length === 0;
  return idle ? [] : [`W11: at rest it holds ${naps} naps, ${settling} waits and ${steps}`];
}
