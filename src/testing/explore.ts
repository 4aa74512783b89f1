/**
 * The crash explorer. It runs a workflow once, then again and again with a crash at every point at
 * which state is written, an attempt begins or ends, or a mock has an effect: its own points and those of
 * its children and entities. A workflow is crash-proof where no crash changes how it ends or what the outside world
 * sees, and none leaves an instance stuck or a message unsent.
 */

import { type AnyEntity, isEntityAddress } from "../core/entity.ts";
import { decodeFailure, toFailure } from "../core/failure.ts";
import { decode, encode } from "../core/payload.ts";
import { textOf } from "../core/stored-text.ts";
import type { AnyWorkflow, Workflow } from "../core/workflow.ts";
import { checkHistory } from "../engine/check-history.ts";
import type { TurnBudget } from "../engine/host.ts";
import { EntityStore } from "../store/entity-store.ts";
import { InstanceStore } from "../store/instance-store.ts";
import { Cluster } from "./cluster.ts";
import { differences, type RunResult } from "./difference.ts";
import type { FakeFetch } from "./fake-fetch.ts";
import type { CrashMoment, Faults } from "./faults.ts";
import { leftBehind } from "./left-behind.ts";
import type { Mock } from "./mock.ts";
import { crashWords, type TraceEvent, tellTrace } from "./trace.ts";

/** What one run needs beside the workflow; made anew for each run, so that no run sees another's. */
export interface Scene {
  readonly activities?: readonly Mock[];
  readonly env?: Cloudflare.Env;
  readonly fetch?: FakeFetch;
  /** What the outside world looks like in the end, such as the rows of a table. */
  readonly observe?: () => unknown;
}

/** An event that each run sends, so many milliseconds after the start, on the clock of the run. */
export interface PlannedEvent {
  /** The id of the child it is for; the explored instance, whose id is `explored`, if left out. */
  readonly to?: string;
  readonly name: string;
  readonly payload?: unknown;
  readonly afterMillis?: number;
}

/** A call of a handler that each run makes, when the call before it is answered. */
export interface PlannedCall {
  /** The id of the child it is for; the explored instance, whose id is `explored`, if left out. */
  readonly to?: string;
  readonly name: string;
  readonly input?: unknown;
  /** Milliseconds after the start, on the clock of the run, at the earliest. */
  readonly afterMillis?: number;
}

export interface ExploreOptions<Output> {
  /** Mocks that keep nothing from one run to the next; for others see `scene`. */
  readonly activities?: readonly Mock[];
  /** Answers the requests of `ctx.fetch`; for one that keeps something from one run to the next see `scene`. */
  readonly fetch?: FakeFetch;
  readonly scene?: () => Scene;
  /** The children that the workflow calls or starts, and theirs: they are lost at each point as well. */
  readonly workflows?: readonly AnyWorkflow[];
  /**
   * The entities that they call, which are lost at each point as well, and whose states must be the same in every
   * run. The order in which several senders reach one is not: see `compareEntity`.
   */
  readonly entities?: readonly AnyEntity[];
  /** What of an entity's state must be the same in every run; all of it if left out. */
  readonly compareEntity?: (state: unknown, address: string) => unknown;
  readonly events?: readonly PlannedEvent[];
  /** Queries and updates; what they are answered must be the same in every run. */
  readonly calls?: readonly PlannedCall[];
  /** What of the output must be the same in every run; all of it if left out. */
  readonly compare?: (output: Output) => unknown;
  /** When a turn hands over to the next, as in `createWaymark`. */
  readonly turn?: Partial<TurnBudget>;
  /** How long a run may take on its own clock: 30 days if left out. In milliseconds. */
  readonly untilMillis?: number;
  /** The most runs; 10,000 if left out. With more points than that some are left out, evenly. */
  readonly mostRuns?: number;
}

/** A run that ended otherwise than the one without a crash. */
export interface ExploredFailure {
  /** What was done to it. */
  readonly fault: string;
  readonly differences: readonly string[];
  /** What happened, in plain words, a line each. */
  readonly trace: readonly string[];
}

export interface Exploration {
  /** Points at which a crash was tried. */
  readonly points: number;
  readonly runs: number;
  /** Those whose story is shortest first. */
  readonly failures: readonly ExploredFailure[];
  /** All of it in words, with the shortest failing story. */
  readonly report: string;
}

const ID = "explored";
const DEFAULT_UNTIL_MILLIS = 30 * 86_400_000;
/** How long a client waits before it sends again what was not answered. */
const RESEND_MILLIS = 500;
const DEFAULT_MOST_RUNS = 10_000;
/** Longer than any clock is coarse: code that reads the real one sees another time in the next run. */
const APART_MILLIS = 2;

