/** The resilient workflow: three stages over records, with a checkpoint after each. */
import type { ActivityStatus } from "../../src/core/activity-status.ts";
import type { ExpectedEffect, Planned } from "../expectation.ts";
import { STAGE_NAMES, STAGE_RECORDS } from "../job.ts";

export function stages(id: string): Planned {
  return {
    ...{ id, shape: "stages", workflow: "Stages", busy: true },
    expect: ({ end }) => {
      const effects = STAGE_NAMES.flatMap((name, stage) =>
        Array.from({ length: STAGE_RECORDS }, (_, index): ExpectedEffect => {
          const [earlier, record] = [STAGE_NAMES[stage - 1], index + 1];
          const previous = index > 0 ? `${name}/${index}` : `${earlier}/${STAGE_RECORDS}`;
          const after = index === 0 && stage === 0 ? [] : [previous];
          return { what: `${name}/${record}`, step: name, value: { id: record }, after };
        }),
      );
      const { lastUpdated } = (end.document.output ?? {}) as Partial<ActivityStatus>;
      const output = {
        lastProcessedId: String(STAGE_RECORDS),
        processingStatus: "Complete",
        processingStage: STAGE_NAMES.at(-1),
        lastUpdated, // a time: the model cannot know it
      };
      return { status: "Completed", output, effects, steps: STAGE_NAMES };
    },
  };
}
