/**
 * Evidence in, faults out. Pure, so that forged evidence can show that each fault is noticed.
 *
 * A step has ended for certain where a step that follows it has had a request, where a history has shown it
 * as ended, or where its instance has been seen as ended. A request of it that comes later is a repeat
 * after its commit. Before that it may be repeated: where a kill, or a failure of the ledger's, came between.
 */
import { isDeepStrictEqual } from "node:util";
import { isTerminal } from "../src/core/documents.ts";
import type { End, Evidence, Kill, LedgerRecord, Sighting } from "./evidence.ts";
import type { Expectation, ExpectedEffect, Planned, Seen } from "./expectation.ts";

export type FaultKind =
  | "stuck"
  | "wrong end"
  | "lost step"
  | "lost effect"
  | "unknown effect"
  | "wrong value"
  | "two keys"
  | "shared key"
  | "out of order"
  | "repeated after commit"
  | "repeated without cause"
  | "story";

export interface Fault {
  readonly kind: FaultKind;
  readonly instance: string;
  /** The effect or step that it is about; null where it is about the instance. */
  readonly what: string | null;
  /** What was expected, and what is there. */
  readonly text: string;
}

/** Everything that is wrong with a run. */
export function check(planned: readonly Planned[], evidence: Evidence): readonly Fault[] {
  const byInstance = Map.groupBy(evidence.records, ({ instance }) => instance);
  const sighted = Map.groupBy(evidence.sightings, ({ instance }) => instance);
  const known = new Set(planned.map(({ id }) => id));
  const strangers = [...byInstance.keys()].filter((id) => !known.has(id));
  return [
    ...planned.flatMap((one) =>
      instanceFaults(one, evidence, {
        records: byInstance.get(one.id) ?? [],
        sightings: sighted.get(one.id) ?? [],
      }),
    ),
    ...strangers.map((id) => fault("unknown effect", id, null, "nobody has planned this instance")),
    ...sharedKeys(evidence.records),
    ...evidence.complaints.map(({ instance, text }) => fault("story", instance, null, text)),
  ];
}

const fault = (kind: FaultKind, instance: string, what: string | null, text: string): Fault => ({
  kind,
  instance,
  what,
  text,
});

interface Traces {
  readonly records: readonly LedgerRecord[];
  readonly sightings: readonly Sighting[];
}

function instanceFaults(planned: Planned, evidence: Evidence, traces: Traces): readonly Fault[] {
  const { id } = planned;
  const end = evidence.ends.get(id);
  if (end === undefined) return [fault("stuck", id, null, "it was never started, or not found")];
  const { status, waitingFor, error } = end.document;
  if (!isTerminal(status)) {
    const state = JSON.stringify({ status, waitingFor, error });
    return [fault("stuck", id, null, `it has not ended: ${state}`)];
  }
  const seen: Seen = {
    end,
    records: traces.records,
    kills: evidence.kills,
    receipt: (what) =>
      traces.records.find((record) => record.what === what && record.taken)?.receipt ?? null,
    other: (other) => evidence.ends.get(other),
  };
  const expected = expectationOf(planned, seen);
  if (expected === null) {
    const text = `its model cannot make sense of it: ${JSON.stringify(end.document)}`;
    return [fault("wrong end", id, null, text)];
  }
  return [
    ...endFaults(id, end, expected),
    ...effectFaults(id, expected.effects, traces.records),
    ...historyFaults(planned, end, expected, seen),
    ...goneFaults(planned, end, traces.sightings),
    ...repeatFaults(id, end, expected.effects, traces),
    ...causeFaults(id, traces.records, evidence.kills),
    ...(expected.faults ?? []).map((text) => fault("wrong end", id, null, text)),
  ];
}

/** Null where an instance has come to something that no model has thought of. */
function expectationOf({ expect }: Planned, seen: Seen): Expectation | null {
  try {
    return expect(seen);
  } catch {
    return null;
  }
}

function endFaults(id: string, { document }: End, expected: Expectation): readonly Fault[] {
  const { status, output, error } = document;
  const faults: Fault[] = [];
  const add = (text: string) => faults.push(fault("wrong end", id, null, text));
  if (status !== expected.status) {
    add(`it is ${status}, and not ${expected.status}: ${JSON.stringify(error)}`);
  } else if (expected.error !== error?.code) {
    add(`it ended with ${error?.code}, and not with ${expected.error}: ${error?.message}`);
  }
  if (expected.output !== undefined && !isDeepStrictEqual(output, plain(expected.output))) {
    add(`its output is ${JSON.stringify(output)}, and not ${JSON.stringify(expected.output)}`);
  }
  return faults;
}

