/**
 * The engine of one instance: holds its memory, runs its turns, keeps its alarm.
 *
 * - W1: the rows decide; `#execution` is a cache of them that may vanish between two waits.
 * - W3: whatever makes work due sets the alarm in the same commit, or rings the turn that runs. While
 *   a turn runs no later alarm is set: a crash leads to another turn at once.
 * - W4: `wake` never throws.
 *
 * It is long because each end of a turn writes rows, memory and alarm in one breath: apart, the three
 * would have to be read together all the same.
 */
import { isTerminal } from "../core/documents.ts";
import { isUnreadable, WaymarkError } from "../core/errors.ts";
import {
  encodeFailure,
  engineFailure,
  isCancelRequest,
  TerminatedError,
  toFailure,
} from "../core/failure.ts";
import { LIMITS } from "../core/limits.ts";
import type { LogFields } from "../core/log.ts";
import type { StepIdentity } from "../core/names.ts";
import { ENCODED_UNDEFINED, type Encoded, encode } from "../core/payload.ts";
import { asSensitive } from "../core/sensitive.ts";
import type { Continuation } from "../core/step.ts";
import type { AnyWorkflow, Registry } from "../core/workflow.ts";
import { ForkStore } from "../store/fork-store.ts";
import { InboxStore } from "../store/inbox-store.ts";
import { type InstanceEnd, InstanceStore } from "../store/instance-store.ts";
import { KeyStore } from "../store/key-store.ts";
import { OutboxStore, type OutgoingRow } from "../store/outbox-store.ts";
import { PartStore } from "../store/part-store.ts";
import { RewindStore } from "../store/rewind-store.ts";
import type { InstanceRow } from "../store/rows.ts";
import { Tables } from "../store/schema.ts";
import type { Sql } from "../store/sql.ts";
import { StepStore } from "../store/step-store.ts";
import { TombstoneStore } from "../store/tombstone-store.ts";
import { keepAnswer, keepLateAnswer } from "./answer.ts";
import { PURGED } from "./answers.ts";
import { Breather } from "./breather.ts";
import { Budget } from "./budget.ts";
import { closeChildren, outcomeOf, tellParent } from "./children.ts";
import { type CorrectedHost, correctedHost } from "./corrected-host.ts";
import { Courier, type Outgoing } from "./courier.ts";
import { Doorbell } from "./doorbell.ts";
import { isCareful, storedDue } from "./due.ts";
import { Ends } from "./ends.ts";
import { Execution } from "./execution.ts";
import { isCopying } from "./fork.ts";
import { copyHistory, dropCopied } from "./fork-copy.ts";
import { awaitsLocks, refusedAgain, releaseLocks } from "./held-locks.ts";
import { DEFAULT_TURN_BUDGET, type Host, type TurnBudget } from "./host.ts";
import { Leaving } from "./leaving.ts";
import {
  type Answered,
  callerOf,
  type MessageAnswer,
  type MessageContent,
  prepared,
} from "./message.ts";
import { nextExecution, unheard, unheardUpdates } from "./next-round.ts";
import { PastView } from "./past-view.ts";
import { Prompt } from "./prompt.ts";
import { Reporter, told } from "./reporter.ts";
import { applyRewind, planRewind, stepsOf } from "./rewind.ts";
import type { RewindRequest } from "./rewind-target.ts";
import { nextLook, objectLost, versionMissing } from "./suspension.ts";
import { type CodeEnd, runTurn, type TurnEnd } from "./turn.ts";
import { UpdateDesk } from "./update-desk.ts";

export interface EngineOptions {
  readonly sql: Sql;
  readonly host: Host;
  readonly registry: Registry;
  readonly turn?: Partial<TurnBudget>;
  /** UTF-8 bytes of a text that is not split over rows; tests take fewer than the platform. */
  readonly cellBytes?: number | undefined;
}

/** The step that waits for an answer, and the try that it belongs to; null where it has but one. */
interface Waits {
  readonly executionId: string;
  readonly step: StepIdentity;
  readonly attempt: string | null;
}

