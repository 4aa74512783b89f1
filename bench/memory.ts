/**
 * What instances take of the memory of their process: those that wait, and those that run. Read of the
 * workerd processes of fresh servers, before and after; garbage that was not collected yet is in it.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { clientOf } from "./client.ts";
import { CONTENDERS } from "./contender.ts";
import type { ServerName } from "./job.ts";
import type { Origin } from "./origin.ts";
import { type BenchServer, startBenchServer } from "./server.ts";
import { nap } from "./sleep.ts";

const INSTANCES = 300;
const NAP_MILLIS = 3_600_000;
/** An object that has nothing to do leaves memory after about 10 s. */
const IDLE_MILLIS = 15_000;
const STEP_MILLIS = 30_000;
const SETTLE_MILLIS = 1_000;

export interface MemoryResult {
  readonly server: ServerName;
  readonly instances: number;
  /** The process before, in bytes. */
  readonly before: number;
  /** For each instance that sleeps for an hour, in bytes. */
  readonly idle: number;
  /** For each instance in the middle of a step, in bytes. */
  readonly running: number;
}

/** @returns nothing where no `/proc` tells */
export async function measureMemory(
  folder: string,
  origin: Origin,
): Promise<readonly MemoryResult[]> {
  if (process.platform !== "linux") return [];
  const names: readonly ServerName[] = ["waymark", "cloudflare"];
  return Promise.all(
    names.map((name) => measureServer(name, join(folder, `memory-${name}`), origin)),
  );
}

async function measureServer(
  name: ServerName,
  folder: string,
  origin: Origin,
): Promise<MemoryResult> {
  const server = await startBenchServer(name, folder);
  try {
    const send = clientOf(server.url);
    const each = async (start: (id: string) => Promise<unknown>) => {
      for (let number = 0; number < INSTANCES; number++) await start(`memory-${number}`);
    };
    await CONTENDERS[name].start(send, "warm", { steps: 1 });
    await CONTENDERS[name].ended(send, "warm");
    const before = residentBytes(server);
    const asleep = { url: origin.url("/memory"), millis: NAP_MILLIS };
    await each((id) => nap(name, send, `${id}-idle`, asleep));
    await wait(IDLE_MILLIS);
    const idle = residentBytes(server);
    await each((id) => CONTENDERS[name].start(send, id, { steps: 1, millis: STEP_MILLIS }));
    await wait(SETTLE_MILLIS);
    const running = residentBytes(server);
    return {
      server: name,
      instances: INSTANCES,
      before,
      idle: (idle - before) / INSTANCES,
      running: (running - idle) / INSTANCES,
    };
  } finally {
    await server.stop();
  }
}

/** The resident memory of the workerd processes of a server's group. */
function residentBytes({ groupId }: BenchServer): number {
  const pids = readdirSync("/proc").filter((entry) => /^\d+$/.test(entry));
  return pids.reduce((sum, pid) => sum + residentBytesOf(pid, groupId), 0);
}

function residentBytesOf(pid: string, groupId: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // "pid (name) state parent group ...": the name may hold anything, so it is cut off first.
    const [, name = "", rest = ""] = /^\d+ \((.*)\) (.*)$/s.exec(stat) ?? [];
    if (!name.startsWith("workerd") || rest.split(" ")[2] !== String(groupId)) return 0;
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return Number(kilobytes ?? 0) * 1_024;
  } catch {
    return 0; // gone meanwhile
  }
}
