/**
 * What must hold over the rounds of an instance, of which only the last one's rows are left: so each commit
 * is looked at. A round is counted in the input, which is all that one hands on to the next.
 */
import { isRefused } from "../../src/core/history.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { nameOf } from "../../src/core/names.ts";
import { decode, encode } from "../../src/core/payload.ts";
import { textOf } from "../../src/core/stored-text.ts";
import { executionIdAfter } from "../../src/engine/next-round.ts";
import type { InstanceRow } from "../../src/store/rows.ts";
import { StepStore } from "../../src/store/step-store.ts";
import type { InProcessObject } from "../../src/testing/in-process-object.ts";
import type { TraceEvent } from "../../src/testing/trace.ts";
import { asSent } from "./picky.ts";
import { type Program, racy } from "./programs.ts";
import { instanceRow } from "./rows.ts";

interface Event {
  readonly name: string;
  readonly payload: string;
}

/** States of rows that the commit which begins a round may have as well: its first step may be tried again. */
const MAY_BE_NEW: readonly string[] = ["buffered", "open"];

/** How an execution stood at a commit. */
interface Standing {
  readonly executionId: string;
  readonly round: number;
  /** What the code of the rounds before has seen. */
  readonly seen: ReadonlySet<string>;
  /** Those taken first, as they were taken; then those kept, as they came. */
  readonly events: readonly Event[];
  /** The payloads of those that did not fit. */
  readonly refused: readonly string[];
  /** Rows that are neither kept events nor of steps that may have ended in the commit that began their round. */
  readonly steps: number;
}

export class RoundsWatch {
  readonly #rewound: ReadonlySet<string>;
  readonly #standing = new Map<string, Standing>();
  /** Executions of programs that have but one round: all of their events are there at the end. */
  readonly #single = new Map<string, InProcessObject>();
  readonly #taken = new Map<string, Event[]>();
  readonly #refused = new Map<string, readonly string[]>();

  /** @param rewound executions that may have sent some of their events again, because they were rewound */
  constructor(rewound: ReadonlySet<string>) {
    this.#rewound = rewound;
  }

  see(event: TraceEvent, object: InProcessObject): string[] {
    if (event.kind !== "commit") return [];
    const row = instanceRow(object);
    if (row === undefined) return [];
    const before = this.#standing.get(object.name);
    const goesOn = row.executionId === before?.executionId;
    if (goesOn && this.#single.has(row.executionId)) return [];
    const program = programOf(row);
    if (program.kind !== "rounds") this.#single.set(row.executionId, object);
    const now = standingOf(object, row, program);
    this.#standing.set(object.name, now);
    if (goesOn) return [];
    const continues =
      before !== undefined && now.executionId === executionIdAfter(before.executionId);
    if (continues) return this.#next(object.name, before, now);
    this.#taken.set(object.name, []); // started, replaced, restarted
    this.#refused.set(object.name, []);
    return [];
  }

  /** Rounds follow one another without a gap, and take over nothing but what was not consumed. */
  #next(id: string, before: Standing, now: Standing): string[] {
    const problems: string[] = [];
    if (now.round !== before.round + 1) {
      problems.push(`W2: after round ${before.round} of ${id} comes round ${now.round}`);
    }
    if (now.steps > 0) problems.push(`W2: ${now.steps} rows of a round before are left`);
    const kept = new Set(now.events.map(({ payload }) => payload));
    const gone = before.events.filter(({ payload }) => !kept.has(payload));
    for (const event of before.events) {
      if (this.#mayRepeat(senderOf(event))) continue;
      const { payload } = event;
      const heard = now.seen.has(payload);
      if (heard !== kept.has(payload)) continue;
      const what = heard ? "is kept though it was consumed" : "is lost between two rounds";
      problems.push(`W8: the event ${payload} ${what}`);
    }
    this.#taken.set(id, [...(this.#taken.get(id) ?? []), ...gone]);
    this.#refused.set(id, [...(this.#refused.get(id) ?? []), ...before.refused]);
    return problems;
  }

  /** The events that are there at the end. */
  #present(id: string): readonly Event[] {
    const standing = this.#standing.get(id);
    const object = this.#single.get(standing?.executionId ?? "");
    const row = object && instanceRow(object);
    if (object === undefined || row === undefined) return standing?.events ?? [];
    return standingOf(object, row, programOf(row)).events;
  }

  #mayRepeat(sender: string): boolean {
    return this.#rewound.has(sender.slice("a of ".length));
  }

  /** The payloads that the rounds before the last one have taken or refused. */
  gone(id: string): readonly string[] {
    const taken = (this.#taken.get(id) ?? []).map(({ payload }) => payload);
    return [...taken, ...(this.#refused.get(id) ?? [])];
  }

  /** W8: events of one name are taken, and kept, in the order in which they were sent. */
  inOrder(id: string): string[] {
    const events = [...(this.#taken.get(id) ?? []), ...this.#present(id)];
    return ["a", "b"].flatMap((name) => {
      const named = events.filter((event) => event.name === name);
      return Array.from(Map.groupBy(named, senderOf), ([sender, sent]) => {
        if (this.#mayRepeat(sender)) return [];
        const numbers = sent.map(numberOf);
        const sorted = numbers.every((number, index) => number > (numbers[index - 1] ?? 0));
        return sorted ? [] : [`W8: events ${name}${sender} come as ${numbers.join(", ")}`];
      }).flat();
    });
  }
}

function programOf({ workflow, input }: InstanceRow): Program {
  return workflow === racy.name ? (decode(textOf(input)) as Program) : { kind: "draw" };
}

function standingOf(object: InProcessObject, row: InstanceRow, input: Program): Standing {
  const steps = new StepStore(object.sql);
  const rows = steps.page(0, LIMITS.steps);
  const kept = rows.filter(({ state }) => state === "buffered");
  const events = kept.filter(({ kind }) => kind === "event");
  const done = rows
    .filter(({ kind, state }) => kind === "event" && state === "done")
    .sort((a, b) => (a.seq ?? 0) - (b.seq ?? 0));
  return {
    executionId: row.executionId,
    round: input.kind === "rounds" ? input.round : 0,
    seen: new Set(input.kind === "rounds" ? input.seen.flatMap(heardIn) : []),
    events: [...done, ...events].map(({ step, result }) => ({
      name: nameOf(step),
      payload: asSent(textOf(result ?? "")),
    })),
    refused: rows
      .filter((row) => row.kind === "event" && isRefused(row))
      .map(({ result }) => textOf(result ?? "")),
    steps: rows.filter(({ state, inline }) => !MAY_BE_NEW.includes(state) && inline === 0).length,
  };
}

/** The payload of which a line of the program tells. */
function heardIn(line: string): string[] {
  const [, heard] = / got (?:checked )?(event \d+|sent .* \d+)$/.exec(line) ?? [];
  return heard === undefined ? [] : [encode(heard, "the event")];
}

/** The execution that has sent it; none where a client has. */
const senderOf = ({ payload }: Event): string => /sent (.*) \d+/.exec(payload)?.[1] ?? "";

/** Events are numbered as they are sent. */
const numberOf = ({ payload }: Event): number => Number(/\d+(?="?\]$)/.exec(payload)?.[0]);
