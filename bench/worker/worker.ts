/**
 * The Worker under measurement: Waymark as anyone composes it, and beside it the floors; under
 * `/each-commit` Waymark with a commit for each step, and under `/counted` the usual one on instances that
 * count what they ask of their storage.
 */
import type { InstanceRpc } from "../../src/objects/workflow-instance.ts";
import { EACH_COMMIT_PATH } from "../contender.ts";
import type { StorageCounts } from "../job.ts";
import { eachCommit, usual } from "./manners.ts";
import { answerBench, type CountedRpc, type EvictableRpc, type FloorRpc } from "./routes.ts";
import { countStorage } from "./storage-counter.ts";

export { Floor } from "./floor.ts";

const COUNTED_PATH = "/counted";

export class WorkflowInstance extends usual.objects.WorkflowInstance {
  /** Loses its memory, as an eviction does. */
  evict(): void {
    this.ctx.abort("evicted by the bench");
  }
}

export class EachCommitInstance extends eachCommit.objects.WorkflowInstance {}

export class CountedInstance extends usual.objects.WorkflowInstance {
  readonly #counts: () => StorageCounts;

  constructor(state: DurableObjectState, env: Cloudflare.Env) {
    const counts = countStorage(state.storage); // before the first statement
    super(state, env);
    this.#counts = counts;
  }

  storageCounts(): StorageCounts {
    return this.#counts();
  }
}

interface Class<Rpc> {
  getByName(id: string): Rpc;
}

interface Context {
  readonly exports: {
    readonly WorkflowInstance: Class<InstanceRpc & EvictableRpc>;
    readonly EachCommitInstance: Class<InstanceRpc>;
    readonly CountedInstance: Class<InstanceRpc & CountedRpc>;
    readonly Floor: Class<FloorRpc>;
  };
}

export default {
  async fetch(request: Request, env: object, ctx: Context): Promise<Response> {
    const { WorkflowInstance, EachCommitInstance, CountedInstance, Floor } = ctx.exports;
    const answer = await answerBench(request, {
      instance: (id) => WorkflowInstance.getByName(id),
      counted: (id) => CountedInstance.getByName(id),
      floor: (id) => Floor.getByName(id),
      worker: (sent) => this.fetch(sent, env, ctx),
    });
    if (answer !== undefined) return answer;
    for (const [path, { handler }, Instance] of [
      [EACH_COMMIT_PATH, eachCommit, EachCommitInstance],
      [COUNTED_PATH, usual, CountedInstance],
    ] as const) {
      const inner = below(path, request);
      const exports = { WorkflowInstance: Instance };
      if (inner !== undefined) return handler.fetch(inner, env, { exports });
    }
    return usual.handler.fetch(request, env, ctx);
  },
};

/** The request as it is without the beginning of its path; undefined where it does not begin so. */
function below(path: string, request: Request): Request | undefined {
  if (!request.url.includes(`${path}/`)) return undefined; // as most: no other request pays for it
  const url = new URL(request.url);
  if (!url.pathname.startsWith(`${path}/`)) return undefined;
  url.pathname = url.pathname.slice(path.length);
  return new Request(url, request);
}
