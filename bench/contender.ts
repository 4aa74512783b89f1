/**
 * Who runs the same jobs side by side. Each is spoken to over HTTP, by the bench from outside and by
 * the driver inside the Worker, and is waited for in the same way: by a request that creates and is
 * answered at the end, or by one that creates and another that is answered at the end.
 */
import type { InstanceDocument } from "../src/index.ts";
import type { FloorCommits, FloorJob, Job, ServerName } from "./job.ts";

/** Sends a request to the Worker: POST with a body, GET without. Rejects unless it succeeds. */
export type Send = (path: string, body?: unknown) => Promise<unknown>;

export interface Contender {
  /** As the tables call it. */
  readonly title: string;
  readonly server: ServerName;
  /** Resolves when the job is accepted. */
  start(send: Send, id: string, job: Job): Promise<void>;
  /** Resolves when it has ended, and rejects where it failed. */
  ended(send: Send, id: string): Promise<void>;
  /** Both in one request. */
  run(send: Send, id: string, job: Job): Promise<void>;
}

/** As long as any is waited for. */
const WAIT = "wait=60";

/** Where the bench's Worker has the composition whose every step is a commit of its own. */
export const EACH_COMMIT_PATH = "/each-commit";

/** @param path of the composition, in the bench's Worker */
function waymarkAt(path: string, title: string): Contender {
  return {
    title,
    server: "waymark",
    start: async (send, id, job) => {
      const [workflow, input] = workflowOf(job);
      await send(`${path}/v1/workflows/${workflow}/instances`, { id, input });
    },
    ended: async (send, id) => {
      checkCompleted(await send(`${path}/v1/instances/${id}?${WAIT}`));
    },
    run: async (send, id, job) => {
      const [workflow, input] = workflowOf(job);
      checkCompleted(
        await send(`${path}/v1/workflows/${workflow}/instances?${WAIT}`, { id, input }),
      );
    },
  };
}

function checkCompleted(document: unknown): void {
  const { id, status, error } = document as InstanceDocument;
  if (status === "Completed") return;
  throw new Error(`instance "${id}" is ${status}: ${JSON.stringify(error)}`);
}

/** Waymark as anyone composes it. */
const waymark = waymarkAt("", "Waymark");

/** The same engine with one step after the other, for workloads whose steps begin together. */
const waymarkInChain: Contender = {
  ...waymark,
  title: "Waymark, a chain",
  run: (send, id, job) => waymark.run(send, id, { ...job, atOnce: false }),
};

function workflowOf(job: Job): readonly [workflow: string, input: unknown] {
  const { steps, url, millis, marks, atOnce = false } = job;
  if (atOnce) return ["FanOut", steps];
  if (marks !== undefined) return ["Marks", { steps, url, marks }];
  if (url !== undefined && millis !== undefined) return ["SlowFetches", { steps, url, millis }];
  if (url !== undefined) return ["Fetches", { steps, url }];
  return millis === undefined ? ["Chain", steps] : ["Waits", { steps, millis }];
}

function floor(title: string, commits: FloorCommits): Contender {
  const jobOf = (job: Job): FloorJob => ({ ...job, commits });
  return {
    title,
    server: "waymark",
    start: async (send, id, job) => {
      await send(`/floor/${id}`, jobOf(job));
    },
    ended: async (send, id) => {
      await send(`/floor/${id}?${WAIT}`);
    },
    run: async (send, id, job) => {
      await send(`/floor/${id}?${WAIT}`, jobOf(job));
    },
  };
}

/** Answered by the workflow's own end, not by a poll: see cloudflare/worker/bells.ts. */
const cloudflare: Contender = {
  title: "Cloudflare Workflows",
  server: "cloudflare",
  start: async (send, id, job) => {
    await send(`/jobs/${id}`, job);
  },
  ended: async (send, id) => {
    await send(`/jobs/${id}?${WAIT}`);
  },
  run: async (send, id, job) => {
    await send(`/jobs/${id}?${WAIT}`, job);
  },
};

/** The same, but waited for until `status()` says that it is complete, as Waymark's does. */
const cloudflareByStatus: Contender = {
  ...cloudflare,
  title: "Cloudflare Workflows, by status",
  run: async (send, id, job) => {
    await send(`/jobs/${id}?${WAIT}&complete`, job);
  },
};

export const CONTENDERS = {
  waymark,
  waymarkEachCommit: waymarkAt(EACH_COMMIT_PATH, "Waymark, a commit each"),
  waymarkInChain,
  cloudflare,
  cloudflareByStatus,
  floor: floor("floor", "each step"),
  floorInOneCommit: floor("floor, one commit", "at the end"),
  floorWithoutWrites: floor("floor, no writes", "never"),
} as const;

export type ContenderName = keyof typeof CONTENDERS;

/** The contender of that name. */
export function contenderOf(name: string): Contender {
  if (Object.hasOwn(CONTENDERS, name)) return CONTENDERS[name as ContenderName];
  throw new Error(`there is no contender "${name}"`);
}

/** Runs many, so many at a time. */
export async function runJobs(
  contender: Contender,
  send: Send,
  jobs: { readonly ids: readonly string[]; readonly job: Job; readonly concurrency: number },
): Promise<void> {
  const { job, concurrency } = jobs;
  const left = jobs.ids.values(); // shared: each lane takes the next id
  const lane = async () => {
    for (const id of left) await contender.run(send, id, job);
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
}
