/**
 * Random workflow programs, and the workflow that runs one. Each observes the order in which results
 * reach it, and sends what it has seen so far as the input of its next step: a replay in another
 * order asks for another input, which the engine reports as a contradiction (W7).
 */
import { activity } from "../../src/core/activity.ts";
import type { ParentClose } from "../../src/core/child.ts";
import type { WorkflowContext } from "../../src/core/context.ts";
import { IsolateLostError, NonRetryableError } from "../../src/core/failure.ts";
import type { MapStep } from "../../src/core/map.ts";
import type { RetryHandler } from "../../src/core/retry.ts";
import { workflow } from "../../src/core/workflow.ts";
import { type Mock, type MockFunction, mock } from "../../src/testing/mock.ts";
import { ledger, type OPERATIONS } from "./entities.ts";
import { SCHEMAS } from "./picky.ts";
import { enter, type Section } from "./sections.ts";
import { hurry, type Short } from "./shorts.ts";
import { answerCalls } from "./updates.ts";

/** What a workflow may do. Times are milliseconds. */
export type Program =
  /** An activity that fails so many times and then succeeds, or fails for good. */
  | {
      readonly kind: "call";
      readonly millis: number;
      readonly failures: number;
      readonly fatal: boolean;
    }
  /** An activity that is slower than its timeout, but for its third attempt. */
  | { readonly kind: "slow"; readonly timeout: number }
  /** An activity that goes through records with a checkpoint after each. */
  | {
      readonly kind: "records";
      readonly count: number;
      readonly millis: number;
      /** It runs in the stateless entrypoint, and has a row before it starts. */
      readonly outside: boolean;
    }
  /** An activity that kills its object whenever it runs. */
  | { readonly kind: "poison" }
  /** Its result may be a secret, which its first attempt tells in what it throws. */
  | { readonly kind: "run"; readonly millis: number; readonly secret?: "kept" | "thrown" }
  | { readonly kind: "sleep"; readonly millis: number }
  /** With a schema, it takes only some events, and may take its time to tell which: see picky.ts. */
  | {
      readonly kind: "wait";
      readonly event: "a" | "b";
      readonly timeout: number | null;
      readonly schema: "quick" | "slow" | null;
    }
  | { readonly kind: "noise"; readonly jobs: number }
  | Short
  | { readonly kind: "draw" }
  /** Sets a status that tells of all that was seen so far. */
  | { readonly kind: "status" }
  /** A step that is cancelled after so long, or before it is asked for, if it has not ended by then. */
  | {
      readonly kind: "cancel";
      readonly step: "call" | "sleep" | "wait";
      readonly millis: number;
      readonly after: number | null;
    }
  /** `ctx.map` over so many items, one of which may fail. */
  | {
      readonly kind: "map";
      readonly count: number;
      readonly concurrency: number;
      readonly millis: number;
      readonly fatal: number | null;
      readonly tolerate: number | null;
    }
  /** A child workflow that runs a program of its own, and may fail in the end. */
  | Started
  /** So many events to another instance, which may not be there. */
  | {
      readonly kind: "send";
      readonly to: string;
      readonly event: "a" | "b";
      readonly count: number;
    }
  /** So many operations of an entity at once, which may fail. */
  | {
      readonly kind: "entity";
      readonly key: "x" | "y";
      readonly operation: (typeof OPERATIONS)[number];
      readonly oneWay: boolean;
      readonly count: number;
    }
  /** Entities that are locked, read and written. */
  | Section
  /** `first` is `ctx.race`: it cancels what has lost. */
  | {
      readonly kind: "seq" | "all" | "race" | "settled" | "detach" | "first";
      readonly parts: readonly Program[];
    }
  /** The whole of an instance whose calls are undone where it fails, as it may be told to in the end. */
  | { readonly kind: "saga"; readonly parts: readonly [Program]; readonly fails: boolean }
  | Rounds;