/** An execution that is to be rewound before it goes on. */
interface Rewinding {
  readonly rewinding: InstanceRow;
  readonly workflow: AnyWorkflow;
}

/** An execution whose history is to be copied before it is rewound. */
interface Copying {
  readonly copying: InstanceRow;
}

/** What the platform says of an alarm that has fired. */
export interface FiredAlarm {
  /** How often it has run before, because its handler died. */
  readonly retries: number;
  /** The moment it was set for, in milliseconds since 1970, where that is known. */
  readonly scheduledAt?: number | undefined;
}

/** The platform gives an alarm up after six retries; before that the instance is suspended. */
const MOST_RETRIES = 4;
/** Waits after the engine itself has failed, storage included: from a second, doubling, to a minute. */
const BROKEN_MILLIS = { first: 1_000, most: 60_000 };

export class Engine {
  readonly host: CorrectedHost;
  readonly registry: Registry;
  readonly instance: InstanceStore;
  readonly steps: StepStore;
  readonly keys: KeyStore;
  readonly tombstone: TombstoneStore;
  readonly outbox: OutboxStore;
  readonly inbox: InboxStore;
  readonly rewinds: RewindStore;
  readonly forks: ForkStore;
  readonly #courier: Courier;
  readonly #budget: TurnBudget;
  readonly #doorbell = new Doorbell();
  readonly #breather: Breather;
  /** Requests that wait for the end. */
  readonly ends: Ends;
  /** Requests that wait for an update. */
  readonly updates: UpdateDesk;
  /** Its code where it is not in memory. */
  readonly past: PastView;
  #execution: Execution | null = null;
  readonly #prompt: Prompt;
  #turn: Promise<void> | null = null;
  /** The turn began before its alarm has fired: nothing but that alarm covers it. */
  #early = false;
  /** A turn looks at the rows again before it ends: it need only be rung. */
  #turning = false;
  #spending: Budget | null = null;
  /** The alarm as set by this memory; undefined where an earlier one may have set it. */
  #alarmAt: number | null | undefined;
  /** When it is to be woken whatever messages there are. */
  #wanted: number | null = null;
  /** The execution this memory has begun: no crash can lie before it. */
  #begunHere: string | null = null;
  /** The execution whose row this memory has just written, and whose code has not run. */
  #fresh: string | null = null;
  /** A request came before the first turn: it may be what brought the object back after a crash. */
  #requested = false;
  #broken = 0;
  /** How often something has ended, or stilled, what goes on here. */
  #disturbances = 0;
  readonly #leaving: Leaving;

