/** What a saga has begun, and that it is undone where it fails: each piece of work, the last one first. */
import { decodeFailure } from "../../src/core/failure.ts";
import type { StoredHistory, StoredStep } from "../../src/core/history.ts";
import { decode } from "../../src/core/payload.ts";
import type { InProcessObject } from "../../src/testing/in-process-object.ts";
import type { TraceEvent } from "../../src/testing/trace.ts";
import { inOrder } from "./retell.ts";
import { instanceRow } from "./rows.ts";

/** The steps of a program that have an undo are numbered in the order in which the code asks for them. */
const numberOf = (step: string): number => Number(/^work(?:#(\d+))?$/.exec(step)?.[1] ?? 1);
const isWork = (step: string): boolean => /^work(#\d+)?$/.test(step);

const UNDO = "undo/";

export class Undoing {
  /** The work that has ever begun in an execution. */
  readonly #begun = new Map<string, Set<string>>();
  /** Steps of executions whose effects are gone, until they are done again. */
  readonly #gone = new Set<string>();

  see(event: TraceEvent, object: InProcessObject): string[] {
    if (event.kind === "effect" && event.what === "undone") {
      const [execution, step = ""] = event.key?.split(":") ?? [];
      this.#gone.add(`${execution} ${decodeURIComponent(step).slice(UNDO.length)}`);
    }
    if (event.kind !== "attempt" || event.when !== "before") return [];
    const row = instanceRow(object);
    if (row === undefined) return [];
    const begun = this.#begun.get(row.executionId) ?? new Set();
    this.#begun.set(row.executionId, begun);
    const undoes = event.step.startsWith(UNDO);
    if (isWork(event.step)) begun.add(event.step);
    this.#gone.delete(`${row.executionId} ${event.step}`);
    if (!undoes) return [];
    const rows = "SELECT id FROM step WHERE step = ?"; // one may be lost between its row and its attempt
    const known = object.sql.all(rows, event.step.slice(UNDO.length)).length > 0;
    return known ? [] : [`${event.step} begins, and there is nothing to undo`];
  }

  /** @param rewound whether some of what had begun may not be there any more */
  judge(history: StoredHistory, rewound: boolean): string[] {
    const { kind } = decode(history.input) as { readonly kind?: string };
    const undone = inOrder(history.steps).flatMap(({ step, state }) =>
      step.startsWith(UNDO) && state === "done" ? [step.slice(UNDO.length)] : [],
    );
    const released = history.steps.some(({ step }) => step === "released");
    if (kind !== "saga" || history.status === "Completed") {
      const gone = history.steps.filter(({ step, state }) => {
        return state === "done" && this.#gone.has(`${history.executionId} ${step}`);
      });
      const kept = gone.map(({ step }) => `${history.id} counts on ${step}, which was undone`);
      return undone.length === 0 && !released ? kept : [`${history.id} has undone ${undone}`];
    }
    const { code } = decodeFailure(history.error ?? "{}");
    if (history.status !== "Failed" && code !== "CANCELLED") return []; // it was ended at once
    if (history.startedAt === null) return [];
    const there = history.steps.filter(({ step, state }) => isWork(step) && state !== "orphaned");
    const begun = rewound ? [] : [...(this.#begun.get(history.executionId) ?? [])];
    const due = new Set([...there.map(({ step }) => step), ...begun]);
    const order = [...due].sort((a, b) => numberOf(b) - numberOf(a));
    // A message that was on its way is answered when it is.
    const last = inOrder(history.steps).findLast((step) => !isOneWay(step));
    if (rewound) {
      // A rewind may have been to an undo alone, which then comes last.
      const all =
        released && new Set(undone).size === due.size && undone.every((one) => due.has(one));
      return all ? [] : [`${history.id} undid ${undone}, not ${order}, in any order`];
    }
    return [
      ...(order.join() === undone.join() ? [] : [`${history.id} undid ${undone}, not ${order}`]),
      ...(last?.step === "released" ? [] : [`${history.id} ended with ${last?.step}`]),
    ];
  }
}

/** Whether a step is over as soon as its message is taken. */
const isOneWay = ({ kind, input }: StoredStep): boolean =>
  kind === "send" ||
  kind === "start" ||
  (kind === "entity" && input !== null && "signal" in (decode(input) as object));
