/** A service that keeps instances in memory, never runs them, and remembers what it was asked. */
import type { HistoryPage, InstanceDocument } from "../../src/core/documents.ts";
import { WaymarkError } from "../../src/core/errors.ts";
import type { StoredHistoryPage } from "../../src/core/history.ts";
import { toJson } from "../../src/core/payload.ts";
import type {
  EntityService,
  OperationRequest,
  OperationResult,
} from "../../src/http/entity-service.ts";
import type { Service, ShownReceipt, StartRequest } from "../../src/http/service.ts";
import type { Shown } from "../../src/http/shown.ts";

export const NOW = Date.parse("2026-01-31T09:30:00.000Z");

/** Entities of one counter, whose operations are all `add`; those that are asked for "nothing" are not there. */
class RecordingEntities implements EntityService {
  readonly requests: (OperationRequest & { readonly signal: boolean })[] = [];

  async state(name: string, key: string) {
    if (key === "nothing")
      throw new WaymarkError("ENTITY_NOT_FOUND", `${name}/${key} has no state`);
    const at = "2026-01-31T09:30:00.000Z";
    return { entity: name, key, state: { total: 5 }, waiting: 0, createdAt: at, updatedAt: at };
  }

  async call(request: OperationRequest): Promise<Shown<OperationResult>> {
    this.requests.push({ ...request, signal: false });
    if (request.operation !== "add") {
      throw new WaymarkError("OPERATION_NOT_FOUND", `no operation "${request.operation}"`);
    }
    if (request.input === "much") return { json: new Response('["much"]').body as ReadableStream };
    return { result: toJson(request.input) };
  }

  async signal(request: OperationRequest): Promise<void> {
    this.requests.push({ ...request, signal: true });
  }
}

export interface RecordedCall {
  readonly method: keyof Service;
  readonly arguments: readonly unknown[];
}

export class RecordingService implements Service {
  readonly entities = new RecordingEntities();
  readonly calls: RecordedCall[] = [];
  readonly #instances = new Map<string, InstanceDocument>();
  #failure: { readonly thrown: unknown; readonly method: keyof Service | undefined } | null = null;

  /** From now on every call throws this, or every one of that method. */
  failWith(thrown: unknown, method?: keyof Service): void {
    this.#failure = { thrown, method };
  }

  /** Makes this of an instance, as its code would. */
  become(id: string, change: Partial<InstanceDocument>): void {
    this.#instances.set(id, { ...this.#find(id), ...change });
  }

  /** The arguments of the only call there was. */
  onlyCall(): RecordedCall {
    const [call, ...more] = this.calls;
    if (call === undefined || more.length > 0) throw new Error(`${this.calls.length} calls`);
    return call;
  }

  workflows() {
    this.#record("workflows", []);
    return [
      {
        name: "MigrateRecords",
        versions: ["1", "2"],
        stages: ["ActivityOne", "ActivityTwo", "ActivityThree"],
        inputSchema: { type: "object" },
      },
    ];
  }

  async start(request: StartRequest): Promise<ShownReceipt> {
    this.#record("start", [request]);
    if (request.workflow !== "MigrateRecords") {
      throw new WaymarkError("WORKFLOW_NOT_FOUND", `no workflow "${request.workflow}"`);
    }
    const present = this.#instances.get(request.id ?? "");
    if (present !== undefined) {
      if (request.onConflict === "existing") return { created: false, document: present };
      throw new WaymarkError("INSTANCE_EXISTS", `there is an instance "${present.id}"`);
    }
    const document = pending(request);
    this.#instances.set(document.id, document);
    return { created: true, document };
  }

  async get(id: string, waitMillis: number) {
    this.#record("get", [id, waitMillis]);
    return this.#find(id);
  }

  async history(id: string, limit: number, cursor: string | null): Promise<HistoryPage> {
    this.#record("history", [id, limit, cursor]);
    this.#find(id);
    return { items: [], cursor: null };
  }

