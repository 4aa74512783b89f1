/**
 * What answers say, for the OpenAPI document. Answers come from the core's types, so these schemas
 * check nothing at run time; that they fit the types is checked by the compiler, and that they fit
 * the answers by the tests.
 */
import { z } from "zod";
import type { ActivityStatus, ProcessingStatus } from "../core/activity-status.ts";
import type {
  EventReceipt,
  HistoryItem,
  HistoryPage,
  InstanceStatus,
  PendingUpdate,
  RewindPreview,
  StepState,
  WaitingFor,
} from "../core/documents.ts";
import { ERROR_CODES, type ErrorCode } from "../core/errors.ts";
import type { Failure } from "../core/failure.ts";
import type { StoredHistoryPage } from "../core/history.ts";
import type { RecordKind } from "../core/step.ts";
import type { LinkedDocument } from "./links.ts";
import type { Problem } from "./problem.ts";
import type { WorkflowDescription } from "./service.ts";
import { wordsOf } from "./words.ts";

/** The schemas that have a name of their own in the document. */
export const DOCUMENT_SCHEMAS = z.registry<{ id: string }>();

const named = <Schema extends z.ZodType>(id: string, schema: Schema): Schema => {
  DOCUMENT_SCHEMAS.add(schema, { id });
  return schema;
};

const instantSchema = z.iso.datetime({ precision: 3 });
export const jsonSchema = named("Json", z.json());

/** A payload as people see it. */
const shownSchema = jsonSchema.describe(
  'A payload; {"$sensitive":true} where it is not shown, {"$unreadable":CODE} where its key is missing',
);

const processingStatusSchema = wordsOf<ProcessingStatus>({
  New: "not begun",
  InProgress: "an attempt runs, or a checkpoint is there",
  Complete: "done",
  Failed: "failed for good",
});

const activityStatusSchema = named(
  "ActivityStatus",
  z.object({
    lastProcessedId: z
      .string()
      .describe("The last record that is done; initialId before the first"),
    processingStatus: processingStatusSchema,
    processingStage: z.string().describe("The activity it belongs to"),
    lastUpdated: instantSchema,
  }),
) satisfies z.ZodType<ActivityStatus>;

const failureSchema: z.ZodType<Failure> = named(
  "Failure",
  z.object({
    type: z.string().describe("The error's name, such as TypeError"),
    message: z.string(),
    code: z.string().exactOptional(),
    stack: z.string().exactOptional(),
    get cause() {
      return failureSchema.exactOptional();
    },
    instanceId: z.string().describe("The child workflow that failed").exactOptional(),
    sensitive: z
      .boolean()
      .describe("It may tell a secret: message, stack and properties are left out")
      .exactOptional(),
    properties: z.record(z.string(), jsonSchema).exactOptional(),
  }),
);

const stepKindSchema = wordsOf<RecordKind>({
  activity: "a call of an activity",
  run: "an inline step",
  timer: "a sleep",
  child: "a child workflow that is waited for",
  start: "a child workflow that is only started",
  send: "an event to another instance",
  entity: "an operation of an entity, called or signalled",
  lock: "a lock on entities, or the wait for one",
  unlock: "the release of a lock",
  event: "a wait for an event, or an event nobody has waited for yet",
  cancel: "a request to cancel the instance",
  update: "a call of a handler that is not read-only, or the wait for one",
  rewind: "the last rewind of the instance; its attempts are how many there were",
});

const waitingForSchema = z.object({
  kind: stepKindSchema,
  name: z.string(),
  step: z.string(),
  attempt: z.int().exactOptional(),
  instanceId: z.string().describe("The child workflow; an entity as Name/key").exactOptional(),
  due: instantSchema.exactOptional(),
}) satisfies z.ZodType<WaitingFor>;

const instanceStatusSchema = wordsOf<InstanceStatus>({
  Pending: "its code has not run yet",
  Running: "it runs or waits",
  Suspended: "it stands still until it is resumed",
  Completed: "its code returned",
  Failed: "its code threw",
  Terminated: "it was ended from outside",
});

export const instanceSchema = named(
  "Instance",
  z.object({
    id: z.string(),
    executionId: z.string(),
    workflow: z.string(),
    version: z.string(),
    status: instanceStatusSchema,
    input: shownSchema,
    output: shownSchema,
    error: failureSchema.nullable(),
    customStatus: shownSchema,
    activityStatus: activityStatusSchema.nullable(),
    progress: shownSchema,
    waitingFor: z.array(waitingForSchema),
    parent: z.object({ id: z.string(), step: z.string() }).nullable(),
    forkedFrom: z
      .object({ id: z.string(), executionId: z.string(), step: z.string().nullable() })
      .describe("Of a fork: whose history it has, and the step that it went back to")
      .exactOptional(),
    tags: z.record(z.string(), z.string()),
    createdAt: instantSchema,
    startedAt: instantSchema.nullable(),
    updatedAt: instantSchema,
    completedAt: instantSchema.nullable(),
    links: z.object({ self: z.string(), history: z.string() }),
  }),
) satisfies z.ZodType<LinkedDocument>;