  constructor(options: EngineOptions) {
    this.host = correctedHost(options.host);
    this.registry = options.registry;
    const tables = new Tables(options.sql);
    const parts = new PartStore(options.sql, options.cellBytes, tables);
    this.instance = new InstanceStore(options.sql, parts, tables);
    this.steps = new StepStore(options.sql, parts);
    this.keys = new KeyStore(options.sql, LIMITS.idempotencyKeys, tables);
    this.tombstone = new TombstoneStore(options.sql, tables);
    this.outbox = new OutboxStore(options.sql, parts, tables);
    this.inbox = new InboxStore(options.sql, tables);
    this.rewinds = new RewindStore(options.sql, parts);
    this.forks = new ForkStore(options.sql, parts);
    this.#courier = new Courier({
      host: this.host,
      outbox: this.outbox,
      doorbell: this.#doorbell,
      prepare: (content) => prepared(content, this.registry, this.host.now()),
      answered: (row, content, answer) => this.#answered(row, content, answer),
    });
    this.ends = new Ends(this.host);
    this.updates = new UpdateDesk(this.host, this.keys, this.steps.updates);
    this.past = new PastView(this);
    this.#breather = new Breather(this.host);
    this.#leaving = new Leaving(this.host);
    this.#budget = { ...DEFAULT_TURN_BUDGET, ...options.turn };
    this.#prompt = new Prompt(this.host, this.#budget.prompt);
  }

  /** The execution in memory, where there is one. */
  get execution(): Execution | null {
    return this.#execution;
  }

  /** Notes that a request reached this memory. The first one sees to it that an alarm is set. */
  requested(): void {
    if (!this.#requested && this.#turn === null && this.#alarmAt === undefined) void this.#mend();
    this.#requested = true;
  }

  /**
   * Sets the alarm anew where the platform has given it up: after six retries it is gone for good, and
   * only a request can bring the instance back. Costs a read, once for each memory that a request makes.
   */
  async #mend(): Promise<void> {
    const alarm = await this.host.getAlarm();
    if (alarm !== null || this.#turn !== null || this.#alarmAt !== undefined) return;
    const row = this.instance.read();
    if (row === undefined) this.#decay();
    if (!this.#courier.empty) this.#setAlarm(null); // no later than its next message
    if (row === undefined || isTerminal(row.status)) return;
    const due = storedDue(row, this.steps.open(), this.steps.bufferedNames());
    if (due !== null) this.#setAlarm(Math.max(due, this.host.now() + 1));
  }

  /** Keeps a message to another instance: it leaves in a turn, after this commit. */
  post(message: Outgoing): void {
    const now = this.host.now();
    this.#courier.post(message, now);
    const due = this.#alarmAt != null && this.#alarmAt <= now; // of many that are posted in one go
    if (this.#turning || !due) this.poke(now);
  }

  /** Another instance has answered a message. */
  #answered(row: OutgoingRow, content: MessageContent, answer: MessageAnswer): void {
    const { executionId, step, target } = row;
    if (!answer.ok) {
      const present = this.instance.read();
      if (present !== undefined) {
        const secret = "sensitive" in content && content.sensitive === true;
        const failure = asSensitive(answer.failure, secret);
        const refusal = { to: target, message: content.kind, ...told(failure) };
        this.tell(present, "message.refused", refusal);
      }
    }
    if (step === null) return;
    const caller = callerOf(content);
    if (answer.ok && caller?.awaited) return;
    const outcome: Answered = answer.ok
      ? { ok: true, result: ENCODED_UNDEFINED }
      : { ok: false, failure: answer.failure, final: true };
    const attempt = caller?.attempt ?? null;
    if (
      content.kind === "lock" &&
      !answer.ok &&
      refusedAgain(this, content.caller, answer.failure)
    ) {
      return;
    }
    this.conclude({ executionId, step, attempt }, outcome);
  }

  /** What a step waits for has come; one of a past execution, or that has ended, does not wait any more. */
  conclude(waits: Waits, outcome: Answered): void {
    const row = this.instance.read();
    if (row === undefined || row.executionId !== waits.executionId) return;
    const { step, attempt } = waits;
    // Of a step that was cancelled, or whose execution has ended, a rewind may ask what became of it.
    if (!outcome.ok) this.steps.noteUnsent(step, encodeFailure(outcome.failure));
    if (row.rewind !== null) this.#disturbances++; // what is planned by now knows nothing of it
    if (isTerminal(row.status)) {
      if (attempt !== null) keepLateAnswer(this.steps, step, attempt, outcome);
      return;
    }
    const now = this.host.now();
    const taken =
      this.#execution?.conclude(step, attempt, outcome) ?? this.#keepAnswer(waits, outcome, now);
    if (!taken && attempt !== null) keepLateAnswer(this.steps, step, attempt, outcome);
    if (row.heldAt === null) this.poke(now);
    else this.#sendLater();
  }

  /** Of a suspended instance no turn is made due, but a lock's next entity may have been asked. */
  #sendLater(): void {
    if (this.#turning) this.#doorbell.ring();
    else if (!this.#courier.empty) this.#setAlarm(this.#wanted);
  }

  /** Keeps an answer while the execution is not in memory. Returns whether its step waits for it. */
  #keepAnswer({ step, attempt }: Waits, outcome: Answered, now: number): boolean {
    const stored = this.steps.find(step);
    return stored !== undefined && keepAnswer(this.steps, stored, attempt, outcome, now) !== null;
  }

  /**
   * The alarm's work: runs a turn, or joins the one that runs. Never throws (W4).
   */
  wake(alarm: FiredAlarm): Promise<void> {
    if (alarm.scheduledAt !== undefined) this.host.alarmFired(alarm.scheduledAt);
    if (this.#turn !== null) {
      if (this.#early) this.#alarmAt = null; // it is the one that was set for this turn
      this.#early = false;
      return this.#turn;
    }
    const uncovered = this.#alarmAt === null; // a request has deleted it as it fired, or it fires twice
    this.#alarmAt = null; // it has fired
    return this.#beginTurn(alarm.retries, uncovered);
  }

  #beginTurn(retries: number, uncovered: boolean): Promise<void> {
    if (this.#wanted !== null && this.#wanted <= this.host.now()) this.#wanted = null;
    this.#turn = this.#run(retries, uncovered)
      .catch((error: unknown) => {
        if (!this.#waitsForKey(error)) this.#recover(error);
      })
      .finally(() => {
        this.#turn = null;
        this.#early = false;
      });
    return this.#turn;
  }

  /**
   * Makes the instance look at its rows: rings the running turn, or sets the alarm, and begins one if it is due.
   *
   * @param atOnce whether it begins before what was written is durable, in the same commit
   */
  poke(at: number, atOnce = false): void {
    if (this.#turning) {
      this.#doorbell.ring();
      // A handler covers its turn, unless it has set a later alarm; an early turn has none before its alarm has come.
      const later = this.#alarmAt === null ? this.#early : (this.#alarmAt ?? at) > at;
      if (later) this.#setAlarm(at);
      return;
    }
    this.#setAlarm(at);
    if (at <= this.host.now()) this.#prompt.begin(() => this.#beginEarly(), atOnce);
  }

  #beginEarly(): void {
    if (this.#turn !== null || this.#alarmAt == null) return; // it has begun, or is not due any more
    this.#early = true;
    void this.#beginTurn(0, false);
  }

  /**
   * A new execution has been written: drops the memory of the one before.
   *
   * @param atOnce whether its code begins in the same commit
   */
  begin(row: InstanceRow, atOnce = false): void {
    this.drop(new WaymarkError("ATTEMPT_STOPPED", "the instance was started anew"));
    this.#begunHere = row.executionId;
    this.poke(row.due ?? row.createdAt, atOnce);
  }

  /** Writes the end of the instance. */
  end(row: InstanceRow, end: InstanceEnd, fields: LogFields = {}): void {
    closeChildren(this, row);
    releaseLocks(this, row);
    tellParent(this, row, outcomeOf(end));
    this.instance.setEnded(end);
    if (isCopying(row)) dropCopied(this, row);
    this.steps.cancelOpen(end.at);
    if (this.#execution === null || this.#execution.updates.open > 0)
      this.steps.updates.cancelOpen();
    this.updates.abandon();
    this.#setAlarm(null);
    const reporter = this.#execution?.reporter ?? this.#reporter(row);
    const ms = end.at - (row.startedAt ?? end.at);
    reporter.instance(`instance.${end.status.toLowerCase()}`, { ...fields, ms });
    this.drop(new WaymarkError("ATTEMPT_STOPPED", `the instance is ${end.status}`));
    this.#afterCommit(reporter);
    this.ends.tell();
  }

  /**
   * An execution goes that another one takes the place of, with all its steps.
   *
   * @param outcome what its parent is told, where it had not ended; null where the next one is its child, too
   */
  forsake(row: InstanceRow, outcome: Answered | null): void {
    if (!isTerminal(row.status)) {
      closeChildren(this, row);
      releaseLocks(this, row);
      if (outcome !== null) tellParent(this, row, outcome);
    }
    this.updates.settle(row.executionId, null);
    this.updates.abandon();
    this.steps.deleteAll();
  }

  /** Removes an instance that has ended; a tombstone stays for those who send for it again. */
  purge(row: InstanceRow): void {
    const alone = this.#courier.empty;
    if (!alone) this.steps.forgetParts(); // a message that is not answered may have some, too
    this.instance.drop(alone);
    this.steps.dropped();
    this.keys.answerAll(PURGED);
    this.tombstone.write({ executionId: row.executionId, at: this.host.now() });
    // A turn that runs sets the alarm as it ends: with a later one set, a crash would not bring it back. Nothing brings
    // back an early one whose alarm the end has deleted.
    if (!this.#turning || this.#early) this.#decay();
  }

  /** Sees to it that a tombstone goes when nobody can send for its instance any more. */
  #decay(): void {
    const tombstone = this.tombstone.read();
    if (tombstone === undefined) return;
    const due = tombstone.at + LIMITS.tombstoneMillis;
    const early = this.host.now() < due;
    if (early || !this.#courier.empty) {
      this.#setAlarm(early ? due : null); // or no later than its next message
      return;
    }
    this.host.erase();
    this.keys.dropped();
    this.outbox.dropped();
    this.inbox.dropped();
    this.#courier.reset();
    this.#alarmAt = null;
  }

  /** Nothing is to wake the instance any more, but for attempts that still run. */
  still(): void {
    this.#disturbances++;
    if (this.#turning) this.#doorbell.ring();
    else if ((this.#execution?.runner.running ?? 0) === 0) this.#setAlarm(null);
  }

  /** The instance's row has been written anew: the memory of it follows. */
  become(row: InstanceRow): void {
    if (this.#execution !== null) this.#execution.row = row;
  }

  /** Logs what has become of an instance, once it is durable. */
  tell(row: InstanceRow, event: string, fields: LogFields = {}): void {
    const reporter = this.#execution?.reporter ?? this.#reporter(row);
    reporter.instance(event, fields);
    this.#afterCommit(reporter);
  }

  /** Drops the memory of the execution; its attempts are stopped. */
  drop(reason: WaymarkError): void {
    this.#disturbances++;
    this.#execution?.runner.stopAll(reason);
    this.#execution = null;
    this.#doorbell.ring();
  }

  async #run(retries: number, uncovered: boolean): Promise<void> {
    this.#turning = true;
    const budget = new Budget(this.#budget, this.host.now()); // for all that take their turn in it
    this.#spending = budget;
    try {
      for (;;) {
        const execution = this.#execution ?? this.#load(retries);
        if (execution === null) {
          if (!(await this.#correspond(budget))) return;
          continue;
        }
        if ("copying" in execution) {
          await copyHistory(this, execution.copying, budget);
          continue;
        }
        if ("rewinding" in execution) {
          await this.#rewind(execution);
          continue;
        }
        // W3: a handler whose alarm is deleted is not run again after a crash.
        if (uncovered && this.#alarmAt === null) this.#setAlarm(this.host.now() + 1);
        const end = await this.#drive(execution, budget);
        if (end.kind === "gone") continue; // another execution may have taken its place
        if (end.kind === "continued") {
          if (this.#breather.due) await this.#breather.breathe();
          const goesOn = this.#execution === execution && !execution.held; // or a request came meanwhile
          if (goesOn && !this.#continue(execution, end.next, budget)) return;
          continue;
        }
        this.#close(execution, end);
        if (this.#courier.empty || !(await this.#correspond(budget))) return;
      }
    } finally {
      this.#spending = null;
      this.#turning = false; // in the same breath as the close: who comes now sets the alarm
    }
  }

  /**
   * Sends what is due while nothing else is to be done. Returns whether there may be: an answer has come, or
   * somebody has rung; else the alarm is set for what is left.
   */
  async #correspond(budget: Budget): Promise<boolean> {
    const now = this.host.now();
    this.#courier.send(now);
    if (!this.#courier.busy) {
      this.#setAlarm(this.#wanted);
      return false;
    }
    if (budget.spent(now)) {
      this.#setAlarm(now + 1);
      return false;
    }
    const next = Math.min(this.#courier.nextLook(now), budget.endsAt);
    await this.#doorbell.waitUntil(this.host, next);
    budget.spendStep();
    return true;
  }

  #drive(execution: Execution, budget: Budget): Promise<TurnEnd> {
    return runTurn({
      host: this.host,
      execution,
      budget,
      courier: this.#courier,
      doorbell: this.#doorbell,
      breather: this.#breather,
      alive: () => this.#execution === execution,
      resumed: () => this.#resumed(execution),
      keepStatus: () => this.#keepStatus(execution),
    });
  }

  /**
   * Lets the next execution take the place of this one, in one go. Returns whether it may begin in this
   * turn, which it does in the same breath; else the alarm is set for it.
   */
  #continue(execution: Execution, next: Continuation, budget: Budget): boolean {
    const now = this.host.now();
    this.#keepStatus(execution);
    const { row, reporter, driver } = execution;
    budget.spendStep();
    // What has killed the object may be the next execution's: that one must be stored before its code runs.
    const begins = !execution.careful && !budget.spent(now);
    const written = nextExecution(row, next, this.registry, { now, begins });
    execution.leave();
    closeChildren(this, row);
    releaseLocks(this, row);
    const given = unheard(driver.undelivered);
    if (given.length > 0) this.steps.giveBack(given);
    if (execution.updates.total > 0) this.#handOn(execution, written.executionId);
    this.steps.deleteSteps();
    this.instance.setContinued(written);
    const { executionId, version } = written;
    const ms = now - (row.startedAt ?? now);
    reporter.instance("instance.continued", { ms, next: executionId, version });
    this.drop(new WaymarkError("ATTEMPT_STOPPED", "the instance goes on in its next execution"));
    this.#begunHere = executionId;
    this.#fresh = begins ? executionId : null;
    this.#broken = 0;
    if (!begins) this.#setAlarm(now + 1);
    this.#afterCommit(reporter);
    return begins;
  }

  /** Updates that the code has not got go along to the next execution; the others have their reply, or none. */
  #handOn({ row, driver }: Execution, next: string): void {
    const unheard = unheardUpdates(driver.undelivered);
    if (unheard.length > 0) this.steps.updates.giveBack(unheard, []);
    this.steps.updates.freeBuffered();
    this.updates.settle(row.executionId, next);
    this.updates.abandon(this.steps.updates.bufferedIds());
  }

  /** Brings the execution to memory; null where nothing is to be done now. */
  #load(retries: number): Execution | Rewinding | Copying | null {
    const now = this.host.now();
    const row = this.instance.read();
    if (row === undefined) this.#decay();
    if (row === undefined || isTerminal(row.status)) return null;
    if (row.heldAt !== null) return null;
    this.keys.checkWritable();
    if (row.due !== null && row.due > now) {
      this.#setAlarm(row.due);
      return null;
    }
    const workflow = this.registry.find(row.workflow, row.version);
    if (workflow === undefined) {
      this.#suspend(row, versionMissing(row));
      return null;
    }
    if (retries >= MOST_RETRIES) {
      this.#suspend(row, objectLost(retries));
      return null;
    }
    if (isCopying(row)) return { copying: row };
    if (row.rewind !== null) return { rewinding: row, workflow };
    if (awaitsLocks(this, row)) return null;
    return this.#begin(row, workflow, retries > 0, now);
  }

  /** Carries out a rewind that was asked for, unless another request has come meanwhile. */
  async #rewind({ rewinding: row, workflow }: Rewinding): Promise<void> {
    const request = JSON.parse(this.instance.openRewind(row.rewind ?? "null")) as RewindRequest;
    try {
      const plan = await planRewind(this, row, workflow, request, this.#undisturbed());
      if (!this.#rewindsStill(row)) return;
      applyRewind(this, row, plan, request);
      const again = stepsOf(plan).length;
      const { to, reason } = request;
      const asked = { ...(to === null ? {} : { to }), ...(reason === null ? {} : { reason }) };
      this.tell(row, "instance.rewound", { ...asked, again });
    } catch (error) {
      if (!(error instanceof WaymarkError)) throw error;
      if (error.code === "ATTEMPT_STOPPED") return; // and the rows are looked at again
      if (this.#rewindsStill(row)) this.#suspend(row, error);
    }
  }

  /** A pause, after which what was begun before it goes on only where no request has made it void. */
  #undisturbed(): () => Promise<void> {
    const before = this.#disturbances;
    return async () => {
      await this.pause();
      if (this.#disturbances === before) return;
      throw new WaymarkError("ATTEMPT_STOPPED", "another request has come meanwhile");
    };
  }

  #rewindsStill({ executionId, rewind }: InstanceRow): boolean {
    const row = this.instance.read();
    return row?.executionId === executionId && row.rewind === rewind && row.heldAt === null;
  }

  /** Resolves when every promise job that can run has run, and what else waits has had its turn. */
  async pause(): Promise<void> {
    await this.host.drain();
    if (this.#breather.due) await this.#breather.breathe();
  }

  #begin(row: InstanceRow, workflow: AnyWorkflow, retry: boolean, now: number): Execution {
    const { host, steps } = this;
    const begunHere = this.#begunHere === row.executionId;
    const disturbed = retry || this.#requested;
    const careful = !begunHere && isCareful(row, steps.open(), { disturbed, now });
    this.#begunHere = row.executionId;
    const first = row.startedAt === null;
    if (first) this.instance.setRunning(now);
    const execution = new Execution({
      host,
      steps,
      row: first ? { ...row, status: "Running", due: null, startedAt: now, updatedAt: now } : row,
      workflow,
      doorbell: this.#doorbell,
      breather: this.#breather,
      spendCheckpoint: () => this.#spending?.spendCheckpoint(host.now()) ?? false,
      strayed: (execution) => {
        if (execution === this.#execution && !execution.held) this.poke(host.now());
      },
      resumed: !first && this.#fresh !== row.executionId,
      blank: first && row.rewinds === 0 && row.fork === null,
      careful,
      memoryLost: !begunHere,
      leaving: this.#leaving,
      desk: this.updates,
      stepsPerCommit: this.#budget.stepsPerCommit,
      spending: () => (this.#execution === execution ? this.#spending : null),
      keepStatus: (execution) => this.#keepStatus(execution),
      post: (message) => this.#courier.post(message, host.now()),
    });
    this.#execution = execution;
    if (first && row.round === 1) {
      execution.reporter.instance("instance.started", { version: row.version });
    } else if (first && row.status === "Suspended") {
      execution.reporter.instance("instance.resumed");
    }
    this.#fresh = null;
    execution.start();
    return execution;
  }

  /** Replay has passed where a suspended instance had stopped: it runs again, and owes no turn. */
  #resumed(execution: Execution): boolean {
    const { status, due, compensating } = execution.row;
    if (execution.driver.compensating && compensating !== 1) {
      this.instance.setCompensating();
      execution.row = { ...execution.row, compensating: 1 };
    }
    if (status === "Running" && due === null) return this.#keepStatus(execution);
    const now = this.host.now();
    this.instance.setRunning(now);
    execution.row = { ...execution.row, status: "Running", due: null, updatedAt: now };
    this.#keepStatus(execution);
    if (status === "Suspended") execution.reporter.instance("instance.resumed");
    return true;
  }

  /** What a replay sets on its way is older than what is stored: only the last of it counts. */
  #keepStatus(execution: Execution): boolean {
    const { customStatus } = execution.driver;
    if (customStatus === undefined || customStatus === execution.row.customStatus) return false;
    this.instance.setCustomStatus(customStatus);
    execution.row = { ...execution.row, customStatus };
    return true;
  }

  /** Writes what a turn's end means, and sets the alarm, without a wait in between (W3). */
  #close(execution: Execution, end: Exclude<TurnEnd, { kind: "gone" | "continued" }>): void {
    const now = this.host.now();
    this.#broken = 0;
    switch (end.kind) {
      case "ended":
        this.#keepStatus(execution);
        execution.leave();
        this.#finish(execution.row, end.end, now);
        break;
      case "suspended":
        this.#suspend(execution.row, end.error);
        break;
      case "yielded":
        execution.keepOpen(now);
        this.#setAlarm(now + 1);
        break;
      case "waiting":
        execution.keepOpen(now);
        this.#setAlarm(Number.isFinite(end.due) ? Math.max(end.due, now + 1) : null);
    }
  }

  #finish(row: InstanceRow, end: CodeEnd, at: number): void {
    const output = encodedOutput(row, end);
    if (output.ok) {
      this.end(row, { status: "Completed", output: output.text, error: null, at });
      return;
    }
    const asked = isCancelRequest(output.error) || output.error instanceof TerminatedError;
    const secret = this.hides(row);
    const failure = asked
      ? engineFailure(output.error as WaymarkError)
      : asSensitive(toFailure(output.error), secret);
    const error = encodeFailure(failure);
    const status = asked ? "Terminated" : "Failed";
    this.end(row, { status, output: null, error, at }, told(failure));
  }

  /** Whether what the instance is given and comes to is not shown. */
  hides({ workflow, version, sensitive }: InstanceRow): boolean {
    return sensitive === 1 || this.registry.find(workflow, version)?.options.sensitive === true;
  }

  /** Nothing is lost, nothing is guessed (W7): it waits for code that fits, and looks now and then. */
  #suspend(row: InstanceRow, error: WaymarkError): void {
    const now = this.host.now();
    const { suspensions, due } = nextLook(row, now);
    const failure = engineFailure(error);
    const inClear = isUnreadable(error);
    this.instance.setSuspended({
      error: encodeFailure(failure),
      inClear,
      due,
      suspensions,
      at: now,
    });
    const reporter = this.#execution?.reporter ?? this.#reporter(row);
    // Its attempts are stopped here. Where there are none, the marks are of such as were lost.
    if (this.#execution !== null) this.steps.unmark(now);
    this.drop(new WaymarkError("ATTEMPT_STOPPED", "the instance is suspended"));
    this.#setAlarm(due);
    reporter.instance("instance.suspended", told(failure));
    this.#afterCommit(reporter);
  }

  /**
   * What is stored cannot be read, or nothing can be written, for want of a key: that is no failure of the code, and
   * passes. Returns whether it was that.
   */
  #waitsForKey(error: unknown): boolean {
    if (!isUnreadable(error)) return false;
    try {
      const row = this.instance.read();
      if (row === undefined || isTerminal(row.status) || row.heldAt !== null) return false;
      this.#suspend(row, error);
      return true;
    } catch {
      return false; // it is looked at again all the same
    }
  }

  /** The engine or its storage has failed: forgets its memory, and comes back to the rows later. */
  #recover(error: unknown): void {
    const wait = Math.min(BROKEN_MILLIS.first * 2 ** this.#broken, BROKEN_MILLIS.most);
    this.#broken++;
    const now = this.host.now();
    const reporter = this.#execution?.reporter;
    this.drop(
      new WaymarkError("ATTEMPT_STOPPED", "the engine failed and starts again from its rows"),
    );
    try {
      this.#setAlarm(now + wait);
      if (reporter !== undefined) this.steps.unmark(now);
      reporter?.instance("engine.failed", told(toFailure(error)));
      reporter?.flush();
    } catch {
      // Storage is gone: the platform resets the object and runs this alarm again.
    }
  }

  /** Sets the alarm, or an earlier one where a message is to be sent before. */
  #setAlarm(wanted: number | null): void {
    this.#wanted = wanted;
    const message = this.#courier.nextDue();
    const send = message === null ? null : Math.max(message, this.host.now() + 1);
    const at = send !== null && (wanted === null || send < wanted) ? send : wanted;
    if (at === this.#alarmAt) return;
    this.host.setAlarm(at);
    this.#alarmAt = at;
  }

  #reporter(row: InstanceRow): Reporter {
    return new Reporter(this.host, row);
  }

  #afterCommit(reporter: Reporter): void {
    this.host.committed().then(
      () => reporter.flush(),
      () => {}, // not stored, so not told
    );
  }
}

/** An output that cannot be stored fails the instance, as a thrown error does. */
function encodedOutput(
  row: InstanceRow,
  end: CodeEnd,
): { readonly ok: true; readonly text: Encoded } | { readonly ok: false; readonly error: unknown } {
  if (!end.ok) return end;
  try {
    return { ok: true, text: encode(end.output, `the output of "${row.workflow}"`) };
  } catch (error) {
    return { ok: false, error };
  }
}