/**
 * Tries every crash on a workflow and reports what differs.
 *
 * @param workflow the workflow, with its own activities
 * @param input what each run is started with
 * @throws WaymarkError where the start itself is refused
 * @example
 * const { failures, report } = await explore(transfer, { from: "a", to: "b", amount: 10 }, {
 *   activities: [mock(debit, (order, ctx) => ctx.effect("debit", { key: ctx.idempotencyKey }))],
 * });
 * expect(failures, report).toEqual([]);
 */
export async function explore<Input, Output>(
  workflow: Workflow<Input, Output>,
  input: Input,
  options: ExploreOptions<NoInfer<Output>> = {},
): Promise<Exploration> {
  const children = options.workflows ?? [];
  const moments: Point[] = [];
  const run = (faults: Faults, turn = options.turn) =>
    runOnce(workflow, input, { ...options, ...(turn === undefined ? {} : { turn }) }, faults);
  const usual = await run({
    crash: (object, moment) => {
      if (moment.kind !== "await") moments.push({ object, moment });
      return false;
    },
  });
  const failures: ExploredFailure[] = [];
  const judge = (fault: string, { result, trace }: Run, extra: readonly string[] = []) => {
    const found = [...extra, ...differences(usual.result, result)];
    if (found.length > 0) failures.push({ fault, differences: found, trace: tellTrace(trace) });
  };
  await apart();
  judge("nothing", await run({}), await replayProblems([workflow, ...children], usual.cluster));
  let runs = 2;
  if (failures.length === 0) {
    judge("its memory evicted after every step", await run({ evicted: () => true }, { steps: 1 }));
    const chosen = spread(moments.length, (options.mostRuns ?? DEFAULT_MOST_RUNS) - 3);
    for (const nth of chosen) {
      judge(`a crash ${pointWords(moments[nth])}`, await run(crashAt(nth)));
      runs++;
    }
    runs++;
  }
  failures.sort((a, b) => a.trace.length - b.trace.length);
  const explored = { points: moments.length, runs, failures };
  return { ...explored, report: tellReport(explored) };
}

/** Where a crash is tried. */
interface Point {
  readonly object: string;
  readonly moment: CrashMoment;
}

function pointWords(point: Point | undefined): string {
  const words = crashWords(point?.moment ?? null);
  return point === undefined || point.object === ID ? words : `of "${point.object}" ${words}`;
}

/** Loses an object at the nth moment at which one could be lost, from 0. */
function crashAt(nth: number): Faults {
  let moments = 0;
  return { crash: (_object, { kind }) => kind !== "await" && moments++ === nth };
}

/** So many of the numbers below `count`, evenly. */
function spread(count: number, most: number): number[] {
  const step = Math.max(1, count / most);
  return Array.from({ length: Math.min(count, most) }, (_, index) => Math.floor(index * step));
}

interface Run {
  readonly result: RunResult;
  readonly trace: readonly TraceEvent[];
  readonly cluster: Cluster;
}

async function runOnce<Input, Output>(
  workflow: Workflow<Input, Output>,
  input: Input,
  options: ExploreOptions<Output>,
  faults: Faults,
): Promise<Run> {
  const scene = options.scene?.() ?? {};
  const { turn } = options;
  const fetch = scene.fetch ?? options.fetch;
  let begun = false;
  const cluster: Cluster = new Cluster({
    workflows: [workflow, ...(options.workflows ?? [])],
    entities: options.entities ?? [],
    activities: [...(options.activities ?? []), ...(scene.activities ?? [])],
    // The start itself is the caller's to repeat: faults begin once it is acknowledged.
    faults: { ...faults, crash: (...at) => begun && (faults.crash?.(...at) ?? false) },
    ...(turn === undefined ? {} : { turn }),
    ...(fetch === undefined ? {} : { fetch }),
    ...(scene.env === undefined ? {} : { env: scene.env }),
    onEvent: ({ kind }) => {
      if (kind === "crash") waitApart(); // as code sees it, time has passed when it runs again
    },
  });
  const startedAt = cluster.clock.now();
  await cluster.start(workflow as Workflow<unknown, Output>, input, { id: ID });
  begun = true;
  void sendEvents(cluster, options.events ?? []);
  const replies: unknown[] = [];
  void makeCalls(cluster, options.calls ?? [], replies);
  await cluster.run(new Date(startedAt + (options.untilMillis ?? DEFAULT_UNTIL_MILLIS)));
  const outcome = outcomeOf(cluster, options.compare);
  const { effects, trace } = cluster;
  const observed = scene.observe?.();
  const entities = statesOf(cluster, options.compareEntity);
  const result = {
    ...{ outcome, effects, observed, replies, entities },
    leftBehind: leftBehind(cluster),
  };
  return { result, trace, cluster };
}

