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
  /** How long each step waits. */
  readonly millis?: number;
}

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
