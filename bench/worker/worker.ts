/**
 * The Worker under measurement: Waymark as anyone composes it, and beside it the floors, and under
 * `/counted` the same workflows on instances that count what they ask of their storage.
 */
import { createWaymark } from "../../src/index.ts";
import type { InstanceRpc } from "../../src/objects/workflow-instance.ts";
import type { StorageCounts } from "../job.ts";
import { answerBench, type CountedRpc, type EvictableRpc, type FloorRpc } from "./routes.ts";
import { countStorage } from "./storage-counter.ts";
import * as workflows from "./workflows.ts";

export { Floor } from "./floor.ts";

const COUNTED = "/counted";

const waymark = createWaymark({ workflows: Object.values(workflows), logLevel: "error" });

export class WorkflowInstance extends waymark.objects.WorkflowInstance {
  /** Loses its memory, as an eviction does. */
  evict(): void {
    this.ctx.abort("evicted by the bench");
  }
}

export class CountedInstance extends waymark.objects.WorkflowInstance {
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
    readonly CountedInstance: Class<InstanceRpc & CountedRpc>;
    readonly Floor: Class<FloorRpc>;
  };
}

export default {
  async fetch(request: Request, env: object, ctx: Context): Promise<Response> {
    const { WorkflowInstance, CountedInstance, Floor } = ctx.exports;
    const answer = await answerBench(request, {
      instance: (id) => WorkflowInstance.getByName(id),
      counted: (id) => CountedInstance.getByName(id),
      floor: (id) => Floor.getByName(id),
      worker: (sent) => this.fetch(sent, env, ctx),
    });
    if (answer !== undefined) return answer;
    const url = new URL(request.url);
    if (!url.pathname.startsWith(`${COUNTED}/`)) return waymark.handler.fetch(request, env, ctx);
    url.pathname = url.pathname.slice(COUNTED.length);
    const exports = { WorkflowInstance: CountedInstance };
    return waymark.handler.fetch(new Request(url, request), env, { exports });
  },
};
