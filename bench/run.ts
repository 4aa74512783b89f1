/**
 * `npm run bench`: Waymark beside bare Durable Objects that do only the necessary writes, on one local
 * Worker, round by round. Everything stays on loopback and in one folder, which it removes; the
 * results go to bench/results/latest.json.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { logTail } from "../scripts/dev-server.ts";
import { answer } from "./answer.ts";
import { chains } from "./chain.ts";
import { svgOf } from "./chart.ts";
import { clientOf } from "./client.ts";
import { CONTENDERS } from "./contender.ts";
import { create } from "./create.ts";
import { event } from "./event.ts";
import { evictions } from "./evictions.ts";
import { fanOut } from "./fan-out.ts";
import { fetches } from "./fetches.ts";
import { countFiles, type FileResult } from "./files.ts";
import { flat } from "./flat.ts";
import { kill } from "./kill.ts";
import { measure, type WorkloadResult } from "./measure.ts";
import { type MemoryResult, measureMemory } from "./memory.ts";
import { type Options, parseOptions, USAGE } from "./options.ts";
import { type Origin, startOrigin } from "./origin.ts";
import { chartOf } from "./picture.ts";
import {
  filesText,
  memoryText,
  rowsText,
  verdictsText,
  workloadText,
  writeReport,
} from "./report.ts";
import { restartAfter } from "./restart.ts";
import { countRows, type RowsResult } from "./rows.ts";
import { type BenchServers, startBenchServers } from "./server.ts";
import { sleep } from "./sleep.ts";
import { randomOf } from "./statistics.ts";
import { status } from "./status.ts";
import { judge, TARGETS } from "./targets.ts";
import { throughput } from "./throughput.ts";
import type { Bench } from "./workload.ts";

const WORKLOADS = [
  ...chains,
  fanOut,
  fetches,
  create,
  throughput,
  answer,
  sleep,
  event,
  status,
  flat,
  evictions,
  restartAfter(1_000),
  restartAfter(10_000),
  restartAfter(10_000, true),
  kill,
];
const ROWS = "rows";
const FILES = "files";
const MEMORY = "memory";
const RESULTS = join(import.meta.dirname, "results", "latest.json");

/** With the rounds it has by default it ends in about a quarter of this on two idle cores. */
const LONGEST_MILLIS = 1_800_000;

async function bench(options: Options, folder: string): Promise<void> {
  const { rounds, only, seed, svg, check } = options;
  const wanted = (name: string) => only.length === 0 || only.includes(name);
  const random = randomOf(seed);
  const loadBefore = loadavg();
  const origin = await startOrigin();
  const servers = await startBenchServers(folder);
  try {
    const tools = toolsOf(servers, origin);
    const workloads: WorkloadResult[] = [];
    for (const workload of WORKLOADS.filter(({ name }) => wanted(name))) {
      const result = await measure(workload, tools, { rounds, random });
      workloads.push(result);
      console.log(workloadText(result));
      writeReport(RESULTS, { options, workloads, rows: [], files: [], memory: [] }); // if it goes no further
    }
    const rows: readonly RowsResult[] = wanted(ROWS)
      ? await countRows(tools.sendTo("waymark"))
      : [];
    if (rows.length > 0) console.log(rowsText(rows));
    const files: readonly FileResult[] = wanted(FILES) ? await countFiles(tools, folder) : [];
    if (files.length > 0) console.log(filesText(files));
    const memory: readonly MemoryResult[] = wanted(MEMORY)
      ? await measureMemory(folder, origin)
      : [];
    if (memory.length > 0) console.log(memoryText(memory));
    writeReport(RESULTS, { options, workloads, rows, files, memory });
    const verdicts = judge(TARGETS, { workloads, files });
    console.log(verdictsText(verdicts));
    if (svg !== undefined) writeFileSync(svg, svgOf(chartOf(workloads)));
    if (check && verdicts.some(({ met }) => met === false)) process.exitCode = 1;
    console.log(`median (min to max) of ${rounds} rounds; ratios are taken within a round.`);
    console.log(
      `The machine's load was ${loadText(loadBefore)} before and ${loadText(loadavg())} after.`,
    );
    console.log(`Every sample is in ${RESULTS}`);
  } finally {
    await Promise.all(Object.values(servers).map((server) => server.stop()));
    origin.close();
  }
}

/** Over a minute. Where it is near the number of cores, ratios hold better than times. */
const loadText = ([minute = 0]: readonly number[]) =>
  `${minute.toFixed(1)} on ${cpus().length} cores`;

function toolsOf(servers: BenchServers, origin: Origin): Bench {
  const clients = {
    waymark: clientOf(servers.waymark.url),
    cloudflare: clientOf(servers.cloudflare.url),
  };
  return { sendTo: (contender) => clients[CONTENDERS[contender].server], origin, servers };
}

async function main(): Promise<void> {
  const names = [...WORKLOADS.map(({ name }) => name), ROWS, FILES, MEMORY];
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
    for (const name of ["waymark", "cloudflare"]) {
      console.error(`The log of ${name} ends:\n${logTail(join(folder, name, "server.log"))}`);
    }
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
