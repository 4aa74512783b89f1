/** The plain model: tells an execution again from its history. It shares no code with engine, driver and store. */
import { parse } from "devalue";
import type { StoredHistory, StoredStep } from "../../src/core/history.ts";
import { randomFrom, uuidFrom } from "../../src/core/random.ts";
import { OPERATIONS } from "./entities.ts";
import { TALLY_OPERATIONS } from "./sections.ts";

/** The steps that have ended, in the order in which they were delivered. */
export const inOrder = (steps: readonly StoredStep[]): StoredStep[] =>
  steps.filter(({ seq }) => seq !== null).sort((a, b) => (a.seq ?? 0) - (b.seq ?? 0));

type Asking = {
  key?: string;
  signal?: AbortSignal | undefined;
  /** The entity that it is of. */
  to?: string;
  identity?: string;
};

/** What an execution comes to when it is told again, or where it does otherwise. */
export interface Told {
  readonly output?: unknown;
  readonly status?: unknown;
  readonly problem?: string;
}

/**
 * Tells an execution again from its history: the same code, with each recorded result delivered in its
 * turn, one at a time. Returns what the code returned and the status it set last, or where it did otherwise.
 */
export async function retell(
  history: StoredHistory,
  run: (ctx: unknown, input: unknown) => Promise<unknown>,
): Promise<Told> {
  const recorded = new Map(history.steps.map((step) => [step.step, step]));
  const queue = inOrder(history.steps);
  const messages: string[] = [];
  const tellers = new Map<string, Pick<PromiseWithResolvers<unknown>, "resolve" | "reject">>();
  const cancelled = new Set<string>();
  const aborts = new Map<AbortSignal, (() => void)[]>();
  const counts = new Map<string, number>();
  let [now, seq, draws] = [history.startedAt ?? 0, 0, 0];
  const author = () =>
    history.seeds?.find(({ through }) => seq <= through)?.executionId ?? history.executionId;
  const draw = () => `${author()}/${seq}/${++draws}`;
  let [status, problem]: [unknown, string | undefined] = [null, undefined];
  let section: Held | null = null;
  const leave = (step: string) => {
    if (section?.lock === step) section = null;
  };
  let ended: { output?: unknown; problem?: string } | undefined;
  const ask = (
    name: string,
    kind: string,
    input: unknown,
    { key, signal, to, identity: given }: Asking = {},
  ) => {
    if (ended !== undefined) return new Promise(() => {}); // nobody hears of it any more
    const rule = refusal(kind, to, section, Object.hasOwn(Object(input), "signal"));
    if (rule !== null) return Promise.reject({ code: rule });
    const count = (counts.get(name) ?? 0) + (key === undefined ? 1 : 0);
    counts.set(name, count);
    const numbered = key !== undefined ? `${name}:${key}` : count === 1 ? name : `${name}#${count}`;
    const identity = given ?? numbered;
    if (kind === "lock") section = { lock: identity, entities: input as string[], granted: false };
    const was = recorded.get(identity);
    if (was !== undefined && was.kind !== kind) problem ??= `${identity} was a ${was.kind}`;
    const same = JSON.stringify(parse(was?.input ?? "-1")) === JSON.stringify(input);
    if (
      was !== undefined &&
      ["activity", "child", "start", "send", "entity", "lock"].includes(was.kind) &&
      !same
    )
      problem ??= `${identity} was asked with ${was.input}`;
    const oneWay = kind === "entity" && Object.hasOwn(Object(input), "signal");
    if (kind === "start" || kind === "send" || kind === "unlock" || oneWay) messages.push(identity);
    const { promise, ...teller } = Promise.withResolvers();
    tellers.set(identity, teller);
    promise.catch(() => {});
    const cancel = () => {
      if (ended !== undefined) return;
      if (tellers.has(identity)) leave(identity);
      tellers.get(identity)?.reject({ code: "CANCELLED" });
      if (tellers.delete(identity)) cancelled.add(identity);
    };
    const [next] = queue;
    if (next?.inline && next.step === identity) {
      inJobs(16, () => {
        const alone = tellers.size === 1 && tellers.has(identity) && ended === undefined;
        if (alone && queue[0] === next) hand(queue.shift() ?? next);
      });
    }
    if (signal?.aborted) cancel();
    else if (signal !== undefined && aborts.get(signal)?.push(cancel) === undefined) {
      aborts.set(signal, [cancel]);
      signal.addEventListener("abort", () => aborts.get(signal)?.map((abort) => abort()));
    }
    return promise;
  };
  /** What a step came to reaches the code. */
  const hand = (step: StoredStep) => {
    const teller = tellers.get(step.step);
    tellers.delete(step.step);
    now = Math.max(now, step.at);
    [seq, draws] = [step.seq ?? 0, 0];
    if (step.state === "failed") {
      leave(step.step);
      teller?.reject(rejection(step));
    } else if (step.kind === "lock" && section !== null) {
      (section as Held).granted = true;
      teller?.resolve({ release: () => release(step.step) });
    } else teller?.resolve(parse(step.result ?? "-1"));
  };
  const release = (lock: string) => {
    if (section?.lock !== lock) return Promise.resolve();
    section = null;
    return ask("unlock", "unlock", undefined, { key: lock, identity: `unlock/${lock}` });
  };
  const requested = new AbortController();
  const handlers = new Map<string, (input: unknown) => unknown>();
  const replies: { step: StoredStep; reply?: unknown; failure?: unknown }[] = [];
  const ctx = {
    handle: (name: string, _options: unknown, fn: (input: unknown) => unknown) =>
      handlers.set(name, fn),
    race,
    map: (items: unknown[], each: Each, options: Mapping) =>
      map(items, each, options, requested.signal),
    signal: requested.signal,
    call: ({ name, kind }: { name: string; kind: string }, input: unknown, asking?: Asking) =>
      ask(name, kind === "workflow" ? "child" : "activity", input, asking),
    start: ({ name }: { name: string }, input: unknown) => ask(name, "start", input),
    sendEvent: (_to: string, event: string, payload: unknown) =>
      ask(`send ${event}`, "send", payload),
    executionId: history.executionId,
    entity: ({ name }: { name: string }, key: string) => {
      const to = `${name}/${key}`;
      const operate = (way: object) => (operation: string) => [
        operation,
        (input: unknown, asking?: Asking) => {
          const given = { key, input, ...way };
          return ask(`${name}.${operation}`, "entity", given, { ...asking, to });
        },
      ];
      const operations: readonly string[] = name === "Tally" ? TALLY_OPERATIONS : OPERATIONS;
      const signal = Object.fromEntries(operations.map(operate({ signal: true })));
      return { ...Object.fromEntries(operations.map(operate({}))), signal, to };
    },
    lock: (entities: { to: string }[], { signal }: Asking) =>
      ask("lock", "lock", [...new Set(entities.map(({ to }) => to))].sort(), { signal }),
    run: (name: string, _fn: unknown, asking: Asking) => ask(name, "run", undefined, asking),
    sleep: (_millis: number, asking?: Asking) => ask("sleep", "timer", undefined, asking),
    waitForEvent: (name: string, asking: Asking) => ask(name, "event", undefined, asking),
    get now() {
      return new Date(now);
    },
    onCompensate: () => {}, // what is retold has not failed
    setStatus: (value: unknown) => {
      status = value;
    },
    random: () => randomFrom(draw()),
    uuid: () => uuidFrom(draw()),
  };
  // Its end is known some jobs later than to itself.
  new Promise((resolve) => resolve(run(ctx, parse(history.input)))).then(
    (output) => (ended = { output }),
    (error) => (ended = { problem: String(error) }),
  );
  await settled();
  const rewound = queue.some(({ kind }) => kind === "rewind");
  const early: StoredStep[] = []; // recorded before the code asks for it, which only a rewind leads to
  for (;;) {
    const asked = early.findIndex((step) => tellers.has(step.step));
    const [step] = asked >= 0 ? early.splice(asked, 1) : queue.splice(0, 1);
    if (step === undefined || ended !== undefined || problem !== undefined) break;
    if (step.kind === "rewind") {
      [now, seq, draws] = [Math.max(now, step.at), step.seq ?? 0, 0];
      continue;
    }
    if (step.kind === "update") {
      [now, seq, draws] = [Math.max(now, step.at), step.seq ?? 0, 0];
      const handled = { step };
      replies.push(handled);
      const handler = handlers.get(step.step.slice(0, step.step.indexOf("(")));
      new Promise((resolve) => resolve(handler?.(parse(step.input ?? "-1")))).then(
        (reply) => Object.assign(handled, { reply }),
        (failure) => Object.assign(handled, { failure }),
      );
      await settled();
      continue;
    }
    if (step.kind === "cancel") {
      [now, seq, draws] = [Math.max(now, step.at), step.seq ?? 0, 0];
      for (const [name, teller] of tellers) {
        if (name.startsWith("unlock/")) continue;
        tellers.delete(name);
        leave(name);
        cancelled.add(name);
        teller.reject({ code: "CANCELLED", message: parse(step.result ?? "-1") });
      }
      requested.abort();
      await settled();
      continue;
    }
    if (cancelled.has(step.step) && (step.kind !== "event" || step.state === "failed")) continue;
    const awaited = tellers.has(step.step);
    if (!awaited && rewound) {
      early.push(step);
      continue;
    }
    if (!awaited) return { problem: `${step.step} was recorded, and nobody waited` };
    hand(step);
    await settled();
  }
  for (const { step, reply, failure } of replies) {
    const told = step.state === "done" ? reply === parse(step.result ?? "-1") : true;
    const failed = step.state !== "failed" || failure !== undefined;
    if (!told || !failed) problem ??= `${step.step} is answered ${reply ?? failure} by the model`;
    const undone = step.state !== "done" && step.state !== "failed";
    if (undone && (reply ?? failure) !== undefined) problem ??= `${step.step} has no reply`;
  }
  const [forsaken] = early;
  if (forsaken !== undefined) problem ??= `${forsaken.step} was recorded, and nobody waited`;
  const unsent = messages.find((one) => !recorded.has(one) && !cancelled.has(one));
  problem ??= ended === undefined ? "it has not ended" : undefined;
  problem ??= unsent === undefined ? undefined : `${unsent} was asked for, and never sent`;
  return problem === undefined ? { ...ended, status } : { problem };
}

