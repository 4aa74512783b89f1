/** Jobs that the Worker itself starts and waits for: no proxy of the development server lies between. */
import type { ContenderName, Send } from "./contender.ts";
import type { Drive, Job } from "./job.ts";
import { timed } from "./workload.ts";

/**
 * Runs so many instances, one after the other.
 *
 * @param prefix of their ids
 * @returns milliseconds for each
 */
export async function insideMillis(
  send: Send,
  contender: ContenderName,
  { job, instances, prefix }: { job: Job; instances: number; prefix: string },
): Promise<number> {
  const drive: Drive = { contender, job, instances, concurrency: 1, prefix };
  return (await timed(() => send("/drive", drive))) / instances;
}
