/** What a migration may be started from: the status of one that stopped. */
import { type ActivityStatus, INITIAL_ID, parseActivityStatus } from "../core/activity-status.ts";
import { NonRetryableError } from "../core/failure.ts";
import type { Schema } from "../core/schema.ts";

/** The id to go on after: 0 lies before the first record. */
export function recordIdOf(lastProcessedId: string): number {
  if (lastProcessedId === INITIAL_ID) return 0;
  const id = /^\d+$/.test(lastProcessedId) ? Number(lastProcessedId) : Number.NaN;
  if (Number.isSafeInteger(id)) return id;
  throw new NonRetryableError(
    `lastProcessedId ${JSON.stringify(lastProcessedId)} is neither "${INITIAL_ID}" nor a city's id`,
  );
}

/** A schema for the status of one of these stages, so that anything else is refused at the start. */
export function storedStatusSchema(stages: readonly string[]): Schema<ActivityStatus> {
  const properties = {
    lastProcessedId: { type: "string", pattern: `^(${INITIAL_ID}|[0-9]+)$` },
    processingStatus: { enum: ["New", "InProgress", "Complete", "Failed"] },
    processingStage: { enum: stages },
    lastUpdated: { type: "string", format: "date-time" },
  };
  const required = Object.keys(properties);
  return {
    "~standard": {
      version: 1,
      vendor: "waymark",
      validate: (value) => {
        try {
          return { value: parseStoredStatus(value, stages) };
        } catch (error) {
          return { issues: [{ message: error instanceof Error ? error.message : String(error) }] };
        }
      },
      jsonSchema: { input: () => ({ type: "object", properties, required }) },
    },
  };
}

function parseStoredStatus(value: unknown, stages: readonly string[]): ActivityStatus {
  const status = parseActivityStatus(value);
  recordIdOf(status.lastProcessedId);
  if (stages.includes(status.processingStage)) return status;
  throw new NonRetryableError(`its processingStage must be one of ${stages.join(", ")}`);
}