  async export(id: string, limit: number, cursor: string | null): Promise<StoredHistoryPage> {
    this.#record("export", [id, limit, cursor]);
    const { executionId, workflow, version, status } = this.#find(id);
    const ended = { output: null, error: null, startedAt: null };
    const execution = { format: 1, id, executionId, workflow, version, status } as const;
    return { ...execution, ...ended, input: "-1", steps: [], cursor: null };
  }

  async sendEvent(...parameters: Parameters<Service["sendEvent"]>) {
    this.#record("sendEvent", parameters);
    const [id, event] = parameters;
    return { instanceId: id, executionId: this.#find(id).executionId, event, eventId: 1 };
  }

  async call(...parameters: Parameters<Service["call"]>): ReturnType<Service["call"]> {
    this.#record("call", parameters);
    const [id, name] = parameters;
    const { executionId } = this.#find(id);
    if (name === "slow") {
      const pending = { instanceId: id, executionId, call: name, step: "slow()#1" };
      return { done: false, pending };
    }
    if (name === "large") return { done: true, reply: { json: bytesOf('"large"') } };
    return { done: true, reply: { value: { total: 42 } } };
  }

  readonly suspend = this.#control("suspend", "Suspended");
  readonly resume = this.#control("resume", "Running");
  readonly cancel = this.#control("cancel", "Running");
  readonly terminate = this.#control("terminate", "Terminated");

  async restart(...parameters: Parameters<Service["restart"]>) {
    this.#record("restart", parameters);
    const [id, { as = id }] = parameters;
    const document: InstanceDocument = { ...this.#find(id), id: as, status: "Pending" };
    this.#instances.set(as, document);
    return document;
  }

  async rewind(...parameters: Parameters<Service["rewind"]>) {
    this.#record("rewind", parameters);
    const [id] = parameters;
    const document: InstanceDocument = { ...this.#find(id), status: "Running" };
    this.#instances.set(id, document);
    return document;
  }

  async fork(...parameters: Parameters<Service["fork"]>) {
    this.#record("fork", parameters);
    const [id, { as, to: step }] = parameters;
    const source = this.#find(id);
    const forkedFrom = { id, executionId: source.executionId, step };
    const document: InstanceDocument = { ...source, id: as, status: "Pending", forkedFrom };
    this.#instances.set(as, document);
    return document;
  }

  async previewRewind(...parameters: Parameters<Service["previewRewind"]>) {
    this.#record("previewRewind", parameters);
    this.#find(parameters[0]);
    const step = { step: "charge", name: "charge", kind: "activity", state: "failed" } as const;
    return { steps: [step] };
  }

  async purge(...parameters: Parameters<Service["purge"]>) {
    this.#record("purge", parameters);
    this.#find(parameters[0]);
    this.#instances.delete(parameters[0]);
  }

  #control(
    method: "suspend" | "resume" | "cancel" | "terminate",
    status: InstanceDocument["status"],
  ) {
    return async (...parameters: Parameters<Service[typeof method]>) => {
      this.#record(method, parameters);
      const [id] = parameters;
      const document: InstanceDocument = { ...this.#find(id), status };
      this.#instances.set(id, document);
      return document;
    };
  }

  #record(method: keyof Service, parameters: readonly unknown[]): void {
    this.calls.push({ method, arguments: parameters });
    if (this.#failure === null) return;
    const { thrown, method: only = method } = this.#failure;
    if (only === method) throw thrown;
  }

  #find(id: string): InstanceDocument {
    const document = this.#instances.get(id);
    if (document !== undefined) return document;
    throw new WaymarkError("INSTANCE_NOT_FOUND", `there is no instance "${id}"`);
  }
}

function pending({ id = "", workflow, tags }: StartRequest): InstanceDocument {
  const createdAt = new Date(NOW).toISOString();
  return {
    id,
    executionId: "execution-1",
    workflow,
    version: "2",
    status: "Pending",
    input: null,
    output: null,
    error: null,
    customStatus: null,
    activityStatus: null,
    progress: null,
    waitingFor: [],
    parent: null,
    tags,
    createdAt,
    startedAt: null,
    updatedAt: createdAt,
    completedAt: null,
  };
}

const bytesOf = (text: string): ReadableStream<Uint8Array> =>
  new Blob([text]).stream() as ReadableStream<Uint8Array>;
