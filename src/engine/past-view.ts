/**
 * The code of an instance that is not in memory, as far as its rows bring it: for calls of its handlers. It is
 * replayed, frozen, and let go as soon as nobody asks; nothing of it is stored.
 *
 * One replay at a time, for each holds a whole history. Who comes while one runs shares it where the rows are
 * still the same, so that nobody is told less than what was recorded when he asked.
 */
import type { ParentReference } from "../core/child.ts";
import type { Driver } from "../core/driver.ts";
import type { StepIdentity } from "../core/names.ts";
import { textOf } from "../core/stored-text.ts";
import type { InstanceRow, StepRow } from "../store/rows.ts";
import type { Engine } from "./engine.ts";
import { rowCompletion } from "./export-history.ts";
import { originOf } from "./fork.ts";
import { replay } from "./replay.ts";
import { versionMissing } from "./suspension.ts";

/** What the code has come to. */
export interface PastCode {
  readonly driver: Driver;
  /** How many updates the execution has accepted. */
  readonly updates: number;
}

export class PastView {
  readonly #engine: Engine;
  #running: { readonly stamp: string; readonly code: Promise<PastCode> } | null = null;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /**
   * @throws WaymarkError `VERSION_MISSING`, `NONDETERMINISM` where the code does not fit what is recorded
   */
  async of(row: InstanceRow): Promise<PastCode> {
    const stamp = `${row.executionId}/${row.startedAt}/${this.#engine.steps.lastSeq()}`;
    if (this.#running?.stamp === stamp) return this.#running.code;
    const before = this.#running?.code;
    const code = (async () => {
      await before?.catch(() => {});
      return this.#replay();
    })();
    const running = { stamp, code };
    this.#running = running;
    try {
      return await code;
    } finally {
      if (this.#running === running) this.#running = null;
    }
  }

  async #replay(): Promise<PastCode> {
    const engine = this.#engine;
    const row = engine.instance.read();
    const workflow = row && engine.registry.find(row.workflow, row.version);
    if (row === undefined) throw new Error("the instance is gone"); // its caller looks again
    if (workflow === undefined) throw versionMissing(row);
    const ended = engine.steps.ended();
    const all = [...ended, ...engine.steps.unended()];
    const recorded = new Map<StepIdentity, StepRow>();
    for (const step of all) if (step.state !== "buffered") recorded.set(step.step, step);
    const { id: instanceId, executionId, version, input } = row;
    const parent = row.parent === null ? null : (JSON.parse(row.parent) as ParentReference);
    const execution = {
      ...{ instanceId, executionId, version, parent, input: textOf(input) },
      ...originOf(row),
      history: ended.map(rowCompletion),
      recorded: (identity: StepIdentity) => recorded.get(identity),
    };
    const { driver } = await replay(workflow, execution, () => engine.pause());
    if (driver.divergence !== undefined) throw driver.divergence;
    return { driver, updates: all.filter(({ kind }) => kind === "update").length };
  }
}
