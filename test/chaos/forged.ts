/** Evidence that was never seen: a good run of one chain and whatever a test makes of it. */

import type { End, Evidence, LedgerRecord } from "../../chaos/evidence.ts";
import type { Planned } from "../../chaos/expectation.ts";
import type { HistoryItem, InstanceDocument } from "../../src/core/documents.ts";

const STEPS: readonly string[] = ["a", "b", "c"];

/** Three steps, one after the other; each is told the receipt of the one before. */
export const CHAIN: Planned = {
  id: "chain",
  shape: "chain",
  workflow: "Chain",
  busy: true,
  expect: ({ receipt }) => ({
    status: "Completed",
    output: receipt("c"),
    effects: STEPS.map((step, index) => {
      const earlier = STEPS[index - 1];
      return {
        ...{ what: step, step, returned: true, after: earlier === undefined ? [] : [earlier] },
        value: { previous: earlier === undefined ? null : receipt(earlier) },
      };
    }),
    steps: STEPS,
  }),
};

/** A request that was answered well after 10 ms. */
export const request = (what: string, at: number, other: Partial<LedgerRecord> = {}) => ({
  ...{ instance: "chain", what, key: `key of ${what}`, at, taken: true },
  ...{ ending: "answered" as const, endedAt: at + 10, receipt: `receipt of ${what}` },
  value: { previous: previousOf(what) },
  ...other,
});

const previousOf = (what: string) => {
  const index = STEPS.indexOf(what);
  return index > 0 ? `receipt of ${STEPS[index - 1]}` : null;
};

export const item = (step: string, other: Partial<HistoryItem> = {}): HistoryItem => ({
  ...{ seq: 1, step, name: step, kind: "activity", state: "done", attempts: 1 },
  ...{ startedAt: null, completedAt: null, due: null, input: null, error: null },
  ...{ result: `receipt of ${step}`, activityStatus: null, progress: null },
  ...other,
});

interface Forged {
  readonly document?: Partial<InstanceDocument>;
  readonly history?: readonly HistoryItem[];
  readonly seenAt?: number;
}

export function end({ document, history = STEPS.map((step) => item(step)), seenAt = 400 }: Forged) {
  const ended = { id: "chain", status: "Completed", output: "receipt of c", error: null };
  return { document: { ...ended, ...document }, history, seenAt } as unknown as End;
}

/** The good run: a kill in the middle of `b`, which is asked for again. */
export function evidence(other: Partial<Evidence> = {}): Evidence {
  return {
    records: [
      request("a", 100),
      request("b", 200, { ending: "open", endedAt: null }),
      request("b", 300),
      request("c", 350),
    ],
    kills: [{ killedAt: 205, goneAt: 210, upAt: 290 }],
    retries: [],
    sightings: [{ instance: "chain", step: "a", at: 190, result: '"receipt of a"' }],
    ends: new Map([["chain", end({})]]),
    complaints: [],
    ...other,
  };
}
