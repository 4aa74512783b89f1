/**
 * Runs a workflow's code over what is recorded, and no further: nothing is started, and nothing written. So
 * one can see what the code asks for, and where it comes to, before anything depends on it.
 */
import type { ParentReference } from "../core/child.ts";
import { createContext } from "../core/context.ts";
import { Driver } from "../core/driver.ts";
import type { Seed } from "../core/history.ts";
import type { StepIdentity } from "../core/names.ts";
import { decode, type Encoded } from "../core/payload.ts";
import type { Ask, Completion, RecordedStep } from "../core/step.ts";
import type { AnyWorkflow } from "../core/workflow.ts";

/** An execution as it is recorded. */
export interface RecordedExecution {
  readonly instanceId: string;
  readonly executionId: string;
  readonly version: string;
  readonly parent: ParentReference | null;
  readonly input: Encoded;
  /** Of a fork: whose draws those of its copied history are. */
  readonly seeds?: readonly Seed[];
  /** The first `now` of the code, in milliseconds since 1970. */
  readonly startedAt: number;
  /** What has ended, in order of `seq`. */
  readonly history: readonly Completion[];
  readonly recorded: (identity: StepIdentity) => RecordedStep | undefined;
}

/** A step the code asked for. */
export interface ReplayedAsk {
  readonly ask: Ask;
  /** It was asked for to undo what had been done. */
  readonly compensates: boolean;
}

/** What the code has come to. */
export interface Replay {
  readonly driver: Driver;
  /** In the order of the code. */
  readonly asked: ReadonlyMap<StepIdentity, ReplayedAsk>;
}

/** No activity runs here, and so no request is made. */
const neverPerformed = (): Promise<never> =>
  Promise.reject(new Error("a replay makes no requests"));

/** @param drained resolves when every promise job that can run has run */
export async function replay(
  workflow: AnyWorkflow,
  execution: RecordedExecution,
  drained: () => Promise<void>,
): Promise<Replay> {
  const { instanceId, executionId, version, parent, startedAt, history, recorded } = execution;
  const { seeds } = execution;
  const driver = new Driver({ executionId, seeds, startedAt, history, recorded, resumed: true });
  const { stages } = workflow;
  const identity = { instanceId, executionId, parent, version, stages };
  const ctx = createContext(driver, identity, neverPerformed);
  const asked = new Map<StepIdentity, ReplayedAsk>();
  driver.start(() => workflow.run(ctx, decode(execution.input)), workflow.name);
  do {
    await drained();
    for (const ask of driver.takeAsked()) {
      asked.set(ask.identity, { ask, compensates: driver.compensating });
    }
  } while (driver.deliverNext());
  return { driver, asked };
}
