/** What is recorded of an execution that is to be rewound, and what its code makes of parts of it. */
import type { ParentReference } from "../core/child.ts";
import type { Driver } from "../core/driver.ts";
import { decodeFailure } from "../core/failure.ts";
import type { Handled } from "../core/handlers.ts";
import { isCounted, nameOf, type StepIdentity } from "../core/names.ts";
import { LOCKS_AWAITED } from "../core/step.ts";
import { type StoredText, textOf } from "../core/stored-text.ts";
import type { AnyWorkflow } from "../core/workflow.ts";
import type { InstanceRow, StepRow } from "../store/rows.ts";
import type { StepStore } from "../store/step-store.ts";
import { rowCompletion } from "./export-history.ts";
import { originOf } from "./fork.ts";
import { type Replay, type ReplayedAsk, replay } from "./replay.ts";
import { encodedReply } from "./updates.ts";

/** What a rewind goes back to. */
export interface Target {
  /** The step that it is said to be. */
  readonly step: StepRow;
  /** Rows that are taken back whatever the code does, and the `seq` of the first of them. */
  readonly rows: ReadonlySet<StepRow>;
  readonly seq: number;
  /** Whether a row stays though the code does not come to ask for it. */
  readonly keeps?: (step: StepRow) => boolean;
}

/** What is undone, and what the code asks for, and has cancelled, without it. */
export interface Left {
  readonly undone: StepRow[];
  readonly asked: ReadonlyMap<StepIdentity, ReplayedAsk>;
  readonly cancelled: ReadonlySet<StepIdentity>;
  /** Updates that keep their place, and whose reply had followed from what is taken back. */
  readonly unanswered: readonly StepRow[];
  /** The lock that the code holds as far as it comes; null where it holds none. */
  readonly held: StepIdentity | null;
}

export class Past {
  /** In the order of delivery. */
  readonly ended: readonly StepRow[];
  readonly open: readonly StepRow[];
  readonly all: readonly StepRow[];
  readonly #pause: () => Promise<void>;
  readonly #row: InstanceRow;
  readonly #workflow: AnyWorkflow;
  #asRecorded: Promise<Replay> | undefined;

  /** @param pause resolves when every promise job that can run has run; it throws to give up */
  constructor(
    steps: StepStore,
    row: InstanceRow,
    workflow: AnyWorkflow,
    pause: () => Promise<void>,
  ) {
    this.#pause = pause;
    this.#row = row;
    this.#workflow = workflow;
    this.ended = steps.ended();
    this.open = steps.unended().filter(({ state, kind, step }) => {
      const asked = kind !== "cancel" && kind !== "update" && step !== LOCKS_AWAITED;
      return state !== "buffered" && asked;
    });
    this.all = [...this.ended, ...this.open];
  }

  /** What the code does where these rows are not there, and the row at which it no longer fits. */
  async replay(
    gone: ReadonlySet<StepRow>,
  ): Promise<Replay & { readonly misfit: StepRow | undefined }> {
    const { id: instanceId, executionId, version, input } = this.#row;
    const parent =
      this.#row.parent === null ? null : (JSON.parse(this.#row.parent) as ParentReference);
    const left = (step: StepRow) => !gone.has(step);
    const rows = new Map(this.all.filter(left).map((step) => [step.step, step]));
    let compared: StepRow | undefined;
    const execution = {
      ...{ instanceId, executionId, version, parent, input: textOf(input) },
      ...originOf(this.#row),
      history: this.ended.filter(left).map(rowCompletion),
      recorded: (identity: StepIdentity) => {
        compared = rows.get(identity);
        return compared;
      },
    };
    const replayed = await replay(this.#workflow, execution, this.#pause);
    const misfit = replayed.driver.divergence === undefined ? undefined : compared;
    return { ...replayed, misfit };
  }

  /** Updates that stay, and whose recorded reply is not what their function comes to here. */
  #unanswered(driver: Driver, gone: ReadonlySet<StepRow>): StepRow[] {
    const handled = new Map(driver.takeHandled().map((one) => [one.update, one]));
    const kept = this.ended.filter((step) => step.kind === "update" && !gone.has(step));
    return kept.filter((step) => !isStillSo(step, handled.get(step.step)));
  }

  /** What the code makes of all that is recorded. */
  asRecorded(): Promise<Replay> {
    this.#asRecorded ??= this.replay(new Set());
    return this.#asRecorded;
  }

  /**
   * Whether the code asks for a step only after what is taken back, though the step had ended before: since an earlier
   * rewind, or a deployment, something later leads to it.
   */
  async #isAskedAfter({ step }: StepRow, taken: number): Promise<boolean> {
    const { asked } = await this.asRecorded();
    let latest = 0;
    for (const [identity, { ask }] of asked) {
      latest = Math.max(latest, ask.after); // what is delivered late has a lower one
      if (identity === step) return latest >= taken;
    }
    return false;
  }

