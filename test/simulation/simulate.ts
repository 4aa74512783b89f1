/** Runs one seed: a scenario with its faults, watched by every invariant, to its very end. */

import type { PayloadCodec } from "../../src/core/codec.ts";
import { type InstanceStatus, isTerminal } from "../../src/core/documents.ts";
import { isEntityAddress } from "../../src/core/entity.ts";
import { isWaymarkError } from "../../src/core/errors.ts";
import type { StoredHistory } from "../../src/core/history.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { decode, encode } from "../../src/core/payload.ts";
import type { Commands } from "../../src/engine/commands.ts";
import { Cluster } from "../../src/testing/cluster.ts";
import type { InProcessObject } from "../../src/testing/in-process-object.ts";
import { type TraceEvent, tellTrace } from "../../src/testing/trace.ts";
import {
  entityIsCovered,
  entityWaits,
  Losses,
  ledger,
  ledgersAgree,
  lookAt,
  type Noted,
  withEntities,
} from "./entities.ts";
import { type FaultPlan, faultPlan } from "./fault-plan.ts";
import { Copies, cameTooLate, withForks } from "./forks.ts";
import * as invariants from "./invariants.ts";
import { asSent, pace } from "./picky.ts";
import { MOCKS, racy, sub, witness } from "./programs.ts";
import { Random } from "./random.ts";
import { RoundsWatch } from "./rounds.ts";
import { instanceRow } from "./rows.ts";
import {
  type ClientAct,
  type Scenario,
  scenarioOf,
  withRewinds,
  withSagas,
  withUpdates,
} from "./scenario.ts";
import { codecOf, keepsSecrets, showsNone, wholeHistory, withSecrets } from "./secrets.ts";
import { sectionsAreWhole, tally, withSections } from "./sections.ts";
import { withShorts } from "./shorts.ts";
import { Undoing } from "./undoing.ts";
import { appliedOnce, heardIn, heardOf, isReply, UpdateClient } from "./updates.ts";

/** What became of a seed. */
export interface SeedReport {
  readonly seed: number;
  /** What is broken, in words; empty where nothing is. */
  readonly problems: readonly string[];
  readonly crashes: number;
  readonly commits: number;
  readonly steps: number;
  /** What happened, in words; only where something is broken. */
  readonly story: readonly string[];
}

const MINUTE = 60_000;
/** From here on nothing fails any more. */
const FAULTY_MILLIS = 10 * MINUTE;
/** Longer than any sleep of a program and any wait between two tries of a suspended instance. */
const ROUND_MILLIS = 120 * MINUTE;
/** Rounds, each with an event for those that wait without a timeout. */
const MOST_ROUNDS = 200;

/** Of such a value that the seeds which once found something are left as they were. */
const ENTITY_SALT = 0x5bd1e9e1;
const SECTION_SALT = 0x2545f4a0;
const SECRET_SALT = 0x2c1b3c6d;
const SHORT_SALT = 0x61c88647;

/** How very short steps run, and when turns begin. */
export interface ShortCuts {
  /** Of them that share a commit; 0 where each has its own. */
  readonly stepsPerCommit: number;
  readonly gate: "steps" | "effects";
  /** Whether turns begin before their alarm. */
  readonly prompt: boolean;
  /** Whether that of a start begins in its commit. */
  readonly atOnce: boolean;
}

/** As it was before there was a short cut, and as the seeds that found something then must run. */
export const NO_SHORT_CUTS: ShortCuts = {
  stepsPerCommit: 0,
  gate: "steps",
  prompt: false,
  atOnce: false,
};

/** Not drawn, so that it changes nothing else. */
function shortCutsOf(seed: number): ShortCuts {
  if (seed % 4 < 2) return NO_SHORT_CUTS;
  const gate = seed % 4 === 2 ? "effects" : "steps";
  return { stepsPerCommit: 1 + (seed % 9), gate, prompt: seed % 8 > 3, atOnce: seed % 16 > 7 };
}

