/**
 * `npm run demo`: moves 135,000 real places through the record migration on a local Worker, kills it
 * three times with SIGKILL, and proves that every record arrived exactly once and unchanged.
 * Exit code 1 where it did not. All it writes lies in one folder, which it removes.
 */
import { mkdirSync, mkdtempSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { type InstanceDocument, isTerminal } from "../src/core/documents.ts";
import type { PlaceRow } from "../src/workflows/places.ts";
import { type Board, count, createBoard } from "./demo/board.ts";
import { readCities } from "./demo/cities.ts";
import { findFault, untilResumed } from "./demo/crash.ts";
import { progressOf, readHistory, readInstance, startInstance } from "./demo/instance.ts";
import { loadPlaces } from "./demo/load.ts";
import { prove } from "./demo/proof.ts";
import { type DevServer, logTail, startDevServer } from "./dev-server.ts";
import { ROOT } from "./wrangler.ts";

const WORKFLOW = "MigrateRecords";
const INSTANCE = "all-the-cities";

/** Where the Worker is killed: once this part of a stage's records is done. */
const CRASHES = [
  { stage: "ActivityOne", at: 0.3 },
  { stage: "ActivityTwo", at: 0.5 },
  { stage: "ActivityThree", at: 0.3 },
] as const;
/** On a slow machine a stage may be over before its kill; so many must have met one at work. */
const FEWEST_KILLS = 2;

const STAGES: readonly string[] = CRASHES.map(({ stage }) => stage);
const POLL_MILLIS = 25;
const STALL_MILLIS = 30_000;

const startedAt = performance.now();
const INDENT = " ".repeat(9);
const seconds = () => `${((performance.now() - startedAt) / 1000).toFixed(1)} s`.padStart(7);

/** One run of the demo: where it writes, what it moves and shows, and the server that is up. */
interface Run {
  readonly folder: string;
  readonly persistTo: string;
  readonly board: Board;
  readonly places: readonly PlaceRow[];
  /** The log of the server that is up; each has one of its own. */
  logFile: string;
  starts: number;
}

async function demo(run: Run): Promise<boolean> {
  const { board, places, persistTo } = run;
  say(board, `Loading ${count(places.length)} places into the legacy table of a local D1`);
  await loadPlaces(places, run.folder, persistTo);
  say(board, "Starting the Worker (wrangler dev)");
  let server = await start(run);
  await startInstance(server.url, WORKFLOW, INSTANCE);
  say(board, `Started ${WORKFLOW}: GET ${server.url}/v1/instances/${INSTANCE}\n`);
  let kills = 0;
  for (const { stage, at } of CRASHES) {
    const before = await watch(run, server, (instance) => isPast(instance, stage, at));
    if (!isAtWork(before, stage)) continue;
    server = await crash(run, server, before);
    kills += 1;
  }
  const end = await watch(run, server, ({ status }) => isTerminal(status));
  const { items } = await readHistory(server.url, INSTANCE);
  await server.stop();
  board.close();
  board.note("");
  say(board, `The instance is ${end.status}. Its history:`);
  for (const { step, state, startedAt, completedAt } of items) {
    board.note(`${INDENT}${step}: ${state}, from ${startedAt} to ${completedAt}`);
  }
  if (end.error !== null) board.note(JSON.stringify(end.error, null, 2));
  say(board, "Proof, with SQL on the local D1:");
  const killed = `killed in the middle of ${kills} stages: wanted ${FEWEST_KILLS} or more`;
  const findings = [
    { holds: kills >= FEWEST_KILLS, text: killed },
    ...(await prove(places, persistTo)),
  ];
  for (const { holds, text } of findings) board.note(`${INDENT}${holds ? "✓" : "✗"} ${text}`);
  return end.status === "Completed" && findings.every(({ holds }) => holds);
}

const say = (board: Board, text: string) => board.note(`${seconds()}  ${text}`);

async function start(run: Run): Promise<DevServer> {
  run.starts += 1;
  run.logFile = ""; // a server that does not come up tells its log itself
  const logFile = join(run.folder, `server-${run.starts}.log`);
  const vars = { AUTH: "none" };
  const server = await startDevServer({ persistTo: run.persistTo, logFile, vars });
  run.logFile = logFile;
  return server;
}

/** Whether the instance has done that part of a stage, or more. */
function isPast(instance: InstanceDocument, stage: string, part: number): boolean {
  const { activityStatus, status } = instance;
  if (isTerminal(status)) return true;
  const reached = STAGES.indexOf(activityStatus?.processingStage ?? "");
  const wanted = STAGES.indexOf(stage);
  const progress = progressOf(instance);
  if (reached !== wanted) return reached > wanted;
  return progress !== null && progress.done >= progress.total * part;
}

function isAtWork({ status, activityStatus }: InstanceDocument, stage: string): boolean {
  const { processingStage, processingStatus } = activityStatus ?? {};
  return !isTerminal(status) && processingStage === stage && processingStatus === "InProgress";
}

/** Shows the instance until it is as wanted. */
async function watch(
  run: Run,
  server: DevServer,
  wanted: (instance: InstanceDocument) => boolean,
): Promise<InstanceDocument> {
  let changedAt = Date.now();
  let last = "";
  for (;;) {
    const instance = await readInstance(server.url, INSTANCE);
    run.board.show(instance);
    if (wanted(instance)) return instance;
    const { lastProcessedId, processingStage } = instance.activityStatus ?? {};
    const place = `${instance.status} ${processingStage} ${lastProcessedId}`;
    if (place !== last) changedAt = Date.now();
    last = place;
    if (Date.now() - changedAt > STALL_MILLIS) throw new Error(`the migration stands: ${place}`);
    await wait(POLL_MILLIS);
  }
}

/** Kills the server, starts another, and shows that the stage goes on where it was. */
async function crash(run: Run, server: DevServer, before: InstanceDocument): Promise<DevServer> {
  const { board, places } = run;
  await server.kill();
  const { processingStage, lastProcessedId } = before.activityStatus ?? {};
  const done = count(progressOf(before)?.done ?? 0);
  say(board, `kill -9 of process group ${server.groupId} in the middle of ${processingStage}`);
  board.note(`${INDENT}last status seen: lastProcessedId ${lastProcessedId}, ${done} done`);
  const next = await start(run);
  say(board, "restarted; nobody asks for the instance, its own alarm wakes it");
  const resumed = await untilResumed(run.logFile, INSTANCE);
  const fault = findFault(before, resumed, places);
  if (fault !== null) throw new Error(`the stage did not resume as it must: ${fault}`);
  const { step, after, firstId } = resumed;
  say(board, `✓ ${step} went on after lastProcessedId ${after}:`);
  board.note(
    `${INDENT}${count(resumed.done)} done before; its first record is the next, ${firstId}\n`,
  );
  return next;
}

const parent = join(ROOT, ".demo");
mkdirSync(parent, { recursive: true });
const folder = mkdtempSync(join(parent, "run-"));
process.once("exit", () => {
  rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  try {
    rmdirSync(parent);
  } catch {
    // another demo runs
  }
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => process.exit(130));
}

const places = readCities();
const board = createBoard(STAGES, places.length);
const persistTo = join(folder, "state");
const run: Run = { folder, persistTo, board, places, logFile: "", starts: 0 };
try {
  const proven = await demo(run);
  const verdict = proven
    ? "Every record arrived exactly once and unchanged."
    : "NOT PROVEN: see the lines marked with ✗.";
  board.note("");
  say(board, verdict);
  process.exitCode = proven ? 0 : 1;
} catch (error) {
  board.close();
  console.error(`\nThe demo failed: ${error instanceof Error ? error.message : error}`);
  if (run.logFile !== "") console.error(`\nThe Worker's log ends:\n${logTail(run.logFile)}`);
  process.exitCode = 1;
}
process.exit(); // ends a server that a failure left behind
