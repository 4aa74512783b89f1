/**
 * `npm run bench`: Waymark beside bare Durable Objects that do only the necessary writes, on one local
 * Worker, round by round. Everything stays on loopback and in one folder, which it removes; the
 * results go to bench/results/latest.json.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { logTail } from "../scripts/dev-server.ts";
import { answer } from "./answer.ts";
import { chain } from "./chain.ts";
import { clientOf } from "./client.ts";
import { create } from "./create.ts";
import { fanOut } from "./fan-out.ts";
import { fetches } from "./fetches.ts";
import { measure, type WorkloadResult } from "./measure.ts";
import { type Options, parseOptions, USAGE } from "./options.ts";
import { startOrigin } from "./origin.ts";
import { rowsText, workloadText, writeReport } from "./report.ts";
import { restartAfter } from "./restart.ts";
import { countRows, type RowsResult } from "./rows.ts";
import { startBenchServer } from "./server.ts";
import { randomOf } from "./statistics.ts";
import { throughput } from "./throughput.ts";
import type { Bench } from "./workload.ts";

const WORKLOADS = [
  chain,
  fanOut,
  fetches,
  create,
  throughput,
  answer,
  restartAfter(1_000),
  restartAfter(10_000),
];
const ROWS = "rows";
const RESULTS = join(import.meta.dirname, "results", "latest.json");

/** With the rounds it has by default it ends in less than half of this on two idle cores. */
const LONGEST_MILLIS = 240_000;

async function bench(options: Options, folder: string): Promise<void> {
  const { rounds, only, seed } = options;
  const wanted = (name: string) => only.length === 0 || only.includes(name);
  const random = randomOf(seed);
  const origin = await startOrigin();
  const server = await startBenchServer(folder);
  try {
    const tools: Bench = { send: clientOf(server.url), origin };
    const workloads: WorkloadResult[] = [];
    for (const workload of WORKLOADS.filter(({ name }) => wanted(name))) {
      const result = await measure(workload, tools, { rounds, random });
      workloads.push(result);
      console.log(workloadText(result));
    }
    const rows: readonly RowsResult[] = wanted(ROWS) ? await countRows(tools.send) : [];
    if (rows.length > 0) console.log(rowsText(rows));
    writeReport(RESULTS, { options, workloads, rows });
    console.log(`median (min to max) of ${rounds} rounds; ratios are taken within a round.`);
    console.log(`Every sample is in ${RESULTS}`);
  } finally {
    await server.stop();
    origin.close();
  }
}

async function main(): Promise<void> {
  const names = [...WORKLOADS.map(({ name }) => name), ROWS];
  const options = readOptions(names);
  if (options === undefined) return;
  const folder = mkdtempSync(join(tmpdir(), "waymark-bench-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => process.exit(1)); // the server ends with this process
  }
  const limit = setTimeout(() => {
    console.error(`The bench took longer than ${LONGEST_MILLIS / 1_000} s.`);
    process.exit(1);
  }, LONGEST_MILLIS);
  try {
    await bench(options, folder);
  } catch (error) {
    console.error(error);
    console.error(`The server's log ends:\n${logTail(join(folder, "server.log"))}`);
    process.exitCode = 1;
  } finally {
    clearTimeout(limit);
  }
}

function readOptions(names: readonly string[]): Options | undefined {
  try {
    return parseOptions(process.argv.slice(2), names);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    console.error(USAGE);
    process.exitCode = 2;
    return undefined;
  }
}

await main();
