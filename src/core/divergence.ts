/**
 * Whether code still fits its history (rule W7): a step is known by its name and key, and what it is asked for with must be
 * what is recorded of it.
 */
import { isUnreadable, WaymarkError } from "./errors.ts";
import { handlerOf } from "./handlers.ts";
import type { StepIdentity } from "./names.ts";
import type { Encoded } from "./payload.ts";
import type { RecordedStep, StepRequest } from "./step.ts";
import { type StoredText, textOf } from "./stored-text.ts";

/** A step as the code asks for it. */
interface AskedStep {
  readonly key: string | undefined;
  readonly input: Encoded | null;
  readonly request: Pick<StepRequest, "kind">;
  readonly sensitive?: boolean | undefined;
}

/**
 * Compares a step that the code asks for with what is recorded of it. What is recorded and cannot be read stops the
 * execution as well, and is none of its code's failures.
 *
 * @param recorded what is recorded of a step, where anything is
 * @returns why the code does not fit; undefined where it does
 */
export function divergenceOf(
  identity: StepIdentity,
  recorded: (identity: StepIdentity) => RecordedStep | undefined,
  asked: AskedStep,
): WaymarkError | undefined {
  try {
    const before = recorded(identity);
    const differs = before === undefined ? undefined : difference(before, asked);
    return differs === undefined ? undefined : stepDiffers(identity, differs);
  } catch (error) {
    if (isUnreadable(error)) return error;
    throw error;
  }
}

function difference(recorded: RecordedStep, asked: AskedStep): string | undefined {
  const { kind } = asked.request;
  if (recorded.kind !== kind)
    return `is recorded as ${recorded.kind}, and the code asks for ${kind}`;
  const isByKey = asked.key !== undefined && kind !== "lock"; // it is known by that, whatever it is given
  if (isByKey || recorded.withheld || isSame(recorded.input, asked.input)) return undefined;
  return inputsDiffer(recorded, asked);
}

const stepDiffers = (identity: StepIdentity, how: string): WaymarkError =>
  new WaymarkError(
    "NONDETERMINISM",
    `step "${identity}" ${how}. Deploy code that fits the history, ` +
      "or give the changed step another name; the instance then goes on",
  );

/** An update is recorded, and the code does not answer to it where it was delivered. */
export function unhandled(update: StepIdentity): WaymarkError {
  return new WaymarkError(
    "NONDETERMINISM",
    `the update "${update}" is recorded, and the code has no handler "${handlerOf(update)}" at that point ` +
      "any more. Deploy code that registers it before, not as read-only; the instance then goes on",
  );
}

const isSame = (recorded: StoredText | null, asked: Encoded | null): boolean =>
  recorded === asked || (recorded !== null && textOf(recorded) === asked);

function inputsDiffer(recorded: RecordedStep, asked: AskedStep): string {
  if (recorded.sensitive || asked.sensitive) {
    return "is recorded with another input than the code asks for it with (both are sensitive)";
  }
  return (
    `is recorded with the input ${excerpt(recorded.input)}, ` +
    `and the code asks for it with ${excerpt(asked.input)}`
  );
}

function excerpt(input: StoredText | null): string {
  if (input === null) return "nothing";
  const text = textOf(input);
  return text.length <= 200 ? text : `${text.slice(0, 199)}…`;
}
