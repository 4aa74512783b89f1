/**
 * Steps that kills alone have brought to their end. An attempt that is lost twice in a row may be what kills its
 * object, so Waymark counts it; a step has so many attempts and no more. Where as many kills struck it, its
 * failure is as it must be, and the instance is to deal with it as with any other.
 */
import type { Seen } from "./expectation.ts";

/** The step that an instance has failed with, where kills have used up its attempts; else null. */
export function wornOutStep({ end, kills }: Pick<Seen, "end" | "kills">): string | null {
  const { status, error, createdAt, completedAt } = end.document;
  if (status !== "Failed" || error?.code !== "ACTIVITY_FAILED") return null;
  if (error.cause?.code !== "ATTEMPT_LOST" || completedAt === null) return null;
  const { step, attempts } = error.properties ?? {};
  const [from, to] = [Date.parse(createdAt), Date.parse(completedAt)];
  const struck = kills.filter(({ goneAt }) => goneAt >= from && goneAt <= to).length;
  return typeof step === "string" && struck >= Number(attempts) ? step : null;
}
