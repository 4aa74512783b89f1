/** Code that runs on a workflow and may look and change nothing: queries, and validators of updates. */
import { WaymarkError } from "./errors.ts";
import type { Handler } from "./handlers.ts";

export class ReadOnly {
  #looks = false;
  /** The first thing that such code has tried to do. */
  #violation: WaymarkError | undefined;

  /** Whether such code runs now. */
  get looks(): boolean {
    return this.#looks;
  }

  /**
   * Runs such code, and returns what it returns.
   *
   * @throws WaymarkError `HANDLER_READ_ONLY`, and whatever it throws
   */
  look<Value>(what: Pick<Handler, "name">, run: () => Value): Value {
    this.#looks = true;
    this.#violation = undefined;
    try {
      const value = run();
      if (isPromise(value)) {
        value.then(undefined, () => {}); // nobody will hear it
        this.#violation ??= readOnlyError("wait for a promise");
      }
      return value;
    } finally {
      this.#looks = false;
      const violation = this.#violation as WaymarkError | undefined;
      // biome-ignore lint/correctness/noUnsafeFinally: a handler must not get away with catching it
      if (violation !== undefined) throw named(what.name, violation);
    }
  }

  /**
   * The code does something that leaves a trace.
   *
   * @throws WaymarkError `HANDLER_READ_ONLY` where it may not
   */
  mayAct(act: string): void {
    if (!this.#looks) return;
    this.#violation ??= readOnlyError(act);
    throw this.#violation;
  }
}

const readOnlyError = (act: string): WaymarkError =>
  new WaymarkError("HANDLER_READ_ONLY", `may not ${act}: it is read-only, or a validator`);

const named = (handler: string, { code, message }: WaymarkError): WaymarkError =>
  new WaymarkError(code, `the handler "${handler}" ${message}`);

const isPromise = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === "object" &&
  value !== null &&
  "then" in value &&
  typeof value.then === "function";
