/** The example answers of the OpenAPI document. */
import type { EventReceipt, HistoryPage, PendingUpdate, RewindPreview } from "../core/documents.ts";
import type { StoredHistoryPage } from "../core/history.ts";
import { type LinkedDocument, withLinks } from "./links.ts";
import type { WorkflowDescription } from "./service.ts";

const activityStatus = {
  lastProcessedId: "1042",
  processingStatus: "InProgress",
  processingStage: "ActivityTwo",
  lastUpdated: "2026-01-31T09:30:07.125Z",
} as const;

const progress = { done: 1_042, total: 5_000 };

export const INSTANCE_EXAMPLE: LinkedDocument = withLinks({
  id: "migration-7",
  executionId: "6f1c1f9e-2d1b-4f57-9c43-0a8f6f5f0c11",
  workflow: "MigrateRecords",
  version: "1",
  status: "Running",
  input: null,
  output: null,
  error: null,
  customStatus: null,
  activityStatus,
  progress,
  waitingFor: [{ kind: "activity", name: "ActivityTwo", step: "ActivityTwo", attempt: 2 }],
  parent: null,
  tags: { customer: "42" },
  createdAt: "2026-01-31T09:30:00.000Z",
  startedAt: "2026-01-31T09:30:00.004Z",
  updatedAt: "2026-01-31T09:30:07.125Z",
  completedAt: null,
});

export const FORK_EXAMPLE: LinkedDocument = withLinks({
  ...INSTANCE_EXAMPLE,
  id: "migration-7-again",
  executionId: "0b8f0a52-8d3c-4c0e-9a55-2f6d1c7e4b90",
  status: "Pending",
  waitingFor: [],
  forkedFrom: {
    id: "migration-7",
    executionId: "6f1c1f9e-2d1b-4f57-9c43-0a8f6f5f0c11",
    step: "ActivityTwo",
  },
  startedAt: null,
});

export const REWIND_EXAMPLE: RewindPreview = {
  steps: [{ step: "charge", name: "charge", kind: "activity", state: "failed" }],
};

export const HISTORY_EXAMPLE: HistoryPage = {
  items: [
    {
      seq: null,
      step: "ActivityTwo",
      name: "ActivityTwo",
      kind: "activity",
      state: "running",
      attempts: 2,
      startedAt: "2026-01-31T09:30:05.010Z",
      completedAt: null,
      due: "2026-01-31T09:30:05.010Z",
      input: null,
      result: null,
      error: { type: "TypeError", message: "Network connection lost" },
      activityStatus,
      progress,
    },
  ],
  cursor: "6f1c1f9e-2d1b-4f57-9c43-0a8f6f5f0c11:12",
};

export const EXPORT_EXAMPLE: StoredHistoryPage = {
  format: 1,
  id: "order-17",
  executionId: "6f1c1f9e-2d1b-4f57-9c43-0a8f6f5f0c11",
  workflow: "Order",
  version: "1",
  status: "Running",
  input: '[{"amount":1},10]',
  output: null,
  error: null,
  startedAt: 1_769_851_800_004,
  steps: [
    {
      seq: 1,
      step: "Charge",
      kind: "activity",
      state: "done",
      attempt: 1,
      input: '[{"amount":1},10]',
      result: '["receipt-1"]',
      failure: null,
      at: 1_769_851_800_125,
    },
  ],
  cursor: null,
};

export const EVENT_EXAMPLE: EventReceipt = {
  instanceId: "migration-7",
  executionId: "6f1c1f9e-2d1b-4f57-9c43-0a8f6f5f0c11",
  event: "approval",
  eventId: 12,
};

export const PENDING_UPDATE_EXAMPLE: PendingUpdate = {
  instanceId: "order-17",
  executionId: "6f1c1f9e-2d1b-4f57-9c43-0a8f6f5f0c11",
  call: "add",
  step: "add()#12",
};

export const WORKFLOWS_EXAMPLE: { readonly items: readonly WorkflowDescription[] } = {
  items: [
    {
      name: "MigrateRecords",
      versions: ["1"],
      stages: ["ActivityOne", "ActivityTwo", "ActivityThree"],
      inputSchema: null,
    },
  ],
};
