/**
 * ActivityStatus and the stage rule, after Azure Durable Functions' resilient workflows: an
 * orchestrator passes the status from activity to activity, and each works only at its own stage.
 */
import { WaymarkError } from "./errors.ts";
import { LIMITS } from "./limits.ts";

export type ProcessingStatus = "New" | "InProgress" | "Complete" | "Failed";

/** How far an activity came. Plain JSON, so that it can be stored and sent back to resume. */
export interface ActivityStatus {
  /** The id of the last record that is done; `"initialId"` before the first. */
  readonly lastProcessedId: string;
  readonly processingStatus: ProcessingStatus;
  /** The name of the activity it belongs to. */
  readonly processingStage: string;
  /** ISO 8601 with milliseconds. */
  readonly lastUpdated: string;
}

/** `lastProcessedId` before the first record. */
export const INITIAL_ID = "initialId";

const PROCESSING_STATUSES: readonly unknown[] = ["New", "InProgress", "Complete", "Failed"];

/** The status a stage begins with. */
export function initialStatus(stage: string, at: number): ActivityStatus {
  return {
    lastProcessedId: INITIAL_ID,
    processingStatus: "New",
    processingStage: stage,
    lastUpdated: new Date(at).toISOString(),
  };
}

/**
 * The value as an ActivityStatus, its time in milliseconds and UTC.
 *
 * @throws WaymarkError `STAGE_STATUS_INVALID` naming the field that is wrong.
 */
export function parseActivityStatus(value: unknown): ActivityStatus {
  const status = (typeof value === "object" && value !== null ? value : {}) as Record<
    string,
    unknown
  >;
  const { lastProcessedId, processingStatus, processingStage, lastUpdated } = status;
  if (
    typeof lastProcessedId !== "string" ||
    lastProcessedId.length > LIMITS.lastProcessedIdLength
  ) {
    return invalid("lastProcessedId", `text of at most ${LIMITS.lastProcessedIdLength} characters`);
  }
  if (!PROCESSING_STATUSES.includes(processingStatus)) {
    return invalid("processingStatus", PROCESSING_STATUSES.join(", "));
  }
  if (typeof processingStage !== "string") return invalid("processingStage", "the name of a stage");
  const at = instantOf(lastUpdated);
  if (at === null) return invalid("lastUpdated", "a time in ISO 8601 with its zone");
  return {
    lastProcessedId,
    processingStatus: processingStatus as ProcessingStatus,
    processingStage,
    lastUpdated: new Date(at).toISOString(),
  };
}

/** `Date.parse` alone takes "1", a day's name, and any text in brackets. .NET writes 7 decimals. */
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;

function instantOf(text: unknown): number | null {
  const at = typeof text === "string" && INSTANT.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? null : at;
}

function invalid(field: keyof ActivityStatus, wanted: string): never {
  throw new WaymarkError(
    "STAGE_STATUS_INVALID",
    `a staged activity takes an ActivityStatus; its ${field} must be: ${wanted}`,
  );
}

/** What the stage rule says: skip this activity, or run it from that status. */
export type StageDecision =
  | { readonly kind: "pass"; readonly status: ActivityStatus }
  | { readonly kind: "run"; readonly status: ActivityStatus };

/**
 * The stage rule. With i the called stage and j the status's: i < j passes the status through;
 * i = j passes it through when Complete and runs it otherwise; i = j + 1 runs from the start when
 * the status is Complete; anything else is an error.
 *
 * @param at milliseconds since 1970, the `lastUpdated` of a stage that begins
 * @throws WaymarkError `STAGE_STATUS_INVALID`, `STAGE_ORDER`
 */
export function decideStage(
  stages: readonly string[],
  called: string,
  input: unknown,
  at: number,
): StageDecision {
  const status = parseActivityStatus(input);
  const reached = stages.indexOf(status.processingStage);
  const wanted = stages.indexOf(called);
  const complete = status.processingStatus === "Complete";
  if (reached === -1) {
    throw new WaymarkError(
      "STAGE_STATUS_INVALID",
      `the status is at stage "${status.processingStage}"; this workflow has ${stages.join(", ")}`,
    );
  }
  if (wanted < reached || (wanted === reached && complete)) return { kind: "pass", status };
  if (wanted === reached) return { kind: "run", status };
  if (wanted === reached + 1 && complete) return { kind: "run", status: initialStatus(called, at) };
  throw new WaymarkError(
    "STAGE_ORDER",
    `"${called}" was called with a status at "${status.processingStage}" ` +
      `(${status.processingStatus}); the stages before it must be Complete first: ${stages.join(", ")}`,
  );
}
