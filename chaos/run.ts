/**
 * `npm run chaos`: hundreds of instances on `wrangler dev`, whose process group is killed with SIGKILL at random
 * moments, and a ledger outside that keeps every effect. In the end every instance must have come to what a
 * plain model says, with no effect missing and no step repeated after its commit. Exit code 1 where not; then
 * the state directory and the logs stay.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { logTail } from "../scripts/dev-server.ts";
import { check } from "./check.ts";
import { type Client, clientOf } from "./client.ts";
import { type Draw, drawOf } from "./draw.ts";
import { type Complaint, type End, type Evidence, instant } from "./evidence.ts";
import type { Planned } from "./expectation.ts";
import { goingOn } from "./going-on.ts";
import { type Ledger, openLedger } from "./ledger.ts";
import { createObserver, type Observer } from "./observer.ts";
import { type Options, parseOptions, USAGE } from "./options.ts";
import { faultLines, type Run, runNotes, runTable } from "./report.ts";
import { planInstances } from "./shapes/index.ts";
import { ACCOUNTS, moneyFaults, OPENING_CENTS, type Transfer } from "./shapes/money.ts";
import { retriesIn } from "./worker-log.ts";
import { openWorld, type World } from "./world.ts";

/** What has not ended so long after the last kill and the last new effect of any instance is stuck. */
const STUCK_MILLIS = 45_000;
/** Nothing takes longer, whatever happens. */
const LONGEST_MILLIS = 600_000;
/** After all have ended nothing may happen any more. */
const QUIET_MILLIS = 1_500;
/** The least and the most, compared with each other, that the Worker is left alone between two kills. */
const SHORTEST = 0.1;
/** So many of the kills come in the middle of a start's replays. */
const EARLY = 0.2;

async function chaos(options: Options, folder: string): Promise<Run> {
  const [plan, killing, looking, failing] = [1, 2, 3, 4].map((n) => drawOf(options.seed * 8 + n));
  if (!plan || !killing || !looking || !failing) throw new Error("no chance is left");
  const ledger = await openLedger(failing);
  const startedAt = instant();
  const world = await openWorld(folder, ledger.url);
  logFile = () => world.logFile(world.kills.length);
  const startMillis = instant() - startedAt;
  const giveUp = new AbortController();
  let repeatedRequests = 0;
  const clientUntil = (signal: AbortSignal) =>
    clientOf({
      url: world.url,
      records: ledger.records,
      signal,
      repeated: () => repeatedRequests++,
    });
  const client = clientUntil(AbortSignal.timeout(LONGEST_MILLIS));
  const observer = createObserver(client, looking);
  const planned = planInstances(options.instances, plan, ledger.url);
  const complaints: Complaint[] = [];
  await openAccounts(client);
  const lastsMillis = options.seconds * 1_000 + options.kills * startMillis;
  const storyteller = clientUntil(giveUp.signal);
  const stories = planned.map(async (one) => {
    await wait(plan.fraction() * lastsMillis * 0.95);
    complaints.push(...(await live(one, storyteller, observer)));
  });
  const looks = observer.look();
  await killAll(world, options, killing);
  const killedAt = instant();
  const hope = () => instant() < Math.max(killedAt, ledger.newestAt) + STUCK_MILLIS;
  const watch = setInterval(() => hope() || giveUp.abort(new Error("nobody answered")), 500);
  await Promise.all(stories);
  clearInterval(watch);
  const ends = await collect(planned, observer, hope);
  observer.stop();
  await looks;
  await wait(QUIET_MILLIS);
  complaints.push(...(await checkMoney(planned, ends, client)));
  const evidence = evidenceOf({ ledger, world, observer, ends, complaints });
  await world.stop();
  ledger.close();
  const faults = check(planned, evidence);
  return { planned, evidence, faults, goingOn: goingOn(planned, evidence), repeatedRequests };
}

interface Witnesses {
  readonly ledger: Ledger;
  readonly world: World;
  readonly observer: Observer;
  readonly ends: ReadonlyMap<string, End>;
  readonly complaints: readonly Complaint[];
}

const evidenceOf = ({ ledger, world, observer, ends, complaints }: Witnesses): Evidence => ({
  records: [...ledger.records],
  kills: [...world.kills],
  retries: [0, ...world.kills].map((_, life) => retriesIn(world.logFile(life))),
  sightings: [...observer.sightings],
  ends,
  complaints,
});

