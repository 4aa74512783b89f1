/** Schemas that take some events and refuse others, by the number that ends the payload. */
import type { Checked, Schema } from "../../src/core/schema.ts";

/** How a slow schema takes its time. One cluster at a time uses it. */
export const pace: { sleep: (millis: number) => Promise<void> } = { sleep: async () => {} };

/** Longer than any event may be looked at. */
const TOO_LONG_MILLIS = 3_600_000;

const numberIn = (payload: unknown): number => Number(/\d+$/.exec(String(payload))?.[0]);

/** What the code gets of a payload; undefined where it is refused. */
export function madeOf(payload: unknown): unknown {
  const rest = numberIn(payload) % 4;
  if (rest > 1) return undefined;
  return rest === 0 ? `checked ${payload}` : payload;
}

/** The encoded payload as it was sent, of one that a schema may have converted. */
export const asSent = (payload: string): string => payload.replace("checked ", "");

/** Of what does not fit, it refuses one half and fails at the other. */
function checked(payload: unknown): Checked<unknown> {
  if (numberIn(payload) % 4 === 3) throw new Error("the schema fails");
  const value = madeOf(payload);
  return value === undefined ? { issues: [{ message: "is not for this wait" }] } : { value };
}

async function checkedLater(payload: unknown): Promise<Checked<unknown>> {
  const number = numberIn(payload);
  await pace.sleep(number % 4 === 3 ? TOO_LONG_MILLIS : number % 7);
  return checked(payload);
}

const schemaOf = (validate: Schema["~standard"]["validate"]): Schema => ({
  "~standard": { version: 1, vendor: "simulation", validate },
});

export const SCHEMAS = { quick: schemaOf(checked), slow: schemaOf(checkedLater) } as const;