/** A value as JSON has it. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

function effectFaults(
  id: string,
  effects: readonly ExpectedEffect[],
  records: readonly LedgerRecord[],
): readonly Fault[] {
  const faults: Fault[] = [];
  const expected = new Map(effects.map((effect) => [effect.what, effect]));
  const byEffect = Map.groupBy(records, ({ what }) => what);
  for (const what of byEffect.keys()) {
    if (!expected.has(what))
      faults.push(fault("unknown effect", id, what, "it has no such effect"));
  }
  for (const effect of effects) {
    const { what, refused = false, optional = false } = effect;
    const requests = byEffect.get(what) ?? [];
    const had = requests.some(({ taken }) => taken);
    if (requests.length === 0 ? !optional : !(refused || had || optional)) {
      const found =
        requests.length === 0 ? "the ledger has no request of it" : "it was never taken";
      faults.push(fault("lost effect", id, what, found));
    }
    if (refused && had) faults.push(fault("unknown effect", id, what, "it was to be refused"));
    const keys = new Set(requests.map(({ key }) => key));
    if (keys.size > 1) faults.push(fault("two keys", id, what, [...keys].join(", ")));
    for (const { value } of requests) {
      if (effect.value === undefined || isDeepStrictEqual(value, plain(effect.value))) continue;
      const text = `told ${JSON.stringify(value)}, and not ${JSON.stringify(effect.value)}`;
      faults.push(fault("wrong value", id, what, text));
    }
    const [first] = requests;
    if (first === undefined) continue;
    for (const earlier of effect.after) {
      const [before] = byEffect.get(earlier) ?? [];
      if (before !== undefined && before.at <= first.at) continue;
      const isOptional = expected.get(earlier)?.optional === true;
      if (before === undefined && isOptional) continue;
      faults.push(fault("out of order", id, what, `it came before ${earlier}`));
    }
  }
  return faults;
}

function historyFaults(
  { id, rounds = false }: Planned,
  { history }: End,
  expected: Expectation,
  { receipt }: Seen,
): readonly Fault[] {
  const faults: Fault[] = [];
  const byStep = Map.groupBy(history, ({ step }) => step);
  for (const [step, items] of byStep) {
    if (items.length > 1) faults.push(fault("wrong end", id, step, "the history has it twice"));
  }
  for (const { step, state } of history) {
    if (state === "done" || state === "failed" || state === "cancelled") continue;
    faults.push(fault("wrong end", id, step, `it has ended, and this step is ${state}`));
  }
  for (const step of expected.steps) {
    const state = byStep.get(step)?.[0]?.state ?? "missing";
    if (state !== "done") faults.push(fault("lost step", id, step, `the history has it ${state}`));
  }
  for (const { what, step, returned } of effectsReturned(expected.effects, rounds)) {
    const result = byStep.get(step)?.[0]?.result;
    if (!returned || result === receipt(what)) continue;
    const text = `its result is ${JSON.stringify(result)}, and the ledger gave ${receipt(what)}`;
    faults.push(fault("lost step", id, step, text));
  }
  return faults;
}

/** Of a life in rounds the history has the last one only. */
const effectsReturned = (effects: readonly ExpectedEffect[], rounds: boolean) =>
  rounds
    ? []
    : effects.flatMap((one) => (one.step === undefined ? [] : { ...one, step: one.step }));

/** What a history has shown as ended must be there in the end, with the same result. */
function goneFaults(
  { id, rounds = false }: Planned,
  { history }: End,
  sightings: readonly Sighting[],
): readonly Fault[] {
  if (rounds) return [];
  const results = new Map(history.map(({ step, result }) => [step, JSON.stringify(result)]));
  return sightings.flatMap(({ step, result }) => {
    const now = results.get(step);
    if (now === result) return [];
    const text = `its history had it with ${result} and has it now with ${now ?? "nothing"}`;
    return [fault("lost step", id, step, text)];
  });
}

function repeatFaults(
  id: string,
  end: End,
  effects: readonly ExpectedEffect[],
  { records, sightings }: Traces,
): readonly Fault[] {
  const endedAt = new Map<string, { readonly at: number; readonly because: string }>();
  const note = (what: string, at: number, because: string) => {
    const known = endedAt.get(what);
    if (known === undefined || at < known.at) endedAt.set(what, { at, because });
  };
  const seenAt = new Map(sightings.map(({ step, at }) => [step, at]));
  const firstAt = new Map<string, number>();
  for (const { what, at } of records) if (!firstAt.has(what)) firstAt.set(what, at);
  for (const { what, step, after } of effects) {
    if (end.seenAt !== null) note(what, end.seenAt, "the instance was seen as ended");
    const sighted = step === undefined ? undefined : seenAt.get(step);
    if (sighted !== undefined) note(what, sighted, `the history had ${step} as ended`);
    const first = firstAt.get(what);
    if (first === undefined) continue;
    for (const earlier of after) note(earlier, first, `${what} had begun`);
  }
  return records.flatMap(({ what, at }) => {
    const ended = endedAt.get(what);
    if (ended === undefined || at <= ended.at) return [];
    const text = `asked for again ${Math.round(at - ended.at)} ms after ${ended.because}`;
    return [fault("repeated after commit", id, what, text)];
  });
}

function causeFaults(
  id: string,
  records: readonly LedgerRecord[],
  kills: readonly Kill[],
): readonly Fault[] {
  return [...Map.groupBy(records, ({ what }) => what)].flatMap(([what, requests]) =>
    requests.flatMap((request, index) => {
      const before = requests[index - 1];
      if (before === undefined || (before.ending !== "answered" && before.ending !== "refused")) {
        return [];
      }
      if (kills.some(({ goneAt }) => goneAt >= before.at && goneAt <= request.at)) return [];
      const text = `it was ${before.ending}, no kill came between, and it was asked for again`;
      return [fault("repeated without cause", id, what, text)];
    }),
  );
}

function sharedKeys(records: readonly LedgerRecord[]): readonly Fault[] {
  const owners = new Map<string, LedgerRecord>();
  return records.flatMap((record) => {
    const { key, instance, what } = record;
    const owner = owners.get(key);
    if (owner === undefined) owners.set(key, record);
    if (owner === undefined || (owner.instance === instance && owner.what === what)) return [];
    return [
      fault("shared key", instance, what, `${key} is that of ${owner.instance} ${owner.what}`),
    ];
  });
}