/** Runs something in so many promise jobs, each queued by the one before. */
function inJobs(jobs: number, last: () => void): void {
  Promise.resolve().then(() => (jobs === 1 ? last() : inJobs(jobs - 1, last)));
}

/** Of an activity and a child, with their own error in it. */
function rejection({ kind, failure }: StoredStep): unknown {
  const told = JSON.parse(failure ?? "{}");
  if (kind === "start" || kind === "send" || kind === "lock") return told;
  const code = { child: "CHILD_FAILED", entity: "ENTITY_FAILED" }[kind as string];
  return { ...(code === undefined ? {} : { code }), failure: told };
}

interface Held {
  readonly lock: string;
  readonly entities: readonly string[];
  granted: boolean;
}

/** What a critical section does not allow; calls of what is locked are never two at a time here. */
function refusal(
  kind: string,
  to: string | undefined,
  section: Held | null,
  oneWay: boolean,
): string | null {
  if (section === null) return null;
  if (kind === "lock") return "LOCK_NESTED";
  if (!section.granted) return null;
  if (kind === "child" || kind === "start") return "LOCK_CHILD";
  const foreign = kind === "entity" && !oneWay && !section.entities.includes(to ?? "");
  return foreign ? "LOCK_ENTITY_FOREIGN" : null;
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
  requested: AbortSignal,
): Promise<unknown[]> {
  const stop = new AbortController();
  if (!requested.aborted) requested.addEventListener("abort", () => stop.abort());
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
