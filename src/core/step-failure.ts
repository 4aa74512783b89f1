/** What the code catches where a step has failed for good. */
import {
  ActivityFailedError,
  ChildFailedError,
  EntityFailedError,
  fromFailure,
} from "./failure.ts";
import type { Completion } from "./step.ts";

export function stepFailure(
  completion: Completion,
  outcome: Extract<Completion["outcome"], { ok: false }>,
): Error {
  const { step, kind } = completion;
  const { attempts, failure } = outcome;
  switch (kind) {
    case "activity":
    case "run":
      return new ActivityFailedError(step, attempts, failure);
    case "child":
      return new ChildFailedError(step, attempts, failure);
    case "entity":
      return new EntityFailedError(step, failure);
    default:
      return fromFailure(failure);
  }
}
