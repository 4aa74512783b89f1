/**
 * `ctx.race`: promises of the code's own over its steps. Nothing here is durable, and nothing needs to be:
 * the steps are, and a replay settles them in the same order. For the same reason the number of promise
 * jobs between a result and what follows from it is part of every history: keep it as it is.
 */
import { WaymarkError } from "./errors.ts";

/** What runs in a race, by name. Each gets a signal that aborts when another one has won. */
export type Branches = { readonly [name: string]: (signal: AbortSignal) => unknown };

/** Which branch was first and what it came to: the type of `value` follows from `winner`. */
export type RaceResult<Raced extends Branches> = {
  [Name in keyof Raced]: {
    readonly winner: Name;
    readonly value: Awaited<ReturnType<Raced[Name]>>;
  };
}[keyof Raced];

export interface RaceOptions {
  /** Cancels the whole race when it aborts: the signal of each branch aborts with it. */
  readonly signal?: AbortSignal | undefined;
}

/** @throws WaymarkError `DEFINITION_INVALID` for a race that nobody could win */
export function race<Raced extends Branches>(
  branches: Raced,
  options: RaceOptions = {},
): Promise<RaceResult<Raced>> {
  const names = Object.keys(branches);
  if (names.length === 0) {
    throw new WaymarkError("DEFINITION_INVALID", "a race needs at least one branch");
  }
  const controllers = names.map(() => new AbortController());
  const unlink = link(options.signal, controllers);
  let over = false;
  const end = (winner: AbortController) => {
    if (over) return;
    over = true;
    unlink();
    for (const controller of controllers) if (controller !== winner) controller.abort();
  };
  return new Promise((resolve, reject) => {
    for (const [index, controller] of controllers.entries()) {
      const winner = names[index] as string;
      begin(branches[winner] as Branches[string], controller.signal).then(
        (value) => {
          end(controller);
          resolve({ winner, value } as RaceResult<Raced>);
        },
        (error: unknown) => {
          end(controller);
          reject(error);
        },
      );
    }
  });
}

/** A branch that throws before it awaits anything has failed as any other. */
function begin(branch: Branches[string], signal: AbortSignal): Promise<unknown> {
  try {
    return Promise.resolve(branch(signal));
  } catch (error) {
    return Promise.reject(error);
  }
}

/** Aborts these where that signal aborts, until it is unlinked. */
export function link(
  signal: AbortSignal | undefined,
  controllers: readonly AbortController[],
): () => void {
  const abort = () => {
    for (const controller of controllers) controller.abort();
  };
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort, { once: true });
  return () => signal?.removeEventListener("abort", abort);
}