/** A child workflow, which is waited for, or only started. */
interface Started {
  readonly kind: "child" | "start";
  readonly part: Program;
  readonly fails: boolean;
  readonly timeout: number | null;
  readonly parentClose: ParentClose;
}

/** A whole program of several rounds, a part in each: `continueAsNew` in between. */
export interface Rounds {
  readonly kind: "rounds";
  readonly parts: readonly Program[];
  /** The round that this execution is, from 0. */
  readonly round: number;
  /** What the rounds before it saw. */
  readonly seen: readonly string[];
}

/** Patient enough for any number of lost attempts: what is tried is whether the outcome is the same. */
const retry = { maxAttempts: 1_000, firstInterval: 3, backoff: 1 };

/** The same, decided by code; what it is told must make sense, or the step does not end as the model says. */
const patient: RetryHandler = ({ attempt, elapsed }) => {
  if (attempt < 1 || elapsed < 0)
    throw new Error(`asked of attempt ${attempt} after ${elapsed} ms`);
  return attempt < retry.maxAttempts ? retry.firstInterval : null;
};

/** Records after which an isolate outside dies. */
const OUTSIDE_RECORDS = 2;

/** The effect by which an activity kills its object: the plan of faults sees to it. */
export const POISON = "poison";

/** What nobody may be shown. */
export const SECRET = "s3cret";

const tellNobody =
  (secret: "kept" | "thrown") =>
  ({ attempt }: { readonly attempt: number }): string => {
    if (secret === "thrown" && attempt === 1) throw new Error(`told ${SECRET}`);
    return SECRET;
  };

interface Work {
  readonly path: string;
  readonly seen: string;
  readonly program: Program;
}

const notHere = (): never => {
  throw new Error("a simulation mocks this");
};
const work = activity("work", { retry }, (_: Work): string => notHere());
/** Undoes a piece of work; the effect tells which. */
const undoWork = activity("undo work", { retry }, (_: { readonly step: string }): void =>
  notHere(),
);
const slow = activity("slow", { retry: patient }, (_: Work): string => notHere());
const poison = activity("poison", { retry: { maxAttempts: 2 } }, (_: Work): string => notHere());
const outside = activity("outside", { retry, where: "worker" }, (_: Work): string => notHere());
const records = activity("records", { retry }, (_: Work): string => notHere());

const visitRecords: MockFunction<Work, string> = async ({ path, program }, ctx) => {
  if (program.kind !== "records") return "nothing";
  const after = ctx.status.lastProcessedId;
  let record = after === "initialId" ? 0 : Number(after);
  const last = program.outside ? record + OUTSIDE_RECORDS : program.count;
  while (record < program.count) {
    record++;
    if (program.millis > 0) await ctx.sleep(program.millis);
    ctx.effect("record", { key: `${ctx.idempotencyKey}/${record}`, value: [path, record] });
    await ctx.checkpoint(record, { done: record });
    ctx.effect("kept", { key: `${ctx.idempotencyKey}/${record}/kept`, value: [path, record] });
    if (record === last && record < program.count) throw new IsolateLostError("at its end");
  }
  return String(record);
};

/** What the activities do. Their effects tell which part of the program they belong to. */
export const MOCKS: readonly Mock[] = [
  mock(work, async ({ path, program }, ctx) => {
    if (program.kind !== "call") return "nothing";
    if (program.millis > 0) await ctx.sleep(program.millis);
    if (program.fatal) throw new NonRetryableError("fatal");
    if (ctx.attempt <= program.failures) throw new Error("not yet");
    ctx.effect("worked", { key: ctx.idempotencyKey, value: path });
    return "done";
  }),
  mock(slow, async ({ path, program }, ctx) => {
    if (program.kind === "slow" && ctx.attempt < 3) await ctx.sleep(program.timeout * 4);
    ctx.effect("worked", { key: ctx.idempotencyKey, value: path });
    return "done";
  }),
  mock(undoWork, async ({ step }, ctx) => {
    await ctx.sleep(step.length % 3);
    if (ctx.attempt === 1 && step.endsWith("2")) throw new Error("not yet");
    ctx.effect("undone", { key: ctx.idempotencyKey, value: step });
  }),
  mock(poison, (_work, ctx) => {
    ctx.effect(POISON);
    return "survived";
  }),
  mock(records, visitRecords),
  mock(outside, visitRecords),
];

