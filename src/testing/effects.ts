/** What mocks did to the outside world, as that world would see it. */
import type { TraceEvent } from "./trace.ts";
import { valueWords } from "./value-words.ts";

/** One effect. With a key it counts once, however often it was asked for. */
export interface Effect {
  readonly what: string;
  readonly key: string | undefined;
  readonly value: unknown;
}

/** The effects in a trace; of those with the same key and the same value only the first. */
export function effectsOf(trace: readonly TraceEvent[]): Effect[] {
  const seen = new Set<string>();
  return trace.flatMap((event) => {
    if (event.kind !== "effect") return [];
    const { what, key, value } = event;
    if (key !== undefined) {
      const once = JSON.stringify([key, effectWords({ what, value })]);
      if (seen.has(once)) return [];
      seen.add(once);
    }
    return [{ what, key, value }];
  });
}

/** An effect in words: two that read the same are the same. */
export function effectWords({ what, value }: Pick<Effect, "what" | "value">): string {
  return value === undefined ? what : `${what} ${valueWords(value)}`;
}