const stepStateSchema = wordsOf<StepState>({
  open: "asked for and not ended",
  running: "an attempt runs",
  done: "ended with a result",
  failed: "ended with an error; of an event: refused by the schema of the wait for it",
  cancelled: "its code cancelled it, or its instance ended without it",
  orphaned: "changed code no longer asks for it",
  buffered: "an event nobody has taken",
});

const historyItemSchema = named(
  "HistoryItem",
  z.object({
    seq: z.int().nullable().describe("The order of delivery; null while it is open"),
    step: z.string().describe("Its identity in the execution"),
    name: z.string(),
    kind: stepKindSchema,
    state: stepStateSchema,
    attempts: z.int(),
    instanceId: z.string().describe("The child workflow").exactOptional(),
    startedAt: instantSchema.nullable(),
    completedAt: instantSchema.nullable(),
    due: instantSchema.nullable(),
    input: shownSchema,
    result: shownSchema,
    error: failureSchema.nullable(),
    activityStatus: activityStatusSchema.nullable(),
    progress: shownSchema,
  }),
) satisfies z.ZodType<HistoryItem>;

export const rewindPreviewSchema = named(
  "RewindPreview",
  z.object({
    steps: z
      .array(
        z.object({
          step: z.string().describe("Its identity in the execution"),
          name: z.string(),
          kind: stepKindSchema,
          state: stepStateSchema,
          instanceId: z.string().describe("The child workflow").exactOptional(),
        }),
      )
      .describe("What would be done again, and what would be undone because it followed from that"),
  }),
) satisfies z.ZodType<RewindPreview>;

export const historySchema = named(
  "History",
  z.object({
    items: z.array(historyItemSchema),
    cursor: z.string().nullable().describe("For the next page; null at the end"),
  }),
) satisfies z.ZodType<HistoryPage>;

const encodedSchema = z.string().describe("As it is stored: the format of npm devalue");
const epochSchema = z.number().describe("Milliseconds since 1970");

export const storedHistorySchema = named(
  "StoredHistory",
  z.object({
    format: z.literal(1),
    id: z.string(),
    executionId: z.string(),
    workflow: z.string(),
    version: z.string(),
    status: instanceStatusSchema,
    input: encodedSchema,
    output: encodedSchema.nullable(),
    error: z.string().nullable().describe("A failure as JSON text"),
    startedAt: epochSchema.nullable(),
    parent: z
      .object({
        id: z.string(),
        executionId: z.string(),
        step: z.string(),
        attempt: z.string(),
        awaited: z.boolean(),
      })
      .nullable()
      .exactOptional(),
    sensitive: z.boolean().describe("Input and output are left out").exactOptional(),
    steps: z.array(
      z.object({
        seq: z.int().nullable().describe("The order of delivery; null while it is open"),
        step: z.string(),
        kind: stepKindSchema,
        state: stepStateSchema,
        attempt: z.int(),
        input: encodedSchema.nullable(),
        result: encodedSchema.nullable(),
        failure: z.string().nullable().describe("A failure as JSON text"),
        at: epochSchema,
        sensitive: z.boolean().describe("Its payloads are left out").exactOptional(),
        inline: z
          .boolean()
          .describe("The code had it in the burst in which it asked for it")
          .exactOptional(),
      }),
    ),
    cursor: z.string().nullable().describe("For the next page; null at the end"),
  }),
) satisfies z.ZodType<StoredHistoryPage>;

export const workflowListSchema = named(
  "WorkflowList",
  z.object({
    items: z.array(
      z.object({
        name: z.string(),
        versions: z.array(z.string()).describe("The newest last; new instances take that one"),
        stages: z.array(z.string()),
        inputSchema: z.unknown().describe("JSON Schema of the input, or null where it has none"),
      }) satisfies z.ZodType<WorkflowDescription>,
    ),
  }),
);

export const eventReceiptSchema = named(
  "EventReceipt",
  z.object({
    instanceId: z.string(),
    executionId: z.string(),
    event: z.string(),
    eventId: z.int().describe("The id under which the instance keeps it"),
  }),
) satisfies z.ZodType<EventReceipt>;

export const pendingUpdateSchema = named(
  "PendingUpdate",
  z.object({
    instanceId: z.string(),
    executionId: z.string(),
    call: z.string().describe("The handler's name"),
    step: z.string().describe("Its name in the history, where its reply will be the result"),
  }),
) satisfies z.ZodType<PendingUpdate>;

/** Whatever a handler returns. */
export const callReplySchema = jsonSchema;

export const healthSchema = named(
  "Health",
  z.object({ status: z.literal("ok"), version: z.string() }),
);

/** An OpenAPI document describes itself elsewhere. */
export const anyObjectSchema = z.record(z.string(), z.unknown());

export const problemSchema = named(
  "Problem",
  z.object({
    type: z.string().describe("urn:waymark:error: and the code"),
    title: z.string().describe("What the code means"),
    status: z.int(),
    detail: z.string().describe("What went wrong this time"),
    code: z.enum(Object.keys(ERROR_CODES) as ErrorCode[]),
  }),
) satisfies z.ZodType<Problem>;