export async function simulate(seed: number, cuts = shortCutsOf(seed)): Promise<SeedReport> {
  const random = new Random(seed);
  const rewound = withRewinds(scenarioOf(random), new Random(-seed));
  const sagas = withSagas(rewound, new Random(seed + SAGAS));
  const updates = withUpdates(sagas, new Random(0x5eed ^ -seed));
  const entities = withEntities(updates, new Random(seed ^ ENTITY_SALT));
  const sections = withSections(entities, new Random(seed ^ SECTION_SALT));
  const forks = withForks(sections, new Random(seed + FORKS));
  const secrets = withSecrets(forks, new Random(seed ^ SECRET_SALT));
  const shorts = () => withShorts(secrets, new Random(seed ^ SHORT_SALT));
  const scenario = cuts.stepsPerCommit === 0 ? secrets : shorts();
  const faults = faultPlan(random);
  const options = { cellBytes: cellBytesOf(seed), codec: codecOf(seed), cuts };
  const simulation = new Simulation(scenario, faults, random, options);
  await simulation.run();
  const { cluster, problems } = simulation;
  const objects = cluster.objects;
  const sum = (of: (object: InProcessObject) => number) =>
    objects.reduce((total, object) => total + of(object), 0);
  const story = () => [JSON.stringify(scenario), ...tellTrace(cluster.trace)];
  return {
    seed,
    problems,
    crashes: sum((object) => object.crashes),
    commits: sum((object) => object.commits),
    steps: cluster.trace.filter(({ kind }) => kind === "attempt").length,
    story: problems.length === 0 ? [] : story(),
  };
}

/** Far from any seed. */
const SAGAS = 1_000_000_007;
const FORKS = 2_000_000_011;

/** In one of three seeds nearly every value is split over rows: not drawn, so that old seeds tell the same story. */
const cellBytesOf = (seed: number): number | undefined => (seed % 3 === 0 ? 24 : undefined);

/** Read from the rows: a request would stir the object. */
const statusOf = (object: InProcessObject): InstanceStatus | "gone" =>
  instanceRow(object)?.status ?? "gone";

const hasEnded = (object: InProcessObject): boolean => {
  const status = statusOf(object);
  return status === "gone" || isTerminal(status);
};

const isHeld = (object: InProcessObject): boolean => instanceRow(object)?.heldAt != null;

type Instance = Scenario["instances"][number];

/** What is asked too late, or too early. */
const REFUSALS: readonly string[] = [
  "INSTANCE_TERMINAL",
  "INSTANCE_NOT_TERMINAL",
  "REWIND_TARGET_UNKNOWN",
  "LOCKS_HELD",
  "INSTANCE_BUSY",
];

const hasSeq = ({ seq }: { readonly seq: number | null }): boolean => seq !== null;

/** What does not come from the scenario. */
interface SimulationOptions {
  readonly cellBytes: number | undefined;
  readonly codec: PayloadCodec | undefined;
  readonly cuts: ShortCuts;
}

class Simulation {
  readonly cluster: Cluster;
  readonly problems: string[] = [];
  readonly #scenario: Scenario;
  /** Whether storage is encrypted. */
  readonly #coded: boolean;
  readonly #faults: FaultPlan;
  readonly #cuts: ShortCuts;
  readonly #checkpoints = new invariants.Checkpoints();
  readonly #cancellations = new invariants.Cancellations();
  readonly #results: invariants.StoredResults;
  readonly #statuses = new invariants.Statuses();
  readonly #goneBack = new invariants.Rewinds();
  readonly #undoing = new Undoing();
  /** Events that instances have sent, with the id of the one they went to. */
  readonly #delivered: (readonly [to: string, payload: string])[] = [];
  readonly #noted: Noted[] = [];
  readonly #losses = new Losses();
  /** The payloads of acknowledged events to the present execution of each instance. */
  readonly #sent = new Map<string, Set<string>>();
  /** Instances that stood still for a while, because they were suspended or had lost their alarm. */
  readonly #delayed = new Set<string>();
  readonly #updates = new UpdateClient();
  /** Calls under way. */
  #looking = 0;
  #events = 0;
  #starts = 0;
  #restarts = 0;
  #rewinds = 0;
  #forks = 0;
  readonly #copies: Copies;
  /** Instances, and executions, that have ever been rewound. */
  readonly #rewound = new Set<string>();
  readonly #rounds = new RoundsWatch(this.#rewound);

