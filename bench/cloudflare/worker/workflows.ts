/** The workflows of the bench as Cloudflare Workflows has them: the same steps in the same order. */
import { WorkflowEntrypoint, type WorkflowEvent, type WorkflowStep } from "cloudflare:workers";
import { type Job, type LapsJob, markUrl, type NapJob, wokenUrl } from "../../job.ts";
import { ringing } from "./bells.ts";

const read = async (url: string) => (await fetch(url)).text();
const noop = async () => {};

export class Jobs extends WorkflowEntrypoint<unknown, Job> {
  override run({ instanceId, payload }: Readonly<WorkflowEvent<Job>>, step: WorkflowStep) {
    const { steps, atOnce = false } = payload;
    return ringing(instanceId, async () => {
      const one = (number: number) => step.do("step", stepOf(payload, number));
      if (atOnce) await Promise.all(Array.from({ length: steps }, (_, number) => one(number)));
      else for (let number = 0; number < steps; number++) await one(number);
    });
  }
}

function stepOf({ url, millis, marks }: Job, number: number): () => Promise<string | undefined> {
  if (marks !== undefined && url !== undefined) {
    return marks.includes(number) ? () => read(markUrl(url, number)) : async () => undefined;
  }
  return async () => {
    if (millis !== undefined) await scheduler.wait(millis);
    return url === undefined ? undefined : read(url);
  };
}

export class Laps extends WorkflowEntrypoint<unknown, LapsJob> {
  override async run({ payload }: Readonly<WorkflowEvent<LapsJob>>, step: WorkflowStep) {
    for (let number = 0; number < payload.steps; number++) await step.do("step", noop);
    for (;;) {
      await step.do("read", () => read(payload.url));
      await step.waitForEvent("lap", { type: "lap" });
    }
  }
}

export class Naps extends WorkflowEntrypoint<unknown, NapJob> {
  override run({ instanceId, payload }: Readonly<WorkflowEvent<NapJob>>, step: WorkflowStep) {
    const { url, millis } = payload;
    return ringing(instanceId, async () => {
      await step.do("read", () => read(url));
      await step.sleep("nap", millis);
      await step.do("read", () => read(wokenUrl(url)));
    });
  }
}
