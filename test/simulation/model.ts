/** The plain model: what a program must come to. It shares no code with engine, driver and store. */
import { parse } from "devalue";
import type { StoredHistory, StoredStep } from "../../src/core/history.ts";
import { randomFrom, uuidFrom } from "../../src/core/random.ts";
import { madeOf } from "./picky.ts";
import type { Program } from "./programs.ts";

type Ends = readonly string[];
/** Whether a part is sure to end, may be left behind, or may be cancelled as well. */
type Fate = "certain" | "open" | "cancellable";
type Part = { readonly path: string; readonly ends: Ends; readonly fate: Fate };

function partsOf(program: Program, path = "0", fate: Fate = "certain"): readonly Part[] {
  if (!("parts" in program)) {
    const ends = endsOf(program);
    if (ends === null) return [];
    return [{ path, ends: fate === "cancellable" ? [...ends, "CANCELLED"] : ends, fate }];
  }
  const left = program.kind === "race" || program.kind === "detach";
  const open = left && fate === "certain" ? "open" : fate;
  const below = program.kind === "first" ? "cancellable" : open;
  const at = (i: number) => (program.kind === "rounds" ? `${i}` : `${path}.${i}`);
  return program.parts.flatMap((part, i) => partsOf(part, at(i), below));
}

function endsOf(program: Program): Ends | null {
  switch (program.kind) {
    case "call":
      return [program.fatal ? "NON_RETRYABLE" : "done"];
    case "records":
      return [String(program.count)];
    case "cancel":
      if (program.after === null) return ["CANCELLED"];
      return ["done", "CANCELLED", ...(program.step === "wait" ? ["EVENT_TIMEOUT"] : [])];
    case "map": {
      const { count, fatal, tolerate } = program;
      const [good, bad] = tolerate === null ? ["done", ""] : ["fulfilled", "rejected"];
      if (fatal !== null && fatal < count && !tolerate) return ["NON_RETRYABLE"];
      return [Array.from({ length: count }, (_, i) => (i === fatal ? bad : good)).join()];
    }
    default:
      return ENDS[program.kind] ?? null;
  }
}

const ENDS: Record<string, Ends> = { poison: ["ATTEMPT_LOST"], slow: ["done"], run: ["ran"] };

/** Where what a program saw is not what the model predicts. */
export function mispredicted(program: Program, seen: readonly string[]): string[] {
  const parts = new Map(partsOf(program).map((part) => [part.path, part]));
  const told = new Map<string, string>();
  const problems: string[] = [];
  for (const line of seen) {
    const [, path, result] = /^([\d.]+)=(.*?)(?:@\d+)?$/.exec(line) ?? [];
    if (path === undefined || result === undefined) continue;
    if (told.has(path)) problems.push(`${path} came back twice`);
    told.set(path, result);
    const ends = parts.get(path)?.ends;
    if (!ends?.includes(result)) problems.push(`${path} came to ${result}, and not to ${ends}`);
  }
  for (const { path, fate } of parts.values()) {
    if (fate === "certain" && !told.has(path)) problems.push(`${path} never came back`);
  }
  return problems;
}

/** The waits of a program that look at what they take, by their path. */
function pickyWaits(program: Program, path = "0"): string[] {
  if (program.kind === "wait") return program.schema === null ? [] : [path];
  if (!("parts" in program)) return [];
  const at = (i: number) => (program.kind === "rounds" ? `${i}` : `${path}.${i}`);
  return program.parts.flatMap((part, i) => pickyWaits(part, at(i)));
}

/** Where a wait came to an event that it does not take, or not as its schema makes it. */
export function misdelivered(program: Program, seen: readonly string[]): string[] {
  const picky = new Set(pickyWaits(program));
  return seen.flatMap((line) => {
    const [, path = "", got = ""] = /^([\d.]+) got (.*?\d+)$/.exec(line) ?? [];
    if (got === "") return []; // it came to nothing, or is no wait
    const sent = got.replace("checked ", "");
    const due = picky.has(path) ? madeOf(sent) : sent;
    return due === got ? [] : [`${path} got ${got}, and not ${due ?? "nothing"}`];
  });
}

/** The steps that have ended, in the order in which they were delivered. */
export const inOrder = (steps: readonly StoredStep[]): StoredStep[] =>
  steps.filter(({ seq }) => seq !== null).sort((a, b) => (a.seq ?? 0) - (b.seq ?? 0));

type Asking = { key?: string; signal?: AbortSignal | undefined };

/**
 * Tells an execution again from its history: the same code, with each recorded result delivered in its
 * turn, one at a time. Returns what the code returned and the status it set last, or where it did otherwise.
 */