  constructor(
    scenario: Scenario,
    faults: FaultPlan,
    random: Random,
    { cellBytes, codec, cuts }: SimulationOptions,
  ) {
    const { stepsPerCommit, gate, prompt } = cuts;
    this.#results = new invariants.StoredResults(gate);
    this.#coded = codec !== undefined;
    this.#scenario = scenario;
    this.#copies = new Copies(cellBytes === undefined && codec === undefined);
    this.#faults = faults;
    this.#cuts = cuts;
    this.cluster = new Cluster({
      workflows: [racy, sub],
      entities: [ledger, tally],
      ...(cellBytes === undefined ? {} : { cellBytes }),
      ...(codec === undefined ? {} : { codec }),
      activities: MOCKS,
      turn: { ...scenario.turn, stepsPerCommit, prompt },
      gate,
      faults,
      choose: (count) => random.below(count),
      onEvent: (event) => this.#watch(event),
    });
    witness.sent = (to, payload) => this.#delivered.push([to, encode(payload, "the event")]);
    witness.noted = (key, line) => this.#noted.push([key, line]);
    pace.sleep = (millis) => this.cluster.clock.sleep(millis);
    witness.saw = (id) => {
      if (id === undefined || this.#looking > 0) return; // a call may replay what it does not deliver
      this.problems.push(...invariants.maySee(this.cluster.object(id)));
    };
  }

  async run(): Promise<void> {
    const { cluster } = this;
    const begun = cluster.clock.now();
    const clients = this.#scenario.instances.map((instance) => this.#client(instance, begun));
    await cluster.run(new Date(begun + FAULTY_MILLIS));
    this.#faults.stop();
    await cluster.run(new Date(begun + FAULTY_MILLIS + MINUTE));
    await Promise.all(clients); // whatever is not acknowledged by now never will be: see `stuck`
    for (let round = 0; round < MOST_ROUNDS && this.#goesOn(); round++) {
      await this.#nudge();
      await cluster.advance(ROUND_MILLIS);
    }
    await this.#judge();
  }

  /** One client of one instance: it starts it, and does one thing after the other. */
  async #client({ id, program, acts, startAfter }: Instance, begun: number): Promise<void> {
    const { clock } = this.cluster;
    await clock.sleep(startAfter);
    this.#sent.set(id, new Set());
    await this.#start(id, program, "existing");
    for (const { at, verb, back } of acts) {
      await clock.sleep(Math.max(0, begun + startAfter + at - clock.now()));
      if (verb === "rewind") await this.#rewind(id, back);
      else if (verb === "fork") await this.#fork(id, back);
      else if (verb === "update") await this.#update(id, this.#updates.next(id));
      else await this.#act(id, verb, program);
    }
  }