/** Starts an instance, and tells its story; what is wrong with the answers. */
async function live(
  { id, workflow, input, live: story }: Planned,
  client: Client,
  observer: Observer,
): Promise<readonly Complaint[]> {
  const complain = (text: string): Complaint => ({ instance: id, text });
  try {
    const body = { id, ...(input === undefined ? {} : { input }) };
    const { status, body: answer } = await client.post(
      `/v1/workflows/${workflow}/instances`,
      body,
      `${id}-start`,
    );
    if (status !== 202) return [complain(`was answered ${status}: ${JSON.stringify(answer)}`)];
    observer.started(id);
    return ((await story?.(client)) ?? []).map(complain);
  } catch (error) {
    return [complain(`its story broke off: ${error instanceof Error ? error.message : error}`)];
  }
}

/** Kills the Worker so often, at moments that chance chooses within the time that there is. */
async function killAll(world: World, { kills, seconds }: Options, draw: Draw): Promise<void> {
  const shares = Array.from({ length: kills + 1 }, () =>
    draw.chance(EARLY) ? draw.fraction() * SHORTEST : SHORTEST + draw.fraction(),
  );
  const sum = shares.reduce((total, share) => total + share, 0);
  for (const [index, share] of shares.entries()) {
    await wait((share / sum) * seconds * 1_000);
    if (index === kills) return;
    await world.crash();
    progress(`${index + 1} of ${kills} kills`);
  }
}

async function collect(
  planned: readonly Planned[],
  observer: Observer,
  hope: () => boolean,
): Promise<ReadonlyMap<string, End>> {
  const ends = new Map<string, End>();
  const add = async (id: string) => {
    const end = await observer.ended(id, hope);
    if (end !== null) ends.set(id, end);
    return end;
  };
  for (const { id } of planned) {
    const end = await add(id);
    for (const { kind, instanceId } of end?.history ?? []) {
      if (kind === "child" && instanceId !== undefined) await add(instanceId);
    }
  }
  return ends;
}

const accountPath = (account: string) => `/v1/entities/Account/${account}`;

async function openAccounts(client: Client): Promise<void> {
  for (const account of ACCOUNTS) {
    await client.post(`${accountPath(account)}/deposit`, OPENING_CENTS, `open-${account}`);
  }
}

async function checkMoney(
  planned: readonly Planned[],
  ends: ReadonlyMap<string, End>,
  client: Client,
): Promise<readonly Complaint[]> {
  const balances = new Map<string, number>();
  for (const account of ACCOUNTS) {
    const { body } = await client.get(accountPath(account));
    balances.set(account, (body as { state: number }).state);
  }
  const transfers = planned
    .filter(({ workflow }) => workflow === "TransferMoney")
    .flatMap(({ id, input }): Transfer[] => {
      const document = ends.get(id)?.document;
      if (document?.status !== "Completed") return []; // a fault of its own
      return [{ id, ...(input as Omit<Transfer, "id" | "output">), output: document.output }];
    });
  return moneyFaults(transfers, balances).map((text) => ({ instance: "accounts", text }));
}

const progress = (text: string) => {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
};

let logFile: (() => string) | null = null;

async function main(): Promise<void> {
  let options: Options;
  try {
    options = parseOptions(process.argv.slice(2), Math.floor(Math.random() * 1_000_000));
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    console.error(USAGE);
    process.exit(2);
  }
  const folder = mkdtempSync(join(tmpdir(), "waymark-chaos-"));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => {
      process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
      process.exit(130); // the server ends with this process, before its folder goes
    });
  }
  process.env.TMPDIR = join(folder, "tmp"); // what a killed Wrangler leaves there goes with the run
  mkdirSync(process.env.TMPDIR);
  const { seed, instances, kills, seconds } = options;
  process.exitCode = 1; // until it is known to be good
  console.log(
    `${instances} instances, ${kills} kills in ${seconds} s and their restarts: ` +
      `npm run chaos -- --seed ${seed} --instances ${instances} --kills ${kills} --seconds ${seconds}`,
  );
  try {
    const run = await chaos(options, folder);
    progress("");
    console.log(`\n${runTable(run)}\n`);
    for (const note of runNotes(run)) console.log(note);
    const good = run.faults.length === 0;
    if (good)
      console.log("Nothing is lost, nothing is stuck, nothing was repeated after its commit.");
    else console.log(`\n${run.faults.length} faults:\n${faultLines(run).join("\n")}`);
    if (good && !options.keep) {
      rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
      process.exit(0);
    }
    keepEvidence(folder, options, run);
    if (good) process.exitCode = 0;
  } catch (error) {
    console.error(error);
    if (logFile !== null) console.error(`The server's log ends:\n${logTail(logFile())}`);
  }
  console.log(`\nState, logs and evidence are in ${folder}`);
  process.exit(); // and with it what a failure left behind
}

function keepEvidence(folder: string, options: Options, { faults, evidence, goingOn }: Run): void {
  const kept = { options, faults, goingOn, ...evidence, ends: Object.fromEntries(evidence.ends) };
  writeFileSync(join(folder, "evidence.json"), JSON.stringify(kept, null, 1));
}

await main();
