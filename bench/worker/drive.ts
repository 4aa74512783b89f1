/** Requests made from within a Worker, where no proxy of the development server lies between. */
import { contenderOf, runJobs, type Send } from "../contender.ts";
import type { Drive, Repeat } from "../job.ts";

/** The whole Worker, as a client sees it. */
type Serve = (request: Request) => Promise<Response>;

export async function drive(drive: Drive, serve: Serve) {
  const { contender, job, concurrency, prefix, instances } = drive;
  const ids = Array.from({ length: instances }, (_, index) => `${prefix}-${index}`);
  await runJobs(contenderOf(contender), sendTo(serve), { ids, job, concurrency });
  return { instances };
}

export async function repeat({ path, times }: Repeat, serve: Serve) {
  const send = sendTo(serve);
  for (let time = 0; time < times; time++) await send(path);
  return { times };
}

function sendTo(serve: Serve): Send {
  const headers = { "content-type": "application/json" };
  return async (path, body) => {
    const init = body === undefined ? {} : { method: "POST", headers, body: JSON.stringify(body) };
    const response = await serve(new Request(`http://bench.test${path}`, init));
    if (response.ok) return response.json();
    throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
  };
}