/** Told of the instance whose program has seen something, at the moment it does. */
export const witness: {
  saw: (instanceId: string | undefined) => void;
  /** An event was sent from one instance to another, and acknowledged. */
  sent: (to: string, payload: string) => void;
  /** An entity has acknowledged a line. */
  noted: (key: string, line: string) => void;
} = { saw: () => {}, sent: () => {}, noted: () => {} };

/** What a program has seen; each further line is witnessed. */
function witnessed(lines: readonly string[], instanceId: string | undefined): string[] {
  const seen = [...lines];
  const push = (...more: string[]) => {
    witness.saw(instanceId);
    return Array.prototype.push.apply(seen, more);
  };
  return Object.defineProperty(seen, "push", { value: push }); // not enumerable: it is stored as an array
}

/** The workflow of a program. What it returns is all that it saw, in order, over all its rounds. */
export const racy = workflow("Racy", async (ctx, program: Program): Promise<readonly string[]> => {
  const rounds = program.kind === "rounds" ? program : null;
  const seen = witnessed(rounds?.seen ?? [], ctx.instanceId);
  answerCalls(ctx, seen, (key) => {
    const program = { kind: "call", millis: 5, failures: 0, fatal: false } as const;
    return ctx.call(work, { path: key, seen: digest(seen), program }, { key });
  });
  const [path, part] = [`${rounds?.round ?? 0}`, rounds?.parts[rounds.round] ?? program];
  const undo = part.kind === "saga" ? undoWork : undefined;
  if (undo !== undefined) ctx.onCompensate(() => ctx.run("released", () => "ran", { retry }));
  await interpret(part, path, { ctx, seen, undo }).catch((error: Error) =>
    seen.push(error.message),
  );
  if (ctx.signal.aborted) seen.push("asked to end");
  if (ctx.signal.aborted && part.kind === "all") await obey(ctx, seen);
  if (ctx.signal.aborted && part.kind === "saga") throw ctx.signal.reason;
  if (rounds !== null && rounds.round + 1 < rounds.parts.length) {
    return ctx.continueAsNew({ ...rounds, round: rounds.round + 1, seen });
  }
  const rest = { path: "end", seen: digest(seen), program: { kind: "draw" } } as const;
  await ctx.call(work, rest, { undo });
  if (part.kind === "saga" && part.fails) throw new Error("as planned");
  ctx.setStatus(`end ${digest(seen)}`);
  return seen;
});

/** What a child is given. */
interface ChildProgram {
  readonly program: Program;
  readonly fails: boolean;
  /** What its parent had seen: a parent that replays otherwise would ask for another child. */
  readonly after: string;
}

/** The workflow of a child. */
export const sub = workflow("Sub", async (ctx, { program, fails }: ChildProgram) => {
  const seen = witnessed([], ctx.instanceId);
  await interpret(program, "0", { ctx, seen }).catch((error: Error) => seen.push(error.message));
  if (ctx.signal.aborted) seen.push("asked to end");
  if (fails) throw new Error("as planned");
  return seen;
});

/** Cleans up after a request to cancel, and ends as it asks. */
async function obey(ctx: WorkflowContext, seen: string[]): Promise<never> {
  await ctx.call(work, { path: "cleaned up", seen: digest(seen), program: { kind: "draw" } });
  throw ctx.signal.reason;
}

interface World {
  readonly ctx: WorkflowContext;
  readonly seen: string[];
  /** That of the race it runs in. */
  readonly signal?: AbortSignal;
  /** Undoes its work, where the whole is a saga. */
  readonly undo?: typeof undoWork | undefined;
}

