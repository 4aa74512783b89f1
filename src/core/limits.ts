/**
 * Every bound of the engine, with its unit and its reason (W10). One file, so that what a user can
 * hit is one page. A test stands at the edge of each.
 */
export const LIMITS = {
  /**
   * Bytes (UTF-8) of one encoded value: an input, a result, an event. An RPC carries 32 MiB, and an isolate of
   * 128 MB holds a value as text and decoded, at two bytes a character each, beside what comes and goes.
   */
  payloadBytes: 16_777_216,
  /**
   * Characters and members of one value, counted again wherever a value is shared: stored once, it
   * is written out each time in JSON. Somewhat more than `payloadBytes`, so that what is not shared meets
   * that bound first.
   */
  payloadExpanded: 20_971_520,
  /**
   * Bytes (UTF-8) of a text that a row holds whole; a longer one is split over rows of up to twice that. A
   * step's row holds an input and a result, and a row in a Durable Object may hold 2 MB in all.
   */
  cellBytes: 960_000,
  /**
   * Bytes (UTF-8) of a stored text that comes to memory with its row. A longer one is read when it is needed, so
   * that a long history does not fill memory. From about here on that costs a replay no more time (measured).
   */
  textAtHandBytes: 1_024,
  /** Levels of nesting in one value: keeps every walk over it clear of the stack's end. */
  payloadDepth: 64,
  /** Bytes of an HTTP request body: a payload, and 64 KiB for its envelope. */
  bodyBytes: 16_842_752,
  /** Characters of an instance id. */
  instanceIdLength: 128,
  /** Characters of the name of a workflow, activity, inline step or event. */
  nameLength: 128,
  /** Characters of a step's `key`. */
  stepKeyLength: 256,
  /** Characters of an `Idempotency-Key`. */
  idempotencyKeyLength: 255,
  /** Idempotency keys one instance keeps; each for `idempotencyKeyMillis`. */
  idempotencyKeys: 1_000,
  /** How long an idempotency key is honoured: 24 hours. */
  idempotencyKeyMillis: 86_400_000,
  /**
   * How long an instance remembers the last message of each sender, in milliseconds: a sender repeats one
   * within minutes, as long as it has no answer.
   */
  inboxMillis: 86_400_000,
  /**
   * How long a purged instance's tombstone stays, in milliseconds: as long as anybody may repeat a
   * request to it with its key.
   */
  tombstoneMillis: 86_400_000,
  /** Characters of a `lastProcessedId`. */
  lastProcessedIdLength: 1_024,
  /** Characters of a checkpoint's encoded progress. */
  progressLength: 4_096,
  /** Bytes (UTF-8) of an encoded custom status: it is in every document, and part of the instance's row. */
  customStatusBytes: 16_384,
  /** Characters of an error's message as stored; the rest is cut. */
  failureMessageLength: 4_096,
  /** Characters of an error's stack as stored. */
  failureStackLength: 4_096,
  /** Causes kept below an error. */
  failureDepth: 5,
  /** Causes kept below the failure of a step: of children, their children, and so on. */
  failureChain: 20,
  /** Bytes of an error's own properties as stored; larger ones are left out. */
  failurePropertiesBytes: 8_192,
  /** Compensations that failed, as their execution's error lists them; it counts them all. */
  failedCompensations: 10,
  /** Characters of the message that each of those has in the list. */
  failedCompensationLength: 200,
  /** Events an instance keeps that nobody has waited for yet. */
  bufferedEvents: 1_000,
  /**
   * Bytes (UTF-8) of the payloads of those events together: two of the largest, so that one may come while
   * another waits to be taken. Only what is taken is read, so it is storage that this bounds.
   */
  bufferedEventsBytes: 33_554_432,
  /** Updates an instance has accepted that are not done: their functions may all run at once. */
  openUpdates: 100,
  /** Updates one execution may take; a longer life is for `continueAsNew`. */
  updates: 10_000,
  /** Seconds that the call of an update waits for its reply where the request does not say. */
  callWaitSeconds: 30,
  /** Events an execution keeps in its history that no wait took: the newest ones, for those who ask why. */
  refusedEvents: 100,
  /**
   * How long the schema of a wait may take over one event, in milliseconds. No timer and no timeout fires
   * meanwhile; whatever a schema may look up is there sooner.
   */
  eventCheckMillis: 5_000,
  /**
   * Bytes (UTF-8) of the inputs, results and failures of one execution. A replay reads them one at a time, and
   * the code may hold all that it was given, in 128 MB.
   */
  historyBytes: 50_331_648,
  /**
   * How long the schema of a child may take over its input, in milliseconds: the turn of its parent waits for it,
   * and so do the messages behind it. As long as that of a wait, and for the same reason.
   */
  inputCheckMillis: 5_000,
  /** Steps one execution may have; a longer life is for `continueAsNew`. */
  steps: 100_000,
  /** Tags of an instance, and characters of a tag's name and value. */
  tags: 16,
  tagNameLength: 64,
  tagValueLength: 256,
  /** How far in the future a timer or a start may lie: 100 years, in milliseconds. */
  timerMillis: 3_155_760_000_000,
  /** Items of one page of a history. */
  historyPage: 1_000,
  /** Characters of JSON after which a page of a history ends early: it is made in 128 MB. */
  historyPageLength: 8_388_608,
  /** Redirects of one request of `ctx.fetch`: as in the Fetch standard. */
  redirects: 20,
  /** The longest wait that a `Retry-After` may ask `ctx.fetch` for: a day, in milliseconds. */
  retryAfterMillis: 86_400_000,
  /** The least wait before a poll of `ctx.fetch`, whatever the server says, in milliseconds. */
  pollLeastMillis: 1_000,
  /** Bytes of an answer's body that are kept where it is a failure. */
  answerExcerptBytes: 1_024,
  /** Open steps an instance's document lists: its history has them all. */
  waitingFor: 1_000,
  /** Characters of an entity's key: with its name well below the 1,024 bytes an object's name may have. */
  entityKeyLength: 256,
  /** The longest that one operation of an entity may take, in milliseconds: well inside one alarm's 15 minutes. */
  operationMillis: 300_000,
  /** Operations that wait for one entity, the scheduled ones among them; who sends more is told to send again. */
  entityQueue: 1_000,
  /** Bytes (UTF-8) of their inputs together: two of the largest. */
  entityQueueBytes: 33_554_432,
  /** Idempotency keys one entity keeps: more than an instance, for its life of requests has no end. */
  entityKeys: 10_000,
  /** How often an operation may take its object with it, once that is looked for, before it has failed. */
  operationLosses: 2,
  /** Signals and starts of one operation: they are written in one commit with its state. */
  operationMessages: 1_000,
  /**
   * Entities of one lock: they are asked one after the other, and each is kept from all others until the last one is
   * had.
   */
  lockedEntities: 20,
  /** Seconds a client may ask a status read to wait. */
  waitSeconds: 60,
} as const;
