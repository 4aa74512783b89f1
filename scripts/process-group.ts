/**
 * Node scripts in process groups of their own, which can be ended as a whole: Wrangler is a tree of
 * processes, and killing its root would leave the Worker running. Only groups started here are
 * signalled, by their id, and none outlives this process.
 */
import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";

const GONE_MILLIS = 5_000;
const POLL_MILLIS = 20;

export interface ProcessGroup {
  readonly id: number;
  /** The process at the root of the group. */
  readonly leader: ChildProcess;
  /** The leader's exit code; null where a signal ended it. */
  readonly exited: Promise<number | null>;
  /** Sends a signal to the whole group, unless it is gone. */
  signal(signal: NodeJS.Signals): void;
  /** Kills the whole group, and waits until it is gone. */
  kill(): Promise<void>;
}

export interface GroupOptions {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly stdio: StdioOptions;
}

/** Runs a script with this process's Node as the leader of a new group. */
export function startGroup(args: readonly string[], options: GroupOptions): ProcessGroup {
  const leader = spawn(process.execPath, args, { ...options, detached: true });
  const id = leader.pid;
  if (id === undefined) throw new Error(`${args[0]} could not be started`);
  const killAtExit = () => void signalGroup(id, "SIGKILL");
  process.prependOnceListener("exit", killAtExit); // before whoever removes the group's files
  return {
    id,
    leader,
    exited: once(leader, "exit").then(([code]: (number | null)[]) => code ?? null),
    signal: (signal) => void signalGroup(id, signal),
    kill: async () => {
      signalGroup(id, "SIGKILL");
      // Bounded: where the dead are neither reaped nor told apart, a group stays for ever.
      const end = Date.now() + GONE_MILLIS;
      while (isAlive(id) && Date.now() < end) await wait(POLL_MILLIS);
      process.off("exit", killAtExit);
    },
  };
}

/** Returns whether there is such a group. */
function signalGroup(id: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-id, signal);
    return true;
  } catch {
    return false;
  }
}

/** Whether a group still runs. The dead that nobody has reaped do not count, where that is seen. */
function isAlive(id: number): boolean {
  if (!signalGroup(id, 0)) return false;
  if (process.platform !== "linux") return true;
  return readdirSync("/proc").some((entry) => {
    if (!/^\d+$/.test(entry)) return false;
    // "pid (name) state parent group ...": the name may hold anything, so it is cut off first.
    const fields = readStat(entry)
      .replace(/^.*\) /s, "")
      .split(" ");
    const [state, , group] = fields;
    return group === String(id) && state !== "Z" && state !== "X";
  });
}

function readStat(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return ""; // gone meanwhile
  }
}