  #start(
    id: string,
    program: Instance["program"],
    onConflict: "existing" | "replace",
    what: string = onConflict,
  ) {
    const { name: workflow, version } = racy;
    const input = encode(program, "the input");
    const idempotency = { key: `${what} ${id}`, fingerprint: input };
    const executionId = `${id}/start-${++this.#starts}`;
    const command = { id, executionId, workflow, version, input, tags: {}, onConflict };
    let { atOnce } = this.#cuts; // where it is lost, it is sent as any other
    return this.#send(id, what, (commands) => {
      const receipt = commands.start({ ...command, idempotency, atOnce });
      atOnce = false;
      return receipt;
    });
  }

  /** Lets an instance that has ended go on; one that has not refuses. */
  async #rewind(id: string, back: number | undefined): Promise<void> {
    const idempotency = { key: `rewind ${++this.#rewinds}`, fingerprint: id };
    await this.#send(id, "rewind", (commands) => {
      const ended = commands.history(id, null, LIMITS.historyPage).items.filter(hasSeq);
      const step = back === undefined ? undefined : ended[Math.floor(back * ended.length)];
      const to = step === undefined || step.kind === "rewind" ? null : step.step;
      return commands.rewind(id, { to, reason: "simulated", idempotency });
    });
  }

  /** Forks an instance; the fork has events at once, and goes on as any other. */
  async #fork(id: string, back: number | undefined): Promise<void> {
    const as = `${id}-fork-${++this.#forks}`;
    const idempotency = { key: `fork ${as}`, fingerprint: id };
    const given = await this.#send(id, "fork point", (commands) => {
      const ended = commands.history(id, null, LIMITS.historyPage).items.filter(hasSeq);
      const step = back === undefined ? undefined : ended[Math.floor(back * ended.length)];
      const to = step === undefined || step.kind === "rewind" ? null : step.step;
      const point = commands.forkPoint(id, { as, to, version: null, idempotency });
      this.#copies.give(this.cluster.object(id), point);
      return point;
    });
    if (given === undefined) return;
    const { input, ...point } = given;
    this.#copies.take(as, id, point);
    const command = { id: as, version: point.version, input, source: id, point, reason: null };
    await this.#send(as, "fork", (commands) => commands.fork({ ...command, idempotency }));
    this.#sent.set(as, new Set());
    await this.#event(as, "a");
    await this.#event(as, "b");
  }

  /** Sends an update until it is answered, if only that it is accepted. */
  async #update(id: string, number: number): Promise<void> {
    const { cluster, problems } = this;
    for (;;) {
      this.#looking++;
      const request = this.#updates.request(id, number, cluster.clock.now());
      const answer = await cluster.object(id).request(request);
      this.#looking--;
      if (answer === undefined) {
        await cluster.clock.sleep(500);
        continue;
      }
      const heard = answer.ok ? heardIn(answer.value) : heardOf(answer.error);
      const rewound = this.#rewound.has(id);
      problems.push(...(rewound ? [] : this.#updates.hear(number, heard)));
      return;
    }
  }

  /** W8: each update is answered as before; and a query, by the code, what the code has returned. */
  async #judgeCalls(id: string, { status, workflow, output }: StoredHistory): Promise<void> {
    const { cluster, problems } = this;
    for (const [number] of this.#updates.of(id)) {
      const until = new Date(cluster.clock.now() + MINUTE);
      const again = this.#update(id, number);
      await cluster.run(until);
      await again;
    }
    if (workflow !== racy.name || status !== "Completed") return;
    const commits = cluster.object(id).commits;
    const seen = await cluster.instance(id).call<string[]>("seen");
    const returned = decode(output ?? "-1") as string[];
    if (JSON.stringify(seen) !== JSON.stringify(returned)) {
      problems.push(`W6: a query of ${id} is answered ${seen}, and it has returned ${returned}`);
    }
    if (cluster.object(id).commits !== commits) problems.push(`a query of ${id} has written`);
    const acts = this.#scenario.instances.find((instance) => instance.id === id)?.acts ?? [];
    const anew = acts.some(({ verb }) => ["replace", "restart", "purge"].includes(verb));
    const sent = this.#updates.of(id);
    const known = sent.filter(([, heard]) => !(anew && isReply(heard))); // else another execution did it
    if (!this.#rewound.has(id)) problems.push(...appliedOnce(seen, known));
  }

  async #act(id: string, verb: ClientAct["verb"], program: Instance["program"]): Promise<void> {
    switch (verb) {
      case "read":
        await this.#send(id, verb, (commands) => commands.get(id));
        return;
      case "restart": {
        const idempotency = { key: `restart ${++this.#restarts}`, fingerprint: id };
        const command = { reason: "simulated", idempotency };
        await this.#send(id, verb, (commands) => commands.restart(id, command));
        this.#sent.set(id, new Set());
        return;
      }
      case "purge":
        await this.#send(id, verb, (commands) => commands.purge(id, { force: true }));
        await this.#startLate(id, program);
        await this.#start(id, program, "existing", "start again");
        this.#sent.set(id, new Set());
        return;
      case "suspend":
      case "resume":
      case "cancel":
        await this.#send(id, verb, (commands) => commands[verb](id, { reason: "simulated" }));
        return;
      case "terminate":
        await this.#send(id, verb, (commands) => commands.terminate(id, { reason: "simulated" }));
        return;
      case "compensate": {
        const command = { reason: "simulated", compensate: true };
        await this.#send(id, verb, (commands) => commands.terminate(id, command));
        return;
      }
      case "replace":
        await this.#start(id, program, "replace");
        this.#sent.set(id, new Set()); // events of the execution before are gone with it
        return;
      default:
        await this.#event(id, verb === "event a" ? "a" : "b");
    }
  }

  /** W8: the message of the first start comes once more, after its instance was purged. */
  async #startLate(id: string, program: Instance["program"]): Promise<void> {
    try {
      await this.#start(id, program, "existing");
      this.problems.push(`W8: a late message starts ${id} again, which was purged`);
    } catch (error) {
      if (!isWaymarkError(error, "INSTANCE_PURGED")) throw error;
    }
  }

  async #event(id: string, event: string): Promise<void> {
    const payload = encode(`event ${++this.#events}`, "the event");
    const idempotency = { key: payload, fingerprint: payload };
    const answer = await this.#send(id, `event ${event}`, (commands) =>
      commands.sendEvent(id, { event, payload, idempotency }),
    );
    if (answer !== undefined) this.#sent.get(id)?.add(payload);
  }

  /** Sends until it is acknowledged. Undefined where the instance has ended before. */
  async #send<Answer>(
    id: string,
    what: string,
    request: (commands: Commands) => Answer,
  ): Promise<Answer | undefined> {
    try {
      return await this.cluster.send(id, { what, request });
    } catch (error) {
      if (isWaymarkError(error) && REFUSALS.includes(error.code)) return undefined;
      throw error;
    }
  }

  #watch(event: TraceEvent): void {
    const object = this.cluster.object(event.object);
    const bereft = this.#faults.bereft.has(event.object);
    const suspended = event.kind === "log" && event.event.event === "instance.suspended";
    if (bereft || suspended) this.#delayed.add(event.object);
    const row = event.kind === "commit" ? instanceRow(object) : undefined;
    if (row?.status === "Suspended") this.#delayed.add(event.object);
    if (row?.rewind != null) this.#rewound.add(event.object).add(row.executionId);
    this.#losses.see(event, object);
    this.problems.push(
      ...invariants.handlerNeverThrows(event),
      ...invariants.neverDiverges(event),
      ...invariants.mayBegin(event, object),
      ...invariants.isCovered(event, object, bereft),
      ...entityIsCovered(event, object, bereft),
      ...keepsSecrets(event, object, this.#coded),
      ...invariants.partsAreOwned(event, object),
      ...invariants.sleepsUnwoken(event, object),
      ...invariants.showsHeld(event, object),
      ...invariants.runsOn(event, object),
      ...this.#checkpoints.see(event),
      ...this.#cancellations.see(event, object),
      ...this.#results.see(event, object),
      ...this.#statuses.see(event, object),
      ...this.#goneBack.see(event, object),
      ...this.#undoing.see(event, object),
      ...this.#rounds.see(event, object),
      ...this.#copies.see(event, this.cluster),
    );
  }

  #goesOn(): boolean {
    return this.cluster.objects.some(
      (object) => !hasEnded(object) || invariants.sentAll(object).length > 0 || entityWaits(object),
    );
  }

  #unended(): InProcessObject[] {
    return this.cluster.objects.filter((object) => !hasEnded(object));
  }

  /**
   * A look at an instance mends its lost alarm; a suspended one is resumed, and one that waits for events
   * gets one of each.
   */
  async #nudge(): Promise<void> {
    for (const { id } of this.cluster.stuck()) {
      if (!this.#faults.bereft.has(id)) this.problems.push(`W3: ${id} is stuck until it is nudged`);
    }
    for (const object of this.cluster.objects) {
      if (object.alarm !== null) continue;
      if (isEntityAddress(object.name)) lookAt(object);
      else if (invariants.sentAll(object).length > 0) object.commands.get(object.name);
    }
    for (const object of this.#unended()) {
      if (isHeld(object)) await this.#resume(object.name);
      const { waitingFor } = object.commands.get(object.name);
      for (const { kind, name, due } of waitingFor) {
        if (kind !== "event" || due !== undefined) continue;
        const event = this.#event(object.name, name);
        await this.cluster.run(new Date(this.cluster.clock.now() + MINUTE));
        await event;
        break;
      }
    }
  }

  async #resume(id: string): Promise<void> {
    const resumed = this.#send(id, "resume", (commands) => commands.resume(id, { reason: null }));
    await this.cluster.run(new Date(this.cluster.clock.now() + MINUTE));
    await resumed;
  }

  /** W8: what an instance has sent is there, unless the other one has begun anew since. */
  #lost(id: string, { steps }: StoredHistory): string[] {
    const acts = this.#scenario.instances.find((instance) => instance.id === id)?.acts ?? [];
    if (acts.some(({ verb }) => ["replace", "restart", "purge"].includes(verb))) return [];
    const there = new Set([
      ...this.#rounds.gone(id),
      ...steps.map(({ result }) => asSent(result ?? "")),
    ]);
    const sent = this.#delivered.flatMap(([to, payload]) => (to === id ? [payload] : []));
    const lost = sent.filter((payload) => !there.has(payload));
    return lost.map((payload) => `W8: the event ${payload} was sent to ${id}, and is not there`);
  }

  async #judge(): Promise<void> {
    const { cluster, problems } = this;
    for (const instance of cluster.stuck()) problems.push(`W3: ${instance.id} is stuck`);
    problems.push(...sectionsAreWhole(cluster, this.#rewound));
    problems.push(...ledgersAgree(cluster, this.#noted, this.#rewound, this.#losses));
    for (const object of cluster.objects) {
      const id = object.name;
      problems.push(...invariants.restsEmpty(object), ...invariants.sentAll(object));
      const status = statusOf(object);
      if (status === "gone") continue;
      if (cameTooLate(object)) continue; // it has no history
      if (!isTerminal(status)) problems.push(`${id} has not ended: it is ${status}`);
      const error = object.commands.get(id).error?.message;
      if (status === "Failed" && error !== "as planned") problems.push(`${id} failed: ${error}`);
      if (!this.#delayed.has(id)) problems.push(...invariants.hearsRequests(object));
      problems.push(...invariants.memoryAgrees(object));
      const history = wholeHistory(object);
      problems.push(...showsNone(cluster.instance(id)));
      const { customStatus } = cluster.instance(id).document();
      const sent = this.#sent.get(id) ?? new Set();
      problems.push(
        ...invariants.rowsAreSound(history),
        ...invariants.eventsAreThereOnce(history, sent, {
          before: this.#rounds.gone(id),
          rewound: this.#rewound,
        }),
        ...invariants.refusedDoNotFit(history),
        ...this.#undoing.judge(history, this.#rewound.has(id)),
        ...invariants.headwayCounts(history),
        ...(this.#rewound.has(id) ? [] : this.#rounds.inOrder(id)),
        ...this.#lost(id, history),
        ...invariants.childrenAgree(history, cluster),
        ...(await invariants.replaysTheSame(history, customStatus)),
      );
      await this.#judgeCalls(id, history);
    }
  }
}
