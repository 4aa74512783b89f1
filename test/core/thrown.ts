/** What the tests share about errors: the one a function throws, to be looked at whole. */
import { WaymarkError } from "../../src/core/errors.ts";

/** The WaymarkError a function throws. Fails where it throws anything else, or nothing. */
export function thrownBy(act: () => unknown): WaymarkError {
  try {
    act();
  } catch (error) {
    if (error instanceof WaymarkError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

/** The code of the WaymarkError a function throws; undefined where it throws nothing. */
export function codeOf(act: () => unknown): string | undefined {
  try {
    act();
  } catch (error) {
    if (error instanceof WaymarkError) return error.code;
    throw error;
  }
  return undefined;
}
