/**
 * The one alarm of an object, as the platform keeps it: part of the commits, not rung while its handler
 * runs, gone when its handler has ended and set no other, and rung again where its handler died.
 */
import type { FiredAlarm } from "../engine/engine.ts";
import type { Faults } from "./faults.ts";
import type { VirtualClock } from "./virtual-clock.ts";

/** What an alarm asks of its object. */
export interface AlarmOwner {
  readonly name: string;
  readonly clock: VirtualClock;
  readonly faults: Faults;
  /** Runs the handler. Never rejects. */
  handle(alarm: FiredAlarm): Promise<void>;
  /** Resolves when what was written is durable; never, where the object is lost before. */
  settled(): Promise<void>;
  /** The platform has given the alarm up. */
  gaveUp(): void;
  /** A handler has ended, and nothing is left to ring now. */
  rested(): void;
}

/** A handler that runs. */
interface Handler {
  readonly alarmNumber: number;
  /** The moment it was set for. */
  readonly scheduledAt: number;
  readonly retries: number;
  /** It runs once more though it had ended well. */
  readonly doubled: boolean;
}

/** How long the platform waits before it runs an alarm again whose object was reset: 2 s, doubling. */
const RERUN_MILLIS = 2_000;

export class ObjectAlarm {
  readonly #owner: AlarmOwner;
  #at: number | null = null;
  #set: { readonly at: number | null } | undefined;
  /** Told apart by its number: a handler that sets the same moment again has set an alarm. */
  #number = 0;
  #disarm: () => void = () => {};
  #handler: Handler | undefined;

  constructor(owner: AlarmOwner) {
    this.#owner = owner;
  }

  /** As committed, in milliseconds since 1970. */
  get at(): number | null {
    return this.#at;
  }

  /** Whether its handler runs. */
  get ringing(): boolean {
    return this.#handler !== undefined;
  }

  /** Whether it was set since the last commit. */
  get dirty(): boolean {
    return this.#set !== undefined;
  }

  /** Sets it, as part of the next commit. */
  set(at: number | null): void {
    this.#set = { at };
  }

  commit(): void {
    if (this.#set === undefined) return;
    this.#at = this.#set.at;
    this.#set = undefined;
    this.#number++;
    if (!this.ringing) this.#arm();
  }

  /** The object's memory is lost, and with it what was not committed. A handler that ran runs again. */
  lose(): void {
    const handler = this.#handler;
    this.#set = undefined;
    this.#handler = undefined;
    if (handler === undefined) return;
    if (this.#number === handler.alarmNumber) this.#rerun(handler);
    else this.#arm(); // it had set a later one
  }

  /** Rings at its moment, by the platform's clock. */
  #arm(): void {
    this.#disarm();
    const { clock, faults, name } = this.#owner;
    if (this.#at === null) return;
    const delay = faults.alarmDelay?.(name) ?? 0;
    const scheduledAt = this.#at;
    this.#ringAt(Math.max(scheduledAt + delay, clock.now()), { retries: 0, scheduledAt });
  }

  #rerun({ scheduledAt, retries }: Handler): void {
    const { clock, faults, name } = this.#owner;
    const restarted = faults.processLost?.(name);
    const wait = restarted === false ? RERUN_MILLIS * 2 ** retries : 0;
    const count = restarted === true ? 0 : retries + 1;
    this.#ringAt(clock.now() + wait, { retries: count, scheduledAt });
  }

  #ringAt(at: number, alarm: Omit<Handler, "alarmNumber" | "doubled">, doubled = false): void {
    this.#disarm();
    this.#disarm = this.#owner.clock.atForHost(at, () => this.#ring({ ...alarm, doubled }));
  }

  #ring(alarm: Omit<Handler, "alarmNumber">): void {
    const { faults, name } = this.#owner;
    if (faults.alarmLost?.(name, alarm.retries) === true) {
      this.#at = null;
      this.#owner.gaveUp();
      return;
    }
    const handler = { ...alarm, alarmNumber: this.#number };
    this.#handler = handler;
    const { retries, scheduledAt } = handler;
    void this.#owner.handle({ retries, scheduledAt }).then(() => this.#rang(handler));
  }

  async #rang(handler: Handler): Promise<void> {
    if (this.#handler !== handler) return; // its object was lost
    if (!this.dirty && this.#number === handler.alarmNumber) this.set(null);
    await this.#owner.settled();
    if (this.#handler !== handler) return;
    this.#handler = undefined;
    const { clock, faults, name } = this.#owner;
    if (!handler.doubled && faults.alarmDoubled?.(name) === true) {
      const { scheduledAt } = handler;
      this.#at = scheduledAt; // it rings twice because it was not struck off
      this.#ringAt(clock.now(), { retries: 0, scheduledAt }, true);
      return;
    }
    this.#arm();
    this.#owner.rested();
  }
}