async function interpret(program: Program, path: string, world: World): Promise<unknown> {
  const { ctx, seen, signal, undo } = world;
  const parts = () =>
    "parts" in program
      ? program.parts.map((part, index) => interpret(part, `${path}.${index}`, world))
      : [];
  const result = (promise: Promise<string>) =>
    promise.then(
      (value) => seen.push(`${path}=${value === SECRET ? "ran" : value}@${ctx.now.getTime()}`),
      (error) => seen.push(`${path}=${codeOf(error)}`),
    );
  switch (program.kind) {
    case "call":
      return result(ctx.call(work, { path, seen: digest(seen), program }, { signal, undo }));
    case "slow": {
      const { timeout } = program;
      return result(ctx.call(slow, { path, seen: digest(seen), program }, { timeout, signal }));
    }
    case "records":
      return result(
        ctx.call(
          program.outside ? outside : records,
          { path, seen: digest(seen), program },
          { signal },
        ),
      );
    case "poison":
      return result(ctx.call(poison, { path, seen: digest(seen), program }, { signal }));
    case "run":
      return result(
        program.secret === undefined
          ? ctx.run("inline", () => "ran", { retry, signal })
          : ctx.run("inline", tellNobody(program.secret), { retry, signal, sensitive: true }),
      );
    case "sleep":
      await ctx.sleep(program.millis, { signal });
      return seen.push(`${path} woke`);
    case "wait": {
      const { event, timeout, schema } = program;
      const options = {
        ...(timeout === null ? {} : { timeout }),
        ...(schema === null ? {} : { schema: SCHEMAS[schema] }),
      };
      const waited = ctx.waitForEvent<unknown>(event, { ...options, signal });
      return seen.push(`${path} got ${await waited.catch(codeOf)}`);
    }
    case "cancel":
      return result(cancel(program, path, world));
    case "map":
      return result(mapped(program, path, world));
    case "child":
      return result(child(program, path, world));
    case "start": {
      const input = { program: program.part, fails: program.fails, after: digest(seen) };
      const { parentClose } = program;
      return result(ctx.start(sub, input, { parentClose }).then(() => "started"));
    }
    case "send": {
      const { to, event, count } = program;
      const sent = Array.from({ length: count }, async () => {
        const payload = `sent ${event} of ${ctx.executionId} ${nextOf(seen, `${to} ${event}`)}`;
        await ctx.sendEvent(to, event, payload);
        witness.sent(to, payload);
      });
      return result(Promise.all(sent).then(() => "sent"));
    }
    case "entity":
      return result(operate(program, world));
    case "section":
      return result(enter(program, ctx, signal));
    case "short":
      return result(hurry(program, ctx, signal, (line) => seen.push(`${path} ${line}`)));
    case "rounds":
      return; // it is the whole: the workflow goes through its parts
    case "noise":
      for (let job = 0; job < program.jobs; job++) await undefined;
      return seen.push(`${path} noise`);
    case "draw":
      return seen.push(`${path} drew ${ctx.random()} ${ctx.uuid()}`);
    case "status":
      ctx.setStatus(`${path} ${digest(seen)}`);
      return seen.push(`${path} status`);
    case "seq":
      for (const [i, part] of program.parts.entries()) await interpret(part, `${path}.${i}`, world);
      return seen.push(`${path} seq`);
    case "saga":
      await interpret(program.parts[0], `${path}.0`, world);
      return seen.push(`${path} saga`);
    case "all":
      await Promise.all(parts());
      return seen.push(`${path} all`);
    case "race":
      await Promise.race(parts());
      return seen.push(`${path} race`);
    case "first": {
      const branches = program.parts.map(
        (part, i) => (signal: AbortSignal) => interpret(part, `${path}.${i}`, { ...world, signal }),
      );
      const { winner } = await ctx.race(Object.fromEntries(branches.entries()), { signal });
      return seen.push(`${path} won by ${winner}`);
    }
    case "settled":
      await Promise.allSettled(parts());
      return seen.push(`${path} settled`);
    case "detach":
      void Promise.all(parts()).catch(() => {});
      return seen.push(`${path} detached`);
  }
}

