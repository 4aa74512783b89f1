/**
 * The side of a fork that is made: it is written with an order to copy, copies in its own turns, and is rewound when
 * all is there.
 *
 * - W3: its row says that it copies, and its alarm is set in the same commit; a crash leads to another turn.
 * - W1: how far it has come is in the rows: the last one may lack a text, so each turn takes it off, and goes on
 *   behind the one before.
 * - What is copied is no history before it is whole: nobody is shown it, and no code has seen it.
 */
import type { InstanceDocument } from "../core/documents.ts";
import { isTerminal } from "../core/documents.ts";
import { WaymarkError } from "../core/errors.ts";
import { encodeFailure, type Failure } from "../core/failure.ts";
import { type CopiedRow, missingTexts } from "../store/fork-store.ts";
import type { InstanceRow } from "../store/rows.ts";
import type { Answers } from "./answers.ts";
import type { Budget } from "./budget.ts";
import type { Engine } from "./engine.ts";
import { type Fork, type ForkCommand, type ForkOrder, forkOf } from "./fork.ts";
import type { CopyAnswer, CopyRequest } from "./fork-source.ts";
import { ANSWER_MILLIS, RESEND_MILLIS } from "./host.ts";
import { newInstance } from "./new-instance.ts";
import { documentOf, presentRow } from "./present.ts";
import { told } from "./reporter.ts";
import type { RewindRequest } from "./rewind-target.ts";

/**
 * Writes an instance that is to be forked from another one.
 *
 * @throws WaymarkError `INSTANCE_EXISTS`, and those of a key
 */
export function forkInstance(
  engine: Engine,
  answers: Answers,
  command: ForkCommand,
): InstanceDocument {
  const { id, idempotency } = command;
  const present = () => documentOf(engine, presentRow(engine, id));
  return answers.once(idempotency, { of: () => ({}), expand: present }, () => {
    const existing = engine.instance.read();
    if (existing !== undefined) throw taken(existing);
    engine.tombstone.clear();
    const row = forkedRow(engine, command);
    engine.instance.write(row);
    fence(engine, row);
    engine.begin(row);
    return present();
  });
}

const fenceOf = ({ lastId }: Pick<ForkOrder, "lastId">): number => lastId + 1;

/** Keeps what comes to a fork that copies behind what is copied. */
function fence({ forks, host }: Engine, row: InstanceRow): void {
  const order = forkOf(row)?.order;
  if (order != null && order.through > 0) forks.putFence(fenceOf(order), host.now());
}

/** It ends before all is copied: a part of another one's history is none. Should it go on, it copies anew. */
export function dropCopied(engine: Engine, row: InstanceRow): void {
  engine.steps.deleteAll();
  fence(engine, row);
}

function forkedRow({ host, instance, registry }: Engine, command: ForkCommand): InstanceRow {
  const { id, version, input, source, reason, point } = command;
  const { workflow, tags, seeds, executionId, to, from, lastId } = point;
  const { rewinds, through, startedAt, sensitive } = point;
  const given = { id, workflow, version, input, tags, sensitive };
  const row = newInstance(given, host, registry);
  const request: RewindRequest = { to, reason, from };
  const rewind = instance.sealRewind(JSON.stringify(request));
  const fork: Fork = {
    source: { id: source, executionId, step: to },
    executionId: row.executionId,
    startedAt: through === 0 ? null : startedAt, // nothing of its time is recorded
    seeds,
    order: { executionId, rewinds, through, lastId, rewind },
  };
  return { ...row, fork: JSON.stringify(fork) };
}

function taken({ id, workflow, status }: InstanceRow): WaymarkError {
  return new WaymarkError(
    "INSTANCE_EXISTS",
    `there is an instance "${id}" of ${workflow}, ${status}. Choose another id for the fork, or leave it out`,
  );
}

/** Copies on, until all is there, the turn is used up, or another request has come. */
export async function copyHistory(engine: Engine, row: InstanceRow, budget: Budget): Promise<void> {
  const fork = forkOf(row);
  if (fork === null || fork.order === null) return;
  const copy = new Copy(engine, row, fork, fork.order);
  try {
    await copy.run(budget);
  } catch (error) {
    if (!(error instanceof Interruption)) throw error;
    if (error.failure !== null) copy.fail(error.failure);
  }
}

/** The copying ends here: with a failure, or because another request made it void, or it is to go on later. */
class Interruption extends Error {
  readonly failure: Failure | null;

