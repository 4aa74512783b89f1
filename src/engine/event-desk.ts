/** Events of one execution that nobody has taken, and the waits that are open for events. */
import type { EventCheck, Verdict } from "./event-check.ts";
import type { OpenStep } from "./open-step.ts";
import type { BufferedEvent } from "./recorder.ts";

/** An event and the wait that it is for, with what that wait's schema says of it. */
export interface Meeting {
  readonly event: BufferedEvent;
  readonly wait: OpenStep;
  readonly verdict: Verdict;
}

export class EventDesk {
  readonly #check: EventCheck;
  readonly #hide: (event: string) => void;
  readonly #events: BufferedEvent[] = [];
  /** Newest last. */
  readonly #waits = new Set<OpenStep>();
  readonly #sensitive = new Set<string>();

  /** @param hide stored events of a name are sensitive from here on */
  constructor(check: EventCheck, hide: (event: string) => void) {
    this.#check = check;
    this.#hide = hide;
  }

  /** Takes a stored event. */
  put(event: BufferedEvent): void {
    this.#events.push(event);
  }

  /** Names of the events that are here. */
  names(): ReadonlySet<string> {
    return new Set(this.#events.map(({ name }) => name));
  }

  /** A wait begins. The events of a sensitive one are hidden from here on, those that have come as well. */
  wait(step: OpenStep, event: string): void {
    this.#waits.add(step);
    if (!step.sensitive) return;
    this.#sensitive.add(event);
    if (this.#events.some(({ name }) => name === event)) this.#hide(event);
  }

  /** A step is over, which may be a wait. */
  forget(step: OpenStep): void {
    this.#waits.delete(step);
  }

  /** Whether some step waits for an event of that name. */
  awaits(event: string): boolean {
    return this.#newest(event) !== undefined;
  }

  /** Whether events of that name were waited for as sensitive ones. */
  hides(event: string): boolean {
    return this.#sensitive.has(event);
  }

  /** Whether a schema has been asked about an event, and has not answered. */
  get checking(): boolean {
    return this.checkedBy < Number.POSITIVE_INFINITY;
  }

  /** When a schema that was asked is taken for one that never answers; infinity where none was. */
  get checkedBy(): number {
    return this.#check.until;
  }

  /**
   * Takes out the first event that is waited for, for the newest wait of its name, as on Azure.
   *
   * @returns null where there is none, or its schema has not answered yet
   */
  meet(now: number): Meeting | null {
    const waited = ({ name }: BufferedEvent) => this.awaits(name);
    const index = this.#waits.size === 0 ? -1 : this.#events.findIndex(waited);
    const event = this.#events[index];
    const wait = event && this.#newest(event.name);
    const verdict = this.#check.verdict(wait, event, now);
    if (wait === undefined || event === undefined || verdict === null) return null;
    this.#events.splice(index, 1);
    return { event, wait, verdict };
  }

  #newest(event: string): OpenStep | undefined {
    let newest: OpenStep | undefined;
    for (const wait of this.#waits) if (isWaitFor(wait, event)) newest = wait;
    return newest;
  }
}

const isWaitFor = ({ ask: { request } }: OpenStep, event: string): boolean =>
  request.kind === "event" && request.event === event;