/** Of an activity's failure, or of the error itself. */
const codeOf = (error: { readonly code?: string; readonly failure?: { readonly code?: string } }) =>
  error.failure?.code ?? error.code;

type Of<Kind extends Program["kind"]> = Extract<Program, { readonly kind: Kind }>;

/** What is cancelled here is cancelled by nothing else, so that it comes to its own end or to this one. */
async function cancel(program: Of<"cancel">, path: string, world: World): Promise<string> {
  const { ctx, seen, undo } = world;
  const { step, millis, after } = program;
  const controller = new AbortController();
  const { signal } = controller;
  if (after === null) controller.abort();
  const call = { kind: "call", millis, failures: 0, fatal: false } as const;
  const input = { path, seen: digest(seen), program: call };
  const asked = {
    call: () => ctx.call(work, input, { signal, undo }),
    sleep: () => ctx.sleep(millis, { signal }),
    wait: () => ctx.waitForEvent("a", { timeout: millis, signal }),
  }[step]();
  if (after !== null) {
    ctx.sleep(after).then(
      () => controller.abort(),
      () => {}, // the instance is cancelled, and the step with it
    );
  }
  const got = await asked;
  if (step === "wait") seen.push(`${path} got ${got}`); // an event that is taken is told of
  return "done";
}

const onceMore: RetryHandler = ({ attempt }) => (attempt < 2 ? 3 : null);

async function child(program: Started, path: string, world: World): Promise<string> {
  const { ctx, seen, signal } = world;
  const { part, fails, timeout, parentClose } = program;
  const input = { program: part, fails, after: digest(seen) };
  const again = { timeout, retry: onceMore };
  const options = { parentClose, signal, ...(timeout === null ? {} : { ...again, timeout }) };
  const saw = await ctx.call(sub, input, options);
  seen.push(`${path} saw ${digest(saw)}`);
  return "child";
}

/** Events sent so far by whoever sees this, of each name to each instance: asks come in the same order. */
const sends = new WeakMap<readonly string[], Map<string, number>>();

function nextOf(seen: readonly string[], what: string): number {
  const counts = sends.get(seen) ?? new Map<string, number>();
  sends.set(seen, counts);
  const next = (counts.get(what) ?? 0) + 1;
  counts.set(what, next);
  return next;
}

/** Each line has its sender, and its number among those of that sender to that entity. */
async function operate(program: Of<"entity">, { ctx, seen, signal }: World): Promise<string> {
  const { key, operation, oneWay, count } = program;
  const one = ctx.entity(ledger, key);
  const asked = Array.from({ length: count }, async () => {
    const number = nextOf(seen, `entity ${key}`);
    const line = `${operation} ${ctx.executionId} ${number} ${digest(seen)}`;
    if (oneWay) await one.signal[operation](line);
    else await one[operation](line, { signal });
    if (operation !== "spoil") witness.noted(key, line);
  });
  await Promise.all(asked);
  return "noted";
}

async function mapped(program: Of<"map">, path: string, world: World): Promise<string> {
  const { ctx, seen, signal } = world;
  const { concurrency, millis, tolerate } = program;
  const works = Array.from({ length: program.count }, (_, i): Work => {
    const call = { kind: "call", millis, failures: 0, fatal: i === program.fatal } as const;
    return { path: `${path}.${i}`, seen: digest(seen), program: call };
  });
  const options = { concurrency, key: (item: Work) => item.path, signal };
  const each = (item: Work, step: MapStep) => ctx.call(work, { ...item, seen: digest(seen) }, step);
  if (tolerate === null) return (await ctx.map(works, each, options)).join();
  const entries = await ctx.map(works, each, { ...options, tolerate });
  return entries.map(({ status }) => status).join();
}

/** Short, and different for a different past. */
function digest(seen: readonly string[]): string {
  let hash = 0;
  for (const char of seen.join("|")) hash = (Math.imul(hash, 31) + char.charCodeAt(0)) | 0;
  return `${seen.length}:${hash}`;
}