  /** Where nothing is taken back. */
  async whole(): Promise<Left> {
    const { driver, asked } = await this.asRecorded();
    if (driver.divergence !== undefined) throw driver.divergence;
    const cancelled = new Set(driver.takeCancelled());
    const unanswered = this.#unanswered(driver, new Set());
    return { undone: [], asked, cancelled, unanswered, held: driver.lock };
  }

  /**
   * What follows from taking the target back. A step that comes to bear the name of another one, because
   * fewer of its name come before it, is undone with those that come after it.
   */
  async without({ seq, rows, keeps }: Target): Promise<Left> {
    const gone = new Set(rows);
    // What came from outside after it was meant for code that had seen it: it is delivered again.
    for (const step of keeps === undefined ? this.ended : []) {
      if (step.kind === "update" && (step.seq ?? 0) > seq) gone.add(step);
    }
    const whole = await this.asRecorded();
    const fits = whole.driver.divergence === undefined;
    const before = placesOf(fits && keeps === undefined ? whole.asked : new Map());
    for (;;) {
      const { driver, asked, misfit } = await this.replay(gone);
      if (driver.divergence === undefined) {
        const left = this.all.filter((step) => !gone.has(step) && mayFollow(step, seq));
        // A key stands for any input, but what came of another one is not what came of this.
        const changed = left.filter((step) => differs(step, asked.get(step.step)));
        for (const step of changed) gone.add(step);
        if (changed.length > 0) continue;
        // Nothing but its place tells one function of `run` from another one under its number.
        const places = placesOf(asked);
        const moved = left.filter(({ step, kind }) => {
          const [now, then] = [places.get(step), before.get(step)];
          return kind === "run" && now !== undefined && then !== undefined && now !== then;
        });
        for (const step of moved) this.#takeFrom(step, gone);
        if (moved.length > 0) continue;
        // Nor does one count that is asked for, and cancelled before its result comes to the code.
        const unheard = new Set(driver.undelivered.map(({ step }) => step));
        const stays = ({ step }: StepRow) => asked.has(step) && !unheard.has(step);
        for (const step of left) if (!stays(step) && !keeps?.(step)) gone.add(step);
        const unanswered = this.#unanswered(driver, gone);
        const cancelled = new Set(driver.takeCancelled());
        return { undone: [...gone], asked, cancelled, unanswered, held: driver.lock };
      }
      if (misfit === undefined) throw driver.divergence;
      const follows = mayFollow(misfit, seq) || (await this.#isAskedAfter(misfit, seq));
      if (!follows) throw driver.divergence;
      this.#takeFrom(misfit, gone);
    }
  }

  /** Takes a step back, and those that come after it under its name. */
  #takeFrom(first: StepRow, gone: Set<StepRow>): void {
    for (const step of this.all) if (step === first || isLaterNamesake(step, first)) gone.add(step);
  }
}

/** Whether the reply of an update is what its function comes to without what is taken back. */
function isStillSo({ state, result, failure }: StepRow, handled: Handled | undefined): boolean {
  if (state !== "done" && state !== "failed") return true; // it has none yet
  if (handled === undefined) return false;
  const reply = encodedReply(handled);
  if (reply.ok) return state === "done" && result !== null && textOf(result) === reply.result;
  if (state === "done" || failure === null) return false;
  const { type, message } = decodeFailure(textOf(failure));
  return type === reply.failure.type && message === reply.failure.message;
}

/** Whether a step may have seen what is taken back: it had not ended before. */
const mayFollow = ({ seq, kind, state }: StepRow, taken: number): boolean =>
  (seq === null || seq >= taken) && kind !== "rewind" && kind !== "cancel" && state !== "orphaned";

/** After which delivery the code asks for each step without a key, and with which others of its name. */
function placesOf(
  asked: ReadonlyMap<StepIdentity, ReplayedAsk>,
): ReadonlyMap<StepIdentity, string> {
  const counted = [...asked].filter(([step]) => isCounted(step));
  const together = Map.groupBy(counted, ([step, { ask }]) => `${ask.after} ${nameOf(step)}`);
  const placed = [...together].flatMap(([place, those]) => {
    const all = `${place}: ${those.map(([step]) => step).join()}`;
    return those.map(([step]) => [step, all] as const);
  });
  return new Map(placed);
}

/** Whether a step without a key comes after another one of its name. */
function isLaterNamesake(step: StepRow, other: StepRow): boolean {
  const namesakes = nameOf(step.step) === nameOf(other.step);
  const counted = isCounted(step.step) && isCounted(other.step);
  return namesakes && counted && (step.asked ?? 0) >= (other.asked ?? 0);
}

const differs = ({ input }: StepRow, asked: ReplayedAsk | undefined): boolean =>
  asked !== undefined && !isSame(input, asked.ask.input);

/** Whether two inputs are the same, as far as they are known. */
export const isSame = (recorded: StoredText | null, asked: string | null): boolean =>
  recorded === null || asked === null ? recorded === asked : textOf(recorded) === asked;
