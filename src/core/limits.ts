/**
 * Every bound of the engine, with its unit and its reason (W10). One file, so that what a user can
 * hit is one page. A test stands at the edge of each.
 */
export const LIMITS = {
  /**
   * Bytes (UTF-8) of one encoded value: an input, a result, an event. A step's row holds an input
   * and a result, and a row in a Durable Object may hold 2 MB in all.
   */
  payloadBytes: 960_000,
  /**
   * Characters and members of one value, counted again wherever a value is shared: stored once, it
   * is written out each time in JSON, and one RPC carries 32 MiB.
   */
  payloadExpanded: 3_840_000,
  /** Levels of nesting in one value: keeps every walk over it clear of the stack's end. */
  payloadDepth: 64,
  /** Bytes of an HTTP request body: a payload and its envelope. */
  bodyBytes: 1_048_576,
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
  /** Events an instance keeps that nobody has waited for yet. */
  bufferedEvents: 1_000,
  /** Characters of the payloads of those events together: all of them are read at once. */
  bufferedEventsLength: 8_388_608,
  /** Events an execution keeps in its history that no wait took: the newest ones, for those who ask why. */
  refusedEvents: 100,
  /**
   * How long the schema of a wait may take over one event, in milliseconds. No timer and no timeout fires
   * meanwhile; whatever a schema may look up is there sooner.
   */
  eventCheckMillis: 5_000,
  /** Characters of the inputs, results and failures of one execution: a replay holds them, in 128 MB. */
  historyLength: 50_331_648,
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
  /** Characters of JSON after which a page of a history ends early: an RPC carries 32 MiB. */
  historyPageLength: 8_388_608,
  /** Open steps an instance's document lists: its history has them all, and an RPC carries 32 MiB. */
  waitingFor: 1_000,
  /** Seconds a client may ask a status read to wait. */
  waitSeconds: 60,
} as const;
