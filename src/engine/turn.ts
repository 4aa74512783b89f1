/**
 * One turn: drives an execution until nothing is due, its budget is used, or it has ended.
 *
 * - W5: one turn at a time; near timers and timeouts are waited for in memory while activities run.
 * - W6: completions are delivered one at a time, and the microtask queue is drained in between. The
 *   turn awaits only between the mailbox and the driver (rule e). Where the code is at rest, it was drained.
 * - W9: what a step does leaves only after the rows before it are durable: a drain is also a commit,
 *   and steps start after one.
 */
import type { WorkflowEnd } from "../core/driver.ts";
import { WaymarkError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { Continuation } from "../core/step.ts";
import type { Breather } from "./breather.ts";
import type { Budget } from "./budget.ts";
import type { Courier } from "./courier.ts";
import type { Doorbell } from "./doorbell.ts";
import type { Execution } from "./execution.ts";
import { type Host, NEAR_MILLIS } from "./host.ts";

/** How the code ended where the instance ends with it. */
export type CodeEnd = Exclude<WorkflowEnd, { readonly next: Continuation }>;

/** How a turn ended. */
export type TurnEnd =
  | { readonly kind: "ended"; readonly end: CodeEnd }
  /** The execution has ended, and the instance goes on in the next one. */
  | { readonly kind: "continued"; readonly next: Continuation }
  | { readonly kind: "suspended"; readonly error: WaymarkError }
  /** Nothing is due before that moment; infinity where only a message can wake it. */
  | { readonly kind: "waiting"; readonly due: number }
  /** The budget is used; there is more to do at once. */
  | { readonly kind: "yielded" }
  /** The instance has moved on to another execution, or none. */
  | { readonly kind: "gone" };

export interface TurnOptions {
  readonly host: Host;
  readonly execution: Execution;
  readonly budget: Budget;
  readonly courier: Courier;
  readonly doorbell: Doorbell;
  readonly breather: Breather;
  /** Whether this execution is still the instance's. */
  readonly alive: () => boolean;
  /**
   * Called where the code has come, without a contradiction, to what it never did before. Returns whether
   * that was news, and is written.
   */
  readonly resumed: () => boolean;
  /** Writes the custom status, where the code has set another. Returns whether it has. */
  readonly keepStatus: () => boolean;
}

/** Runs a turn. What its end means for the rows and the alarm is the caller's, without a wait. */
export async function runTurn(turn: TurnOptions): Promise<TurnEnd> {
  const { host, execution, budget, courier, breather, alive } = turn;
  const { driver } = execution;
  for (;;) {
    const durable = await execution.drained();
    const wrote = execution.burst.end();
    // What was written is durable before it is told of; what the end of the code writes goes with it.
    const unsaved = wrote || !durable;
    if (unsaved && driver.end === undefined) await host.drain();
    if (!alive()) return { kind: "gone" };
    execution.reporter.workflowLogs(driver.takeLogs());
    if (!unsaved || driver.end === undefined) execution.reporter.flush();
    const shown = execution.caughtUp && turn.keepStatus();
    if (execution.held) {
      const end = await hold(turn);
      if (end === null) continue;
      return end;
    }
    if (driver.divergence !== undefined) return { kind: "suspended", error: driver.divergence };
    if (execution.strayed) return { kind: "suspended", error: stalledError() };
    execution.updates.record();
    if (execution.overgrown && !driver.compensates && (execution.caughtUp || driver.end)) {
      return { kind: "ended", end: { ok: false, error: overgrownError() } };
    }
    if (driver.end !== undefined) return endOf(driver.end);
    if (driver.deliverNext()) {
      if (execution.caughtUp) budget.spendStep();
      continue;
    }
    // A replay comes here as well, and knows by now what is to be undone.
    if (execution.overgrown && !driver.compensating) {
      driver.fail(overgrownError());
      continue;
    }
    driver.rest();
    const adopted = execution.adopt();
    if (!execution.caughtUp) {
      execution.catchUp();
      if (driver.divergence !== undefined) continue;
    }
    if (turn.resumed() || shown) continue; // what it writes is durable before a step starts
    const now = host.now();
    const cancels = !adopted && execution.takeCancel(now);
    // What fails of its size does so on a replay after all that is recorded: nothing is to come behind that.
    // Nor does one come to code that is being undone: what it did would stay.
    const untaken = adopted || cancels || execution.overgrown || driver.compensating;
    const updated = untaken ? null : execution.updates.take(now);
    const met = adopted || cancels || updated !== null ? null : execution.meetEvent(now);
    const recorded = execution.record(budget);
    // An event that is here goes before a timeout: none fires as long as one may still be taken.
    const fired = !adopted && !cancels && updated === null && met === null && execution.fire(now);
    const delivers = cancels || updated === "taken" || met === "taken";
    if (adopted || delivers || recorded || fired) continue;
    const refused = met === "refused" || updated === "refused";
    if (refused) budget.spendStep();
    if (budget.spent(now)) return { kind: "yielded" };
    if (breather.due) {
      await breather.breathe();
      continue;
    }
    if (refused) continue; // it is durable, and told of, before anything else leaves
    const more = await execution.launch(now, alive);
    if (!alive()) return { kind: "gone" };
    if (more || execution.runner.arrivals > 0) continue;
    courier.send(now);
    if (!execution.busy && !courier.busy) {
      if (execution.stalled) return { kind: "suspended", error: stalledError() };
      const due = execution.nextDue();
      if (due - now > NEAR_MILLIS) return { kind: "waiting", due };
    }
    await look(turn, now);
    if (alive()) passOn(execution, budget);
  }
}

/**
 * What has arrived while the code was at rest reaches it without another drain: the one that follows makes it
 * durable, before it is told of and before anything that comes of it leaves (W9).
 */
function passOn(execution: Execution, budget: Budget): void {
  const { driver } = execution;
  if (execution.runner.arrivals === 0 || !execution.caughtUp || execution.held || execution.strayed)
    return;
  if (execution.isToEnd || driver.divergence !== undefined || driver.end !== undefined) return;
  if (execution.careful) return; // the code may kill the object: what it was given must be stored by then
  execution.record(budget);
  if (!execution.overgrown && driver.deliverNext()) budget.spendStep();
}

/** Waits until there may be something to do. */
function look(turn: TurnOptions, now: number): Promise<void> {
  const { host, execution, budget, courier, doorbell, breather } = turn;
  breather.breatheMeanwhile();
  const next = Math.min(execution.nextLook(), courier.nextLook(now), budget.endsAt);
  return doorbell.waitUntil(host, next);
}

function endOf(end: WorkflowEnd): TurnEnd {
  return "next" in end ? { kind: "continued", next: end.next } : { kind: "ended", end };
}

/**
 * While a person has suspended the instance (rule f): what runs is let go on, and recorded as it ends;
 * nothing is delivered, no event is taken, and nothing starts; messages that are due leave. Timers and
 * timeouts that come due meanwhile are recorded after the resume, behind the events that have come. Returns
 * the turn's end, once nothing runs.
 */
async function hold(turn: TurnOptions): Promise<TurnEnd | null> {
  const { host, execution, budget, courier } = turn;
  const now = host.now();
  execution.record(budget);
  execution.expire(now);
  if (execution.runner.running === 0) return { kind: "waiting", due: Number.POSITIVE_INFINITY };
  if (budget.spent(now)) return { kind: "yielded" };
  courier.send(now);
  await look(turn, now);
  return null;
}

function overgrownError(): WaymarkError {
  return new WaymarkError(
    "HISTORY_TOO_LARGE",
    `the inputs, results and failures of this execution are more than ${LIMITS.historyBytes} bytes. ` +
      "Keep large data elsewhere, such as R2, and pass keys; a longer life goes on in a new " +
      "execution: see ctx.continueAsNew",
  );
}

function stalledError(): WaymarkError {
  return new WaymarkError(
    "WORKFLOW_STALLED",
    "the workflow awaits a promise that no step settles, such as fetch, setTimeout, a stream or a " +
      "dynamic import in its own code. Do that in an activity or in ctx.run; after a deployment " +
      "with the fix it goes on",
  );
}
