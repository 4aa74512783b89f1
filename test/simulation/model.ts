/**
 * The plain model: what a program must come to, whatever goes wrong on the way. It knows nothing of
 * engine, driver or rows but their contents, and shares no code with them.
 */
import { parse } from "devalue";
import type { StoredHistory, StoredStep } from "../../src/core/history.ts";
import { randomFrom, uuidFrom } from "../../src/core/random.ts";
import type { Program } from "./programs.ts";

/** What each part of a program comes to, by its path. */
export interface Prediction {
  /** The result of each part that calls an activity. */
  readonly results: ReadonlyMap<string, string>;
  /** The parts that are certain to end before the program does: not those that may lose a race. */
  readonly certain: ReadonlySet<string>;
}

export function predict(program: Program): Prediction {
  const results = new Map<string, string>();
  const certain = new Set<string>();
  visit(program, "0", true, (path, result, sure) => {
    results.set(path, result);
    if (sure) certain.add(path);
  });
  return { results, certain };
}

function visit(
  program: Program,
  path: string,
  sure: boolean,
  found: (path: string, result: string, sure: boolean) => void,
): void {
  switch (program.kind) {
    case "call":
      found(path, program.fatal ? "NON_RETRYABLE" : "done", sure);
      return;
    case "poison":
      found(path, "ATTEMPT_LOST", sure);
      return;
    case "slow":
      found(path, "done", sure);
      return;
    case "records":
      found(path, String(program.count), sure);
      return;
    case "run":
      found(path, "ran", sure);
      return;
    case "sleep":
    case "wait":
    case "noise":
    case "draw":
      return;
    case "seq":
    case "all":
    case "settled":
      for (const [i, part] of program.parts.entries()) visit(part, `${path}.${i}`, sure, found);
      return;
    case "race":
    case "detach":
      for (const [i, part] of program.parts.entries()) visit(part, `${path}.${i}`, false, found);
  }
}

/** Where what a program saw is not what the model predicts. */
export function mispredicted(program: Program, seen: readonly string[]): string[] {
  const { results, certain } = predict(program);
  const told = new Map<string, string>();
  const problems: string[] = [];
  for (const line of seen) {
    const [, path, result] = /^([\d.]+)=(.*?)(?:@\d+)?$/.exec(line) ?? [];
    if (path === undefined || result === undefined) continue;
    if (told.has(path)) problems.push(`${path} came back twice`);
    told.set(path, result);
    const expected = results.get(path);
    if (result !== expected) problems.push(`${path} came to ${result}, and not to ${expected}`);
  }
  for (const path of certain) if (!told.has(path)) problems.push(`${path} never came back`);
  return problems;
}

/** The steps that have ended, in the order in which they were delivered. */
export const inOrder = (steps: readonly StoredStep[]): StoredStep[] =>
  steps.filter(({ seq }) => seq !== null).sort((a, b) => (a.seq ?? 0) - (b.seq ?? 0));

/** What a step's promise does in a retelling. */
interface Teller {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Tells an execution again from its history: the same code, with each recorded result delivered in its
 * turn, one at a time. Returns what the code returned, or the step at which it did otherwise.
 */
export async function retell(
  history: StoredHistory,
  run: (ctx: unknown, input: unknown) => Promise<unknown>,
): Promise<{ readonly output?: unknown; readonly problem?: string }> {
  const recorded = new Map(history.steps.map((step) => [step.step, step]));
  const tellers = new Map<string, Teller>();
  const counts = new Map<string, number>();
  let now = history.startedAt ?? 0;
  let seq = 0;
  let draws = 0;
  const draw = () => `${history.executionId}/${seq}/${++draws}`;
  let problem: string | undefined;
  let ended: { output?: unknown; problem?: string } | undefined;
  const ask = (name: string, kind: string, input: unknown) => {
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    const identity = count === 1 ? name : `${name}#${count}`;
    const was = recorded.get(identity);
    if (was !== undefined && was.kind !== kind) problem ??= `${identity} was a ${was.kind}`;
    if (was !== undefined && kind === "activity") {
      const same = JSON.stringify(parse(was.input ?? "-1")) === JSON.stringify(input);
      if (!same) problem ??= `${identity} was asked with ${was.input}`;
    }
    return new Promise((resolve, reject) => tellers.set(identity, { resolve, reject }));
  };
  const ctx = {
    call: (activity: { name: string }, input: unknown) => ask(activity.name, "activity", input),
    run: (name: string) => ask(name, "run", undefined),
    sleep: () => ask("sleep", "timer", undefined),
    waitForEvent: (name: string) => ask(name, "event", undefined),
    get now() {
      return new Date(now);
    },
    random: () => randomFrom(draw()),
    uuid: () => uuidFrom(draw()),
  };
  run(ctx, parse(history.input)).then(
    (output) => {
      ended = { output };
    },
    (error) => {
      ended = { problem: String(error) };
    },
  );
  await settled();
  for (const step of inOrder(history.steps)) {
    const teller = tellers.get(step.step);
    if (ended !== undefined || problem !== undefined) break;
    if (teller === undefined) return { problem: `${step.step} was delivered before it was asked` };
    now = Math.max(now, step.at);
    seq = step.seq ?? 0;
    draws = 0;
    tell(step, teller);
    await settled();
  }
  return problem === undefined ? (ended ?? { problem: "it has not ended" }) : { problem };
}

function tell({ state, failure, result }: StoredStep, { resolve, reject }: Teller): void {
  if (state !== "failed") resolve(parse(result ?? "-1"));
  else reject(Object.assign(new Error(), { failure: JSON.parse(failure ?? "{}") }));
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
