/**
 * What the bench asks for, in the Worker and outside it: jobs, and what is read of them. Nothing of
 * Node or of Workers may be imported here.
 */

/** Steps, one after the other or all at once. Each does nothing, or fetches, or waits. */
export interface Job {
  readonly steps: number;
  /** They begin together. */
  readonly atOnce?: boolean;
  /** Fetched in each step. */
  readonly url?: string;
  /** How long each step waits; where it fetches as well, before that. */
  readonly millis?: number;
  /** The numbers of the steps that fetch, each an address of its own; the others do nothing. */
  readonly marks?: readonly number[];
}

/** Steps that do nothing, and then for ever a step that fetches and a wait for an event `lap`. */
export interface LapsJob {
  readonly steps: number;
  readonly url: string;
  /** The steps before are activities, timers, waits and inline steps in turn. */
  readonly mixed?: boolean;
}

/** A step that fetches, a sleep, and a step that fetches from `/woken` below. */
export interface NapJob {
  readonly url: string;
  readonly millis: number;
}

/** Which servers there are. */
export type ServerName = "waymark" | "cloudflare";

/** What a step fetches that is marked. */
export const markUrl = (url: string, step: number): string => `${url}/${step}`;

/** What is fetched after a sleep. */
export const wokenUrl = (url: string): string => `${url}/woken`;

/** When a floor commits what its steps write. */
export type FloorCommits = "each step" | "at the end" | "never";

export interface FloorJob extends Job {
  readonly commits: FloorCommits;
}

/** A floor as a client reads it. */
export interface FloorState {
  readonly steps: number;
  /** Since the object came to memory. */
  readonly rowsWritten: number;
}

/** One request, made many times from within the Worker, one after the other. */
export interface Repeat {
  readonly path: string;
  readonly times: number;
}

/** Many jobs of one kind, run from within the Worker. */
export interface Drive {
  readonly contender: string;
  readonly job: Job;
  readonly instances: number;
  readonly concurrency: number;
  /** What the ids of the instances begin with. */
  readonly prefix: string;
}

export interface StatementCount {
  readonly calls: number;
  readonly rowsRead: number;
  readonly rowsWritten: number;
}

/** What an instance asked of its storage since its object came to memory. */
export interface StorageCounts {
  readonly statements: { readonly [statement: string]: StatementCount };
  /** Alarms set or removed: a row written each, which no cursor shows. */
  readonly alarms: number;
  /** Waits for a commit with something to commit. */
  readonly commits: number;
}