export async function retell(
  history: StoredHistory,
  run: (ctx: unknown, input: unknown) => Promise<unknown>,
): Promise<{ readonly output?: unknown; readonly status?: unknown; readonly problem?: string }> {
  const recorded = new Map(history.steps.map((step) => [step.step, step]));
  const tellers = new Map<string, Pick<PromiseWithResolvers<unknown>, "resolve" | "reject">>();
  const cancelled = new Set<string>();
  const aborts = new Map<AbortSignal, (() => void)[]>();
  const counts = new Map<string, number>();
  let [now, seq, draws] = [history.startedAt ?? 0, 0, 0];
  const draw = () => `${history.executionId}/${seq}/${++draws}`;
  let [status, problem]: [unknown, string | undefined] = [null, undefined];
  let ended: { output?: unknown; problem?: string } | undefined;
  const ask = (name: string, kind: string, input: unknown, { key, signal }: Asking = {}) => {
    const count = (counts.get(name) ?? 0) + (key === undefined ? 1 : 0);
    counts.set(name, count);
    const identity = key !== undefined ? `${name}:${key}` : count === 1 ? name : `${name}#${count}`;
    const was = recorded.get(identity);
    if (was !== undefined && was.kind !== kind) problem ??= `${identity} was a ${was.kind}`;
    const same = JSON.stringify(parse(was?.input ?? "-1")) === JSON.stringify(input);
    if (was?.kind === "activity" && !same) problem ??= `${identity} was asked with ${was.input}`;
    const { promise, ...teller } = Promise.withResolvers();
    tellers.set(identity, teller);
    promise.catch(() => {});
    const cancel = () => {
      tellers.get(identity)?.reject({ code: "CANCELLED" });
      if (tellers.delete(identity)) cancelled.add(identity);
    };
    if (signal?.aborted) cancel();
    else if (signal !== undefined && aborts.get(signal)?.push(cancel) === undefined) {
      aborts.set(signal, [cancel]);
      signal.addEventListener("abort", () => aborts.get(signal)?.map((abort) => abort()));
    }
    return promise;
  };
  const ctx = {
    ...{ race, map },
    call: ({ name }: { name: string }, input: unknown, asking?: Asking) =>
      ask(name, "activity", input, asking),
    run: (name: string, _fn: unknown, asking: Asking) => ask(name, "run", undefined, asking),
    sleep: (_millis: number, asking?: Asking) => ask("sleep", "timer", undefined, asking),
    waitForEvent: (name: string, asking: Asking) => ask(name, "event", undefined, asking),
    get now() {
      return new Date(now);
    },
    setStatus: (value: unknown) => {
      status = value;
    },
    random: () => randomFrom(draw()),
    uuid: () => uuidFrom(draw()),
  };
  run(ctx, parse(history.input)).then(
    (output) => (ended = { output }),
    (error) => (ended = { problem: String(error) }),
  );
  await settled();
  for (const step of inOrder(history.steps)) {
    const teller = tellers.get(step.step);
    if (ended !== undefined || problem !== undefined) break;
    if (cancelled.has(step.step) && (step.kind !== "event" || step.state === "failed")) continue;
    if (teller === undefined) return { problem: `${step.step} was recorded, and nobody waited` };
    tellers.delete(step.step);
    now = Math.max(now, step.at);
    [seq, draws] = [step.seq ?? 0, 0];
    if (step.state !== "failed") teller.resolve(parse(step.result ?? "-1"));
    else teller.reject({ failure: JSON.parse(step.failure ?? "{}") });
    await settled();
  }
  problem ??= ended === undefined ? "it has not ended" : undefined;
  return problem === undefined ? { ...ended, status } : { problem };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

type Branches = Record<string, (signal: AbortSignal) => Promise<unknown>>;

function race(branches: Branches, { signal }: Asking): Promise<unknown> {
  const lost = Object.keys(branches).map(() => new AbortController());
  const racing = [...lost];
  const end = (won?: AbortController) =>
    racing.splice(0).map((other) => (other === won ? undefined : other.abort()));
  signal?.addEventListener("abort", () => end());
  if (signal?.aborted) end();
  const { promise, resolve, reject } = Promise.withResolvers();
  for (const [index, [winner, branch]] of Object.entries(branches).entries()) {
    const mine = lost[index] ?? new AbortController();
    branch(mine.signal).then(
      (value) => resolve(end(mine) && { winner, value }),
      (error) => reject(end(mine) && error),
    );
  }
  return promise;
}

type Each = (item: unknown, step: Asking) => Promise<unknown>;
type Mapping = { concurrency: number; key: (item: unknown) => string; tolerate?: number };

async function map(
  items: unknown[],
  each: Each,
  { concurrency, key, tolerate, signal }: Mapping & Pick<Asking, "signal">,
): Promise<unknown[]> {
  const stop = new AbortController();
  signal?.addEventListener("abort", () => stop.abort());
  if (signal?.aborted) stop.abort();
  const entries: { status: string; value?: unknown }[] = [];
  let [next, left] = [0, tolerate ?? 0];
  const lane = async () => {
    while (next < items.length) {
      const at = next++;
      try {
        const step = { key: key(items[at]), signal: stop.signal };
        entries[at] = { status: "fulfilled", value: await each(items[at], step) };
      } catch (error) {
        entries[at] = { status: "rejected" };
        if (!stop.signal.aborted && --left >= 0) continue;
        next = items.length;
        stop.abort();
        throw error;
      }
    }
  };
  await Promise.all(items.slice(0, concurrency).map(lane));
  return tolerate === undefined ? entries.map(({ value }) => value) : entries;
}
