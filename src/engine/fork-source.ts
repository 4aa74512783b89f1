/**
 * What an instance is asked that another one is forked from. It is only read: whatever it does goes on, and nothing
 * of it is told that it was forked, but the key of the request.
 */
import type { Idempotency } from "../core/documents.ts";
import { isTerminal } from "../core/documents.ts";
import { WaymarkError } from "../core/errors.ts";
import { engineFailure, type Failure } from "../core/failure.ts";
import type { StepIdentity } from "../core/names.ts";
import type { Encoded } from "../core/payload.ts";
import { textOf } from "../core/stored-text.ts";
import type { CopiedRow, TextColumn } from "../store/fork-store.ts";
import type { InstanceRow } from "../store/rows.ts";
import type { Answers } from "./answers.ts";
import type { Engine } from "./engine.ts";
import { type CopiedState, type ForkPoint, forkOf, isCopying, seedsThrough } from "./fork.ts";
import { COPIED_AT_ONCE } from "./host.ts";
import { presentRow } from "./present.ts";
import type { RewindRequest } from "./rewind-target.ts";

/** Where a fork is to begin, and what as. */
export interface ForkRequest {
  /** The id of the new instance. */
  readonly as: string;
  /** The step to go back to; null for what the execution has ended with, or for nothing. */
  readonly to: StepIdentity | null;
  /** The version of the fork; that of the source where it is null. */
  readonly version: string | null;
  readonly idempotency?: Idempotency | undefined;
}

/** The point, with what may be large. */
export type GivenFork = ForkPoint & { readonly input: Encoded };

/** What a fork asks for: rows behind an id, or a text of one of them. */
export type CopyRequest = { readonly of: CopiedState } & (
  | { readonly kind: "rows"; readonly after: number }
  | { readonly kind: "text"; readonly id: number; readonly column: TextColumn }
);

export type CopyAnswer =
  | { readonly kind: "rows"; readonly rows: readonly CopiedRow[]; readonly more: boolean }
  | { readonly kind: "text"; readonly text: string }
  /** It is gone, or not what it was: asking again cannot help. */
  | { readonly kind: "refused"; readonly failure: Failure };

/**
 * The point at which an instance is forked. A key stands for the point it was first given for.
 *
 * @throws WaymarkError `INSTANCE_NOT_FOUND`, `INSTANCE_EXISTS` where the fork is to be the instance itself,
 *   `VERSION_MISSING`, `KEY_MISSING`, `REWIND_TARGET_UNKNOWN`, `INSTANCE_BUSY` while its own history is copied or about to be rewound, and those of a key
 */
export function forkPoint(
  engine: Engine,
  answers: Answers,
  id: string,
  request: ForkRequest,
): GivenFork {
  engine.requested();
  const point = (): ForkPoint => {
    const row = presentRow(engine, id);
    checkForkable(engine, row, request);
    return pointOf(engine, row, request);
  };
  const given = answers.once(request.idempotency, { of: () => ({}), expand: point }, point);
  // Where it has gone on as another execution since, the fork was made, or will be refused.
  return { ...given, input: textOf(presentRow(engine, id).input) };
}

function pointOf(engine: Engine, row: InstanceRow, { to, version }: ForkRequest): ForkPoint {
  const { through, lastId } = engine.forks.end();
  const { executionId, rewinds, workflow, startedAt, status } = row;
  const pending =
    row.rewind === null
      ? null
      : (JSON.parse(engine.instance.openRewind(row.rewind)) as RewindRequest);
  const over = isTerminal(status);
  // A rewind that cannot be carried out here is what the fork does; one that was ended before it was is void.
  const meant = over ? null : (pending?.to ?? null);
  return {
    ...{ executionId, rewinds, through, lastId, workflow },
    version: version ?? row.version,
    tags: JSON.parse(row.tags),
    startedAt: startedAt === null ? null : (forkStart(row) ?? startedAt),
    seeds: seedsThrough(row, through),
    to: to ?? meant,
    from: pending?.from ?? { status, error: over ? engine.instance.error() : null },
    sensitive: row.sensitive === 1,
  };
}

const forkStart = (row: InstanceRow): number | null => {
  const fork = forkOf(row);
  return fork?.executionId === row.executionId ? fork.startedAt : null;
};

function checkForkable(engine: Engine, row: InstanceRow, request: ForkRequest): void {
  const { id, workflow } = row;
  const { as, to, version } = request;
  if (as === id) {
    throw new WaymarkError(
      "INSTANCE_EXISTS",
      `"${id}" is the instance that is to be forked: choose another id, or rewind or restart it in its place`,
    );
  }
  if (isCopying(row)) throw stillCopying(id);
  if (row.rewind !== null && !isTerminal(row.status) && row.status !== "Suspended") {
    throw new WaymarkError(
      "INSTANCE_BUSY",
      `the instance "${id}" is about to be rewound, and then another one. Send again`,
    );
  }
  const wanted = version ?? row.version;
  if (engine.registry.find(workflow, wanted) === undefined) {
    const versions = engine.registry.workflows
      .filter(({ name }) => name === workflow)
      .map((known) => `"${known.version}"`);
    throw new WaymarkError(
      "VERSION_MISSING",
      `workflow "${workflow}" version "${wanted}" is not registered; there are: ${versions.join(", ") || "none"}. ` +
        'Name one of them with "version"',
    );
  }
  if (to !== null && !engine.rewinds.hasEnded(to)) {
    throw new WaymarkError(
      "REWIND_TARGET_UNKNOWN",
      `no step ${JSON.stringify(to)} has ended in this execution; its history lists those that have`,
    );
  }
}

/** An instance whose own history is not there yet is asked later. */
export function stillCopying(id: string): WaymarkError {
  return new WaymarkError(
    "INSTANCE_BUSY",
    `the history of "${id}" is still being copied from the instance that it was forked from. Send again`,
  );
}

/** A part of the history, as it was at that point. */
export function copyOf(engine: Engine, id: string, request: CopyRequest): CopyAnswer {
  engine.requested();
  const row = engine.instance.read();
  const { executionId, rewinds, through } = request.of;
  if (row?.executionId !== executionId || row.rewinds !== rewinds) {
    const failure = engineFailure(sourceChanged(id, row));
    return { kind: "refused", failure };
  }
  if (request.kind === "text") {
    return { kind: "text", text: engine.forks.text(request.id, request.column) };
  }
  const { rows: most, length, textBytes } = COPIED_AT_ONCE;
  const found = engine.forks.rows(request.after, through, most, textBytes);
  let total = 0;
  const full = found.findIndex((row) => {
    total += lengthOf(row);
    return total > length;
  });
  const rows = full === -1 ? found : found.slice(0, full + 1);
  return { kind: "rows", rows, more: rows.length < found.length || found.length === most };
}

const lengthOf = ({ input, result, sent, failure, progress }: CopiedRow): number =>
  [input, result, sent, failure, progress].reduce<number>(
    (sum, text) => sum + (typeof text === "string" ? text.length : 0),
    0,
  );

function sourceChanged(id: string, row: InstanceRow | undefined): WaymarkError {
  const what =
    row === undefined
      ? "it is gone"
      : "it was rewound, or another execution has taken the place of the one that was forked";
  return new WaymarkError(
    "FORK_SOURCE_CHANGED",
    `the history of "${id}" was not copied in time: ${what}. Nothing has run here; fork it again if it is there`,
  );
}
