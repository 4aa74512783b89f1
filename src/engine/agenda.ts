/**
 * Open steps by when they are due. A binary heap, because a workflow may leave thousands of timers
 * behind (the losers of its races) and each turn of the loop asks what is next.
 */
import type { OpenStep } from "./open-step.ts";

interface Entry {
  readonly step: OpenStep;
  readonly due: number;
  /** Of two that are due at the same moment, the one noted first comes first. */
  readonly order: number;
}

export class Agenda {
  #heap: Entry[] = [];
  /** The entry that counts for a step; others in the heap are left over, and dropped on the way. */
  readonly #entries = new Map<OpenStep, Entry>();
  #order = 0;

  /** Notes a step, at its `due` as it is now. One without is never due. */
  add(step: OpenStep): void {
    if (step.due === null) return;
    const entry = { step, due: step.due, order: this.#order++ };
    this.#entries.set(step, entry);
    this.#rise(entry);
  }

  delete(step: OpenStep): void {
    this.#entries.delete(step);
    if (this.#heap.length > 64 && this.#heap.length > 2 * this.#entries.size) this.#rebuild();
  }

  /** When the next one is due; infinity where there is none. */
  nextDue(): number {
    return this.#first()?.due ?? Number.POSITIVE_INFINITY;
  }

  /** Takes off what is due by then, the earliest first. */
  takeDue(now: number): readonly OpenStep[] {
    const due: OpenStep[] = [];
    for (let next = this.#first(); next !== undefined && next.due <= now; next = this.#first()) {
      this.#entries.delete(next.step);
      due.push(next.step);
    }
    return due;
  }

  #first(): Entry | undefined {
    for (let top = this.#heap[0]; top !== undefined; top = this.#heap[0]) {
      if (this.#entries.get(top.step) === top) return top;
      this.#dropTop();
    }
    return undefined;
  }

  #rise(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.length;
    for (let above = heap[(at - 1) >> 1]; above !== undefined; above = heap[(at - 1) >> 1]) {
      if (!isBefore(entry, above)) break;
      heap[at] = above;
      at = (at - 1) >> 1;
    }
    heap[at] = entry;
  }

  #dropTop(): void {
    const heap = this.#heap;
    const entry = heap.pop();
    if (entry === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      const [one, other] = [heap[left], heap[left + 1]];
      if (one === undefined) break;
      const [below, next] =
        other !== undefined && isBefore(other, one) ? [other, left + 1] : [one, left];
      if (!isBefore(below, entry)) break;
      heap[at] = below;
      at = next;
    }
    heap[at] = entry;
  }

  /** Sorted is a heap. */
  #rebuild(): void {
    this.#heap = [...this.#entries.values()].sort((a, b) => (isBefore(a, b) ? -1 : 1));
  }
}

const isBefore = (a: Entry, b: Entry): boolean =>
  a.due < b.due || (a.due === b.due && a.order < b.order);
