/** What the bench asks of its Worker beside Waymark's own API. */
import type { FloorJob, FloorState, NapJob, StorageCounts } from "../job.ts";
import { drive, repeat } from "./drive.ts";

export interface FloorRpc {
  start(job: FloorJob): Promise<FloorState>;
  run(job: FloorJob): Promise<FloorState>;
  resume(job: FloorJob): Promise<FloorState>;
  nap(job: NapJob): Promise<FloorState>;
  ended(): Promise<FloorState>;
  read(): Promise<FloorState>;
  evict(): Promise<void>;
}

export interface EvictableRpc {
  evict(): Promise<void>;
}

export interface CountedRpc {
  storageCounts(): Promise<StorageCounts>;
}

/** What lies behind the routes. */
export interface Backend {
  floor(id: string): FloorRpc;
  instance(id: string): EvictableRpc;
  counted(id: string): CountedRpc;
  /** The whole Worker, as a client sees it. */
  worker(request: Request): Promise<Response>;
}

/** Answers a request of the bench; undefined where it is none. */
export async function answerBench(
  request: Request,
  backend: Backend,
): Promise<Response | undefined> {
  const { pathname, searchParams } = new URL(request.url);
  const [, area, id = ""] = pathname.split("/");
  switch (`${request.method} /${area}`) {
    case "POST /drive":
      return Response.json(await drive(await request.json(), backend.worker));
    case "POST /repeat":
      return Response.json(await repeat(await request.json(), backend.worker));
    case "POST /floor": {
      const floor = backend.floor(id);
      const job: FloorJob = await request.json();
      const state = await (searchParams.has("wait") ? floor.run(job) : floor.start(job));
      return Response.json(state, { status: 202 });
    }
    case "POST /floor-resume":
      return Response.json(await backend.floor(id).resume(await request.json()), { status: 202 });
    case "POST /floor-nap":
      return Response.json(await backend.floor(id).nap(await request.json()), { status: 202 });
    case "GET /floor": {
      const floor = backend.floor(id);
      return Response.json(await (searchParams.has("wait") ? floor.ended() : floor.read()));
    }
    case "POST /evict-floor":
      return evicted(backend.floor(id));
    case "POST /evict-instance":
      return evicted(backend.instance(id));
    case "GET /storage-counts":
      return Response.json(await backend.counted(id).storageCounts());
    default:
      return undefined;
  }
}

/** The call that ends an object fails with it. */
async function evicted(object: EvictableRpc): Promise<Response> {
  await object.evict().catch(() => {});
  return Response.json({ evicted: true });
}
