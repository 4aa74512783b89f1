/** What a run says in the end: the table, and each fault with what was expected and what is there. */
import { percentile } from "../bench/statistics.ts";
import { type Column, table } from "../bench/table.ts";
import type { Fault, FaultKind } from "./check.ts";
import type { Evidence } from "./evidence.ts";
import type { Planned } from "./expectation.ts";
import type { GoingOn, Sample } from "./going-on.ts";
import { wornOutStep } from "./worn-out.ts";

const TITLES = [
  ...["kills", "instances", "effects", "lost steps", "repeated commits", "stuck"],
  ...["going on, p50", "p99"],
];
const MOST_FAULTS = 40;
/** Within this instances are to go on after a start. */
const WANTED_MILLIS = 500;
const MOST_LATE = 8;
/** Requests that are told of each fault. */
const MOST_RECORDS = 6;

export interface Run {
  readonly planned: readonly Planned[];
  readonly evidence: Evidence;
  readonly faults: readonly Fault[];
  readonly goingOn: GoingOn;
  /** Requests of the client that had to be sent again. */
  readonly repeatedRequests: number;
}

/** The table of the README. */
export function runTable({ planned, evidence, faults, goingOn }: Run): string {
  const of = (...kinds: readonly FaultKind[]) =>
    faults.filter(({ kind }) => kinds.includes(kind)).length;
  const columns = TITLES.map((title): Column => ({ title, align: "right" }));
  const row = [
    evidence.kills.length,
    planned.length,
    effectsOf(evidence),
    of("lost step", "lost effect"),
    of("repeated after commit"),
    of("stuck"),
    ...[50, 99].map((percent) => millisText(millisOf(goingOn.atOnce), percent)),
  ];
  return table(columns, [row.map((cell) => cell.toLocaleString("en-US"))]);
}

/** What the table has no column for. */
export function runNotes({ evidence, goingOn, repeatedRequests }: Run): readonly string[] {
  const { records, kills } = evidence;
  const failed = records.filter(({ ending }) => ending === "failed" || ending === "dropped").length;
  const cutOff = records.filter(({ ending }) => ending === "open").length;
  const restarts = kills.map(({ killedAt, upAt }) => upAt - killedAt);
  const { atOnce, waited } = goingOn;
  return [
    `${count(records.length)} requests to the ledger for ${count(effectsOf(evidence))} effects; ` +
      `it failed ${count(failed)} of them on purpose, and for ${count(cutOff)} of them nobody was left to be answered`,
    `${count(repeatedRequests)} requests of the client were sent again until they were answered; ` +
      `${count(evidence.sightings.length)} steps were seen as ended on the way`,
    ...wornOutLines(evidence),
    `from a kill to the Worker's first answer: ${millisText(restarts, 50)} (p50)`,
    `${count(atOnce.length)} times an instance was in the middle of its work at a kill; another ` +
      `${count(waited.length)} times the kill before had struck the same step, whose next attempt ` +
      `then waits a second on purpose: went on after ${millisText(millisOf(waited), 50)} (p50), ` +
      `${millisText(millisOf(waited), 99)} (p99)`,
    ...lateLines(atOnce),
  ];
}

/** Failures that are as they must be, and are told all the same. */
const wornOutLines = ({ ends, kills }: Evidence): readonly string[] =>
  [...ends].flatMap(([id, end]) => {
    const step = wornOutStep({ end, kills });
    return step === null ? [] : [`worn out: kills have used up all attempts at ${step} of ${id}`];
  });

const millisOf = (samples: readonly Sample[]): readonly number[] =>
  samples.map(({ millis }) => millis);

/** The slowest of those that took longer than they should. */
function lateLines(samples: readonly Sample[]): readonly string[] {
  return samples
    .filter(({ millis }) => millis > WANTED_MILLIS)
    .toSorted((a, b) => b.millis - a.millis)
    .slice(0, MOST_LATE)
    .map(({ instance, kill, last, next, millis }) => {
      return `late: ${instance} went on ${count(Math.round(millis))} ms after start ${kill}, from ${last} to ${next}`;
    });
}

/** The faults in words, each with what the ledger has of it. */
export function faultLines({ faults, evidence }: Pick<Run, "faults" | "evidence">) {
  const lines = faults.slice(0, MOST_FAULTS).flatMap(({ kind, instance, what, text }) => {
    const about = what === null ? instance : `${instance} · ${what}`;
    return [`${kind.toUpperCase()} · ${about}: ${text}`, ...ledgerLines(evidence, instance, what)];
  });
  const more = faults.length - MOST_FAULTS;
  return more <= 0 ? lines : [...lines, `and ${count(more)} more`];
}

function ledgerLines({ records }: Evidence, instance: string, what: string | null): string[] {
  const startedAt = records[0]?.at ?? 0;
  const found = records.filter((one) => one.instance === instance && one.what === what);
  return found.slice(0, MOST_RECORDS).map(({ at, ending, taken, key }) => {
    const effect = taken ? "with effect" : "without effect";
    return `    ledger: after ${((at - startedAt) / 1_000).toFixed(3)} s, ${ending}, ${effect}, key ${key}`;
  });
}

const count = (number: number): string => number.toLocaleString("en-US");

const effectsOf = ({ records }: Evidence): number =>
  new Set(records.filter(({ taken }) => taken).map(({ key }) => key)).size;

const millisText = (samples: readonly number[], percent: number): string =>
  samples.length === 0 ? "-" : `${count(Math.round(percentile(samples, percent)))} ms`;