/** One client sends them all, each until it is acknowledged, and with a key that makes it one event. */
async function sendEvents(cluster: Cluster, events: readonly PlannedEvent[]): Promise<void> {
  const startedAt = cluster.clock.now();
  for (const [index, { to = ID, name, payload, afterMillis = 0 }] of events.entries()) {
    const encoded = encode(payload, `the event "${name}"`);
    const idempotency = { key: `event ${index}`, fingerprint: encoded };
    const command = { event: name, payload: encoded, idempotency };
    await cluster.clock.sleep(Math.max(0, startedAt + afterMillis - cluster.clock.now()));
    await cluster
      .send(to, { what: `event ${name}`, request: (commands) => commands.sendEvent(to, command) })
      .catch(() => {}); // the instance has ended: that is for the outcome to tell
  }
}

/** One client makes them all, each with a key and again until it is answered. */
async function makeCalls(
  cluster: Cluster,
  calls: readonly PlannedCall[],
  replies: unknown[],
): Promise<void> {
  const { clock } = cluster;
  const startedAt = clock.now();
  for (const [index, { to = ID, name, input, afterMillis = 0 }] of calls.entries()) {
    const payload = encode(input, `the input of "${name}"`);
    const idempotency = { key: `call ${index}`, fingerprint: payload };
    await clock.sleep(Math.max(0, startedAt + afterMillis - clock.now()));
    for (let reply: unknown; reply === undefined; ) {
      const until = clock.now() + DEFAULT_UNTIL_MILLIS;
      const answer = await cluster
        .object(to)
        .request((commands) => commands.call(to, { name, payload, idempotency }, until));
      if (answer === undefined) await clock.sleep(RESEND_MILLIS);
      else if (!answer.ok) reply = { error: toFailure(answer.error).message };
      else if (answer.value.done) reply = { value: decode(answer.value.reply) };
      if (reply !== undefined) replies.push(reply);
    }
  }
}

/** What each entity holds in the end, where it has a state. */
function statesOf(
  cluster: Cluster,
  compare: (state: unknown, address: string) => unknown = (state) => state,
): Record<string, unknown> {
  const held = cluster.objects.flatMap(({ name, sql }) => {
    const state = isEntityAddress(name) ? new EntityStore(sql).state() : null;
    return state === null ? [] : [[name, compare(decode(state), name)] as const];
  });
  return Object.fromEntries(held);
}

function outcomeOf<Output>(
  cluster: Cluster,
  compare: ((output: Output) => unknown) | undefined,
): RunResult["outcome"] {
  const row = new InstanceStore(cluster.object(ID).sql).read();
  const status = row?.status ?? "lost";
  if (row?.error != null) {
    const { type, message, code } = decodeFailure(row.error);
    return { status, detail: { type, message, code } };
  }
  if (status !== "Completed" || row?.output == null) return { status, detail: null };
  const output = decode(textOf(row.output)) as Output;
  return { status, detail: compare === undefined ? output : compare(output) };
}

/** A replay of the run without a crash finds code that does not do the same again, and names the step. */
async function replayProblems(
  workflows: readonly AnyWorkflow[],
  cluster: Cluster,
): Promise<string[]> {
  const problems: string[] = [];
  for (const { name: id, sql } of cluster.objects) {
    const row = new InstanceStore(sql).read();
    const code = workflows.find(
      ({ name, version }) => name === row?.workflow && version === row.version,
    );
    if (code === undefined) continue;
    const { problem } = await checkHistory(code, cluster.instance(id).export());
    const who = id === ID ? "" : ` by "${id}"`;
    if (problem !== null)
      problems.push(`a replay of what was recorded${who} does not fit: ${problem}`);
  }
  return problems;
}

const apart = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, APART_MILLIS));

function waitApart(): void {
  const end = performance.now() + APART_MILLIS;
  while (performance.now() < end);
}

function tellReport({ points, runs, failures }: Omit<Exploration, "report">): string {
  const tried = `${runs} runs, with a crash at each of ${points} points`;
  const [shortest, ...others] = failures;
  if (shortest === undefined) return `Crash-proof: ${tried}, and every one ended the same.`;
  return [
    shortest.fault === "nothing"
      ? "Even without a crash the workflow does not do the same again, or leaves something undone, so no " +
        "crash can be judged. Does it, or a mock, read a clock, randomness or anything else but ctx, or " +
        "await what is no step?"
      : `Not crash-proof: ${failures.length} of ${tried} ended otherwise. The shortest story:`,
    "",
    `With ${shortest.fault}:`,
    ...shortest.differences.map((difference) => `- ${difference}`),
    "",
    ...shortest.trace,
    ...(others.length === 0 ? [] : ["", `And ${others.length} more.`]),
  ].join("\n");
}
