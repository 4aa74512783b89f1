/** What the driver's tests share: a driver over a history made by hand, and code that runs on it. */
import { type AnyActivity, activity } from "../../src/core/activity.ts";
import { createContext, type WorkflowContext } from "../../src/core/context.ts";
import { Driver } from "../../src/core/driver.ts";
import type { Failure } from "../../src/core/failure.ts";
import { undoneBy } from "../../src/core/names.ts";
import { type Encoded, encode } from "../../src/core/payload.ts";
import type { Completion, RecordedStep, StepKind } from "../../src/core/step.ts";

export const STARTED = Date.UTC(2026, 0, 1);

/** An activity by its name: a driver never runs one. */
export const named = (name: string): AnyActivity => activity(name, (value: unknown) => value);

export interface Done {
  readonly seq: number;
  readonly step: string;
  readonly kind?: StepKind;
  readonly result?: unknown;
  readonly failure?: Failure;
  readonly attempts?: number;
  /** Milliseconds after the start; the number of `seq` if left out. */
  readonly after?: number;
  /** As recorded; undefined if left out. */
  readonly input?: unknown;
}

export function completion(done: Done): Completion {
  const { seq, step, kind = "activity", result, failure, attempts = 1, after = seq } = done;
  const outcome =
    failure === undefined
      ? { ok: true as const, result: encode(result, "a result") }
      : { ok: false as const, failure, attempts };
  return { seq, step, kind, at: STARTED + after, outcome };
}

export interface Driving {
  readonly driver: Driver;
  readonly ctx: WorkflowContext;
  /** Lets the code go on as far as what was delivered takes it. */
  settle(): Promise<void>;
  /** Delivers all there is, one at a time, as a turn does. */
  deliverAll(): Promise<void>;
}

export interface DrivingOptions {
  readonly history?: readonly Done[];
  /** Open steps, as recorded. */
  readonly open?: readonly Done[];
  readonly executionId?: string;
  readonly stages?: readonly string[];
  readonly strayed?: () => void;
  readonly ended?: () => void;
}

/** Code that runs on a driver with that history. Like a replay, where there is one. */
export function driving(
  run: (ctx: WorkflowContext) => unknown,
  options: DrivingOptions = {},
): Driving {
  const { history = [], open = [], executionId = "execution", stages = [] } = options;
  const { strayed, ended } = options;
  const rows = new Map([...history, ...open].map((done) => [done.step, recordedOf(done)]));
  const driver = new Driver({
    executionId,
    startedAt: STARTED,
    history: history.map(completion),
    recorded: (identity) => rows.get(identity),
    resumed: history.length + open.length > 0,
    strayed,
    ended,
  });
  const identity = { parent: null, instanceId: "i", executionId, version: "1", stages };
  const ctx = createContext(driver, identity, () =>
    Promise.reject(new Error("a driver runs nothing")),
  );
  driver.start(() => run(ctx));
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
  const deliverAll = async () => {
    do await settle();
    while (driver.deliverNext());
  };
  return { driver, ctx, settle, deliverAll };
}

function recordedOf({ step, kind = "activity", input }: Done): RecordedStep {
  const none = kind === "run" || undoneBy(step) !== null;
  return { kind, input: none ? null : (encode(input, "an input") as Encoded) };
}