  constructor(failure: Failure | null) {
    super("the copying ends here");
    this.failure = failure;
  }
}

type Rows = Extract<CopyAnswer, { readonly kind: "rows" }>;

class Copy {
  readonly #engine: Engine;
  readonly #row: InstanceRow;
  readonly #fork: Fork;
  readonly #order: ForkOrder;

  constructor(engine: Engine, row: InstanceRow, fork: Fork, order: ForkOrder) {
    this.#engine = engine;
    this.#row = row;
    this.#fork = fork;
    this.#order = order;
  }

  async run(budget: Budget): Promise<void> {
    const { forks, host } = this.#engine;
    const { through } = this.#order;
    const fence = fenceOf(this.#order);
    const last = through > 0 ? forks.lastBelow(fence) : 0;
    if (last > 0) forks.delete(last); // it may lack a text
    let more = through > 0;
    for (let after = forks.lastBelow(fence); more; ) {
      const page = await this.#page(after);
      more = page.more;
      for (const copied of page.rows) {
        forks.insert(copied); // one commit for all up to the next text that is still to come
        await this.#fill(copied);
        after = copied.id;
      }
      budget.spendStep();
      const further = after > last; // each turn takes a row off, and must come beyond it
      if (more && further && budget.spent(host.now())) return this.#later(host.now() + 1);
    }
    this.#finish(fence);
  }

  async #page(after: number): Promise<Pick<Rows, "rows" | "more">> {
    const answer = await this.#ask({ of: this.#order, kind: "rows", after });
    return answer.kind === "rows" ? answer : { rows: [], more: false };
  }

  async #fill(row: CopiedRow): Promise<void> {
    for (const column of missingTexts(row)) {
      const answer = await this.#ask({ of: this.#order, kind: "text", id: row.id, column });
      if (answer.kind === "text") this.#engine.forks.fill(row.id, column, answer.text);
    }
  }

  async #ask(request: CopyRequest): Promise<CopyAnswer> {
    const { host } = this.#engine;
    const { executionId, rewinds, through } = this.#order;
    const nap = host.napUntil(host.now() + ANSWER_MILLIS);
    const asked = { ...request, of: { executionId, rewinds, through } };
    let answer: CopyAnswer | null;
    try {
      const came = host.copyFrom(this.#fork.source.id, asked).catch(() => null);
      answer = await Promise.race([came, nap.over.then(() => null)]);
    } finally {
      nap.cancel();
    }
    if (!this.#isWanted()) throw new Interruption(null);
    if (answer === null) {
      const now = host.now();
      const waited = Math.max(RESEND_MILLIS.first, now - this.#row.createdAt); // so that it doubles
      this.#later(now + Math.min(waited, RESEND_MILLIS.most));
      throw new Interruption(null);
    }
    if (answer.kind === "refused") throw new Interruption(answer.failure);
    return answer;
  }

  /** Whether no other request has made it void since. */
  #isWanted(): boolean {
    const row = this.#engine.instance.read();
    if (row === undefined || row.executionId !== this.#row.executionId) return false;
    return row.heldAt === null && !isTerminal(row.status);
  }

  #later(at: number): void {
    this.#engine.instance.setLooking(at);
  }

  #finish(fence: number): void {
    const { engine, order } = { engine: this.#engine, order: this.#order };
    const at = engine.host.now();
    const fork = JSON.stringify({ ...this.#fork, order: null });
    const { rewind } = order;
    const { to, reason } = JSON.parse(engine.instance.openRewind(rewind)) as RewindRequest;
    if (order.through > 0) engine.forks.delete(fence); // no sooner: without the key it copies on later
    engine.instance.setCopied(
      order.through > 0
        ? { status: "Running", startedAt: at, rewind, fork, at }
        : { status: "Pending", startedAt: null, rewind: null, fork, at },
    );
    const why = { ...(to === null ? {} : { to }), ...(reason === null ? {} : { reason }) };
    engine.tell(this.#row, "instance.forked", { from: this.#fork.source.id, ...why });
  }

  fail(failure: Failure): void {
    const engine = this.#engine;
    const row = engine.instance.read();
    if (row === undefined) return;
    const at = engine.host.now();
    const error = encodeFailure(failure);
    engine.end(row, { status: "Failed", output: null, error, at }, told(failure));
  }
}
